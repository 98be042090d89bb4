-- The consent ledger (rule D52): what every customer said about every purpose, in a chain of hashes
-- that nobody can mend unseen; the purposes themselves; and the exact words they were asked in.

-- What data is used for. A purpose that is not here needs consent, which then does not expire.
CREATE TABLE store_purpose (
    key text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_.]{0,98}$'),
    -- how it is called in a sentence: "news and offers by e-mail"
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    -- what it covers, told to the person
    covers text NOT NULL DEFAULT '' CHECK (length(covers) <= 2000),
    channels text[] NOT NULL DEFAULT '{}',
    basis text NOT NULL DEFAULT 'consent'
        CHECK (basis IN ('consent', 'contract', 'legitimate_interest', 'soft_opt_in', 'legal_obligation')),
    -- without: allowed until the customer objects
    needs_consent boolean NOT NULL DEFAULT true,
    -- a yes is worth so many months; NULL = until it is taken back
    expiry_months integer CHECK (expiry_months BETWEEN 1 AND 1200),
    -- whether the preference centre asks about it, and where
    is_shown boolean NOT NULL DEFAULT true,
    place integer NOT NULL DEFAULT 100,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL DEFAULT ''
);
COMMENT ON TABLE store_purpose IS '{"holds": "what data is used for", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

-- The exact words of what a customer is asked or told, one row a version and language; never changed.
CREATE TABLE store_notice (
    key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_.]{0,98}$'),
    version integer NOT NULL CHECK (version > 0),
    language text NOT NULL DEFAULT 'en' CHECK (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'),
    wording text NOT NULL CHECK (length(wording) BETWEEN 1 AND 20000),
    sha256 text NOT NULL CHECK (sha256 = encode(sha256(convert_to(wording, 'UTF8')), 'hex')),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT '',
    PRIMARY KEY (key, version, language)
);
COMMENT ON TABLE store_notice IS '{"holds": "the exact words customers were asked in", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

CREATE TABLE store_consent (
    -- without gaps: the place in the chain
    record_id bigint PRIMARY KEY CHECK (record_id > 0),
    -- the profile it was said for, before any merge; NULL once the customer was erased
    origin_id bigint,
    -- the keyed hash of origin_id, which stays
    subject text NOT NULL,
    -- the event it was taken from; 0 for what the ledger adds itself
    event_id bigint NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL DEFAULT '',
    basis text NOT NULL DEFAULT '',
    jurisdiction text NOT NULL DEFAULT '',
    status text NOT NULL
        CHECK (status IN ('given', 'denied', 'withdrawn', 'expired', 'invalidated', 'pending')),
    event_time timestamptz NOT NULL,
    recorded_time timestamptz NOT NULL,
    method text NOT NULL,
    notice text NOT NULL DEFAULT '',
    notice_sha256 text NOT NULL DEFAULT '',
    source_id integer NOT NULL,
    -- personal detail as JSON text: outside the chain, its hash inside; NULL once erased
    evidence text,
    evidence_sha256 text NOT NULL,
    expires_at timestamptz,
    recipients text[] NOT NULL DEFAULT '{}',
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    -- SHA-256(prev_hash || RFC 8785 canonical JSON of the row)
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- a keyed hash of `hash`: who rewrites the chain without the installation's key is found out
    seal bytea NOT NULL CHECK (length(seal) = 16)
);
CREATE INDEX store_consent_origin ON store_consent (origin_id, record_id) WHERE origin_id IS NOT NULL;
CREATE INDEX store_consent_event ON store_consent (event_id);
CREATE INDEX store_consent_purpose ON store_consent (purpose, record_id);
CREATE INDEX store_consent_expiry ON store_consent (expires_at) WHERE expires_at IS NOT NULL AND status = 'given';
CREATE INDEX store_consent_expired ON store_consent (event_time) WHERE status = 'expired';
COMMENT ON TABLE store_consent IS '{"holds": "what was said about each purpose, when, how and in answer to which words", "subject": "origin_id", "personal": ["origin_id", "evidence"], "erase": "blank", "keep_days": null}';

