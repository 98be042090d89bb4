-- Data requests of customers (GDPR chapter III, CCPA): what was asked for, until when it is due,
-- who did what about it; and the restriction of processing, which the gate knows of.

CREATE TABLE store_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (
        kind IN ('access', 'portability', 'erasure', 'rectification', 'restriction', 'objection')),
    -- whose it is; NULL while nobody knows, and once she was erased
    profile_id bigint,
    -- what she wrote from or called from, while it belongs to nobody we know
    address text NOT NULL DEFAULT '' CHECK (length(address) <= 320),
    -- where a message to her goes, by keyed hash; only what came by her preference page has one
    address_key text NOT NULL DEFAULT '',
    came_by text NOT NULL CHECK (came_by IN ('preference_page', 'mail', 'call', 'api', 'staff')),
    jurisdiction text NOT NULL CHECK (jurisdiction IN ('gdpr', 'ccpa')),
    state text NOT NULL DEFAULT 'received'
        CHECK (state IN ('received', 'verifying', 'in_progress', 'done', 'refused')),
    -- how she showed that it is she; '' = she has not yet
    verified_by text NOT NULL DEFAULT ''
        CHECK (verified_by IN ('', 'mail_link', 'call_back', 'document', 'signed_in', 'known_in_person')),
    -- what she wants in her own words, such as what is wrong
    wish text NOT NULL DEFAULT '' CHECK (length(wish) <= 4000),
    received_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    is_extended boolean NOT NULL DEFAULT false,
    closed_at timestamptz,
    -- why it was refused, or what was done, as she is told
    outcome text NOT NULL DEFAULT '' CHECK (length(outcome) <= 4000),
    created_by text NOT NULL,
    -- the receipt of an erasure, which names nobody
    receipt_id uuid,
    CHECK ((closed_at IS NULL) = (state IN ('received', 'verifying', 'in_progress')))
);
CREATE INDEX store_request_open ON store_request (due_at, id) WHERE closed_at IS NULL;
CREATE INDEX store_request_profile ON store_request (profile_id) WHERE profile_id IS NOT NULL;
-- One of a kind at a time: who asks twice is asked about once.
CREATE UNIQUE INDEX store_request_single ON store_request (profile_id, kind)
    WHERE profile_id IS NOT NULL AND closed_at IS NULL;
COMMENT ON TABLE store_request IS '{"holds": "what customers asked for about their data, and until when it is due", "subject": "profile_id", "personal": ["profile_id", "address", "wish", "outcome"], "erase": "blank", "keep_days": null}';

CREATE TABLE store_request_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES store_request (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    by text NOT NULL,
    what text NOT NULL CHECK (what IN (
        'received', 'asked_to_confirm', 'verified', 'matched', 'extended', 'begun', 'copy_asked',
        'copy_made', 'copy_failed', 'copy_fetched', 'copy_deleted', 'corrected', 'restricted',
        'lifted', 'objected', 'erased', 'noted', 'done', 'refused')),
    words text NOT NULL DEFAULT '' CHECK (length(words) <= 4000)
);
CREATE INDEX store_request_step_request ON store_request_step (request_id, id);
COMMENT ON TABLE store_request_step IS '{"holds": "who did what about a data request, and when", "subject": "", "personal": ["by", "words"], "erase": "blank", "keep_days": null}';

-- The copies made for her, one file each in the data folder.
CREATE TABLE store_request_copy (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES store_request (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'ready', 'failed', 'deleted')),
    asked_at timestamptz NOT NULL,
    begun_at timestamptz,
    made_at timestamptz,
    expires_at timestamptz,
    bytes bigint NOT NULL DEFAULT 0,
    sha256 text NOT NULL DEFAULT '',
    rows bigint NOT NULL DEFAULT 0,
    -- how often she took it herself, by a link that was mailed
    fetched integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT ''
);
CREATE INDEX store_request_copy_request ON store_request_copy (request_id, id);
CREATE INDEX store_request_copy_open ON store_request_copy (id) WHERE state IN ('waiting', 'running');
COMMENT ON TABLE store_request_copy IS '{"holds": "when the copies for data requests were made, and until when they are kept", "subject": "", "personal": [], "erase": "keep: without an identifier; the file itself is deleted", "keep_days": null}';

-- The gate: while processing is restricted (GDPR Art. 18) nothing is done with her data but to
-- keep it. The mark stands among the consents under `~restricted`, which no purpose is called;
-- only Amity's own events set it and lift it.
CREATE OR REPLACE FUNCTION store_use_reason(
    consents jsonb, purpose text, needs_consent boolean, expiry_months integer, moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN consents #>> '{~restricted,status}' = 'denied' THEN 'restricted'
        WHEN consents #>> ARRAY[purpose, 'status'] IN ('denied', 'withdrawn') THEN 'objected'
        WHEN NOT coalesce(needs_consent, true) THEN ''
        WHEN consents #>> ARRAY[purpose, 'status'] IS DISTINCT FROM 'granted' THEN 'no_consent'
        WHEN (consents #>> ARRAY[purpose, 'expires_at'])::timestamptz <= moment THEN 'consent_expired'
        WHEN (consents #>> ARRAY[purpose, 'at'])::timestamptz
             + make_interval(months => expiry_months) <= moment THEN 'consent_expired'
        ELSE ''
    END
$$;

CREATE OR REPLACE FUNCTION store_contact_reason(
    suppression text, objections jsonb, consents jsonb, purpose text,
    needs_consent boolean, expiry_months integer, moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN consents #>> '{~restricted,status}' = 'denied' THEN 'restricted'
        WHEN suppression <> '' AND NOT (suppression = 'complaint' AND purpose = '') THEN 'suppressed'
        WHEN purpose = '' THEN ''
        WHEN consents #>> ARRAY[purpose, 'status'] IN ('denied', 'withdrawn') THEN 'objected'
        WHEN objections ? purpose AND coalesce(
            (objections ->> purpose)::timestamptz
                >= (consents #>> ARRAY[purpose, 'at'])::timestamptz, true) THEN 'objected'
        ELSE coalesce(
            nullif(store_use_reason(consents, purpose, needs_consent, expiry_months, moment), ''),
            CASE WHEN (objections ->> '~pause')::timestamptz > moment THEN 'on_pause' END, '')
    END
$$;
