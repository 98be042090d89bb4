-- Keys of single persons, erasures with their receipts, requests of customers, and retention.

-- One key a profile, itself encrypted under a key that lies in the data folder: what it encrypts in
-- tables nobody may change is unreadable for good once its row is deleted (rule D50).
CREATE TABLE store_subject_key (
    origin_id bigint PRIMARY KEY,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE store_subject_key IS '{"holds": "a key for each customer, encrypted, that opens what was written about them where nothing may be changed", "subject": "origin_id", "personal": ["origin_id", "wrapped"], "erase": "delete", "keep_days": null}';

-- An erasure is begun in one transaction and carried on by whoever finds it unfinished.
ALTER TABLE store_erasure
    ADD COLUMN receipt_id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    -- the numbers of the profiles that were her: they name nobody any more
    ADD COLUMN profile_ids bigint[] NOT NULL DEFAULT '{}',
    -- under which number others are told of it
    ADD COLUMN event_id bigint,
    -- when the engines above and the files were through
    ADD COLUMN finished_at timestamptz,
    -- when the space of the deleted rows was written anew
    ADD COLUMN cleaned_at timestamptz,
    -- the tables that were too large for that: '{}' = all were written anew
    ADD COLUMN vacuumed_only text[] NOT NULL DEFAULT '{}',
    ADD COLUMN receipt text NOT NULL DEFAULT '';
CREATE INDEX store_erasure_open ON store_erasure (id) WHERE finished_at IS NULL OR cleaned_at IS NULL;
CREATE INDEX store_erasure_told ON store_erasure (event_id) WHERE event_id IS NOT NULL;
COMMENT ON TABLE store_erasure IS '{"holds": "which erasures were carried out, by keyed hash, with their receipts", "subject": "", "personal": ["identifier_hashes", "profile_ids", "receipt", "requested_by"], "erase": "keep: so that an erasure can be repeated after a restore; names nobody", "keep_days": null}';