-- Heads of the chain, signed; also written to a file outside the database.
CREATE TABLE store_consent_head (
    record_id bigint PRIMARY KEY,
    hash bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON TABLE store_consent_head IS '{"holds": "signed heads of the consent ledger", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

-- Nobody changes what was written, the owner included. One change is let through: taking away what
-- is personal, which leaves the chain valid (rule D50).
CREATE FUNCTION store_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'store_consent' AND TG_OP = 'UPDATE' THEN
        IF NEW.origin_id IS NULL AND NEW.evidence IS NULL
           AND to_jsonb(NEW) - '{origin_id,evidence}'::text[] = to_jsonb(OLD) - '{origin_id,evidence}'::text[] THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what % holds is never changed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER store_consent_kept BEFORE UPDATE OR DELETE ON store_consent
    FOR EACH ROW EXECUTE FUNCTION store_refuse_change();
CREATE TRIGGER store_consent_whole BEFORE TRUNCATE ON store_consent
    FOR EACH STATEMENT EXECUTE FUNCTION store_refuse_change();
CREATE TRIGGER store_notice_kept BEFORE UPDATE OR DELETE ON store_notice
    FOR EACH ROW EXECUTE FUNCTION store_refuse_change();
CREATE TRIGGER store_notice_whole BEFORE TRUNCATE ON store_notice
    FOR EACH STATEMENT EXECUTE FUNCTION store_refuse_change();
CREATE TRIGGER store_consent_head_kept BEFORE UPDATE OR DELETE ON store_consent_head
    FOR EACH ROW EXECUTE FUNCTION store_refuse_change();
CREATE TRIGGER store_consent_head_whole BEFORE TRUNCATE ON store_consent_head
    FOR EACH STATEMENT EXECUTE FUNCTION store_refuse_change();

-- The app may not update at all: it asks here for what is personal to be taken away. Returns how
-- many rows there were by the keyed hash of whom they were about.
CREATE FUNCTION store_blank_consents(origins bigint[]) RETURNS TABLE (about text, amount bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH blanked AS (
        UPDATE store_consent SET origin_id = NULL, evidence = NULL
        WHERE origin_id = ANY (origins) RETURNING subject)
    SELECT subject, count(*) FROM blanked GROUP BY subject ORDER BY subject
$$;
INSERT INTO store_consumer (name) VALUES ('consents') ON CONFLICT DO NOTHING;

-- The gate in SQL; in memory it is `reason_of` (logic/consent.py), and a property test holds the
-- two together. Written so that PostgreSQL can put it into the query that asks: the purpose's row
-- is joined by the caller (NULLs when there is none).
CREATE FUNCTION store_use_reason(
    consents jsonb, purpose text, needs_consent boolean, expiry_months integer, moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN consents #>> ARRAY[purpose, 'status'] IN ('denied', 'withdrawn') THEN 'objected'
        WHEN NOT coalesce(needs_consent, true) THEN ''
        WHEN consents #>> ARRAY[purpose, 'status'] IS DISTINCT FROM 'granted' THEN 'no_consent'
        WHEN (consents #>> ARRAY[purpose, 'expires_at'])::timestamptz <= moment THEN 'consent_expired'
        WHEN (consents #>> ARRAY[purpose, 'at'])::timestamptz
             + make_interval(months => expiry_months) <= moment THEN 'consent_expired'
        ELSE ''
    END
$$;

-- The same for a contact point, whose own no counts as well; `purpose` '' = no purpose but the
-- message itself, such as a receipt. An objection holds until a yes that is later than it. A pause
-- stands among the objections as `~pause`, which no purpose is called, with its end.
CREATE FUNCTION store_contact_reason(
    suppression text, objections jsonb, consents jsonb, purpose text,
    needs_consent boolean, expiry_months integer, moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
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

-- The same for who asks about one person now, and need not be quick.
CREATE OR REPLACE FUNCTION store_contact_reason(suppression text, objections jsonb, consents jsonb, purpose text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT store_contact_reason(suppression, objections, consents, purpose,
        (SELECT p.needs_consent FROM store_purpose p WHERE p.key = purpose),
        (SELECT p.expiry_months FROM store_purpose p WHERE p.key = purpose), now())
$$;

INSERT INTO store_purpose (key, title, covers, channels, basis, needs_consent, place, is_shown) VALUES
    ('marketing.email', 'news and offers by e-mail',
     'We write to you at this address with news and offers.', '{email}', 'consent', true, 10, true),
    ('tracking.email', 'counting opens and clicks',
     'We count whether you open our e-mails and which of their links you follow.', '{email}',
     'consent', true, 20, true),
    ('profiling', 'choosing what suits you',
     'We use what you bought and looked at to choose what we show you.', '{}',
     'legitimate_interest', false, 30, true),
    ('sharing', 'sharing with others',
     'We pass data about you on to partners, for instance so that they show you our advertisements.',
     '{}', 'consent', true, 40, false),
    ('records', 'keeping our own records',
     'We keep and look at what we need to deliver orders, answer you and keep our books.', '{}',
     'contract', false, 50, false);
INSERT INTO store_notice (key, version, language, wording, sha256, created_by)
SELECT key, 1, 'en', covers, encode(sha256(convert_to(covers, 'UTF8')), 'hex'), 'Amity' FROM store_purpose;

-- When somebody asked last for messages at an address that still has to be confirmed: one message
-- a day goes there, however many ask (rule D44).
ALTER TABLE store_contact_point ADD COLUMN asked_at timestamptz;

-- How many asked by that form in an hour, from one network and for one mail provider.
CREATE TABLE store_signup_pace (
    -- a keyed hash of a network address or of a domain
    key text NOT NULL,
    hour timestamptz NOT NULL,
    amount integer NOT NULL,
    PRIMARY KEY (key, hour)
);
CREATE INDEX store_signup_pace_hour ON store_signup_pace (hour);
COMMENT ON TABLE store_signup_pace IS '{"holds": "how many signed up in an hour, by keyed hashes of networks and mail domains", "subject": "", "personal": ["key"], "erase": "keep: a keyed hash that names nobody, gone after two days", "keep_days": 2}';
