-- What linkage has learnt from the customers there are; the latest of a subject is used.
CREATE TABLE store_link_model (
    -- its version
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL CHECK (subject IN ('people', 'companies')),
    learnt_at timestamptz NOT NULL,
    why text NOT NULL CHECK (why IN ('first', 'schedule', 'drift', 'asked')),
    learnt_by text NOT NULL DEFAULT '',
    records integer NOT NULL,
    -- weights, keys and shares, without a value of any customer
    model jsonb NOT NULL,
    -- what it is worth by its own estimate, and how the records were filled then
    quality jsonb NOT NULL,
    -- up to which activity customers were compared by it, and when; NULL: not all with all yet
    compared_to bigint,
    compared_at timestamptz,
    -- somebody wants it learnt anew
    asked_at timestamptz,
    asked_by text NOT NULL DEFAULT ''
);
CREATE INDEX store_link_model_latest ON store_link_model (subject, id DESC);
COMMENT ON TABLE store_link_model IS '{"holds": "how much each agreement between records says, as learnt from all of them", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

-- Households and companies wait for somebody too; several pairs can be decided at once.
ALTER TABLE store_link_candidate
    ADD COLUMN kind text NOT NULL DEFAULT 'person'
        CHECK (kind IN ('person', 'household', 'company')),
    ADD COLUMN batch text NOT NULL DEFAULT '',
    DROP CONSTRAINT store_link_candidate_one_id_other_id_key,
    ADD CONSTRAINT store_link_candidate_pair UNIQUE (one_id, other_id, kind);
CREATE INDEX store_link_candidate_batch ON store_link_candidate (batch) WHERE batch <> '';

CREATE INDEX store_evidence_tie ON store_evidence (event_id) WHERE way NOT IN ('event', 'alias');
