-- Too young for a purpose: a profile bears the mark `~young` with the moment she is of age, and no
-- guardian has agreed. In memory it is `is_under_age`; a property test holds the two together.
CREATE FUNCTION store_under_age(consents jsonb, purpose text, moment timestamptz)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT consents ? '~young' AND purpose NOT IN ('records', 'guardian')
        AND coalesce((consents #>> '{~young,expires_at}')::timestamptz > moment, true)
        AND NOT (coalesce(consents #>> '{guardian,status}' = 'granted', false)
            AND coalesce((consents #>> '{guardian,expires_at}')::timestamptz > moment, true))
$$;

CREATE OR REPLACE FUNCTION store_use_reason(
    consents jsonb, purpose text, needs_consent boolean, expiry_months integer, moment timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN consents #>> '{~restricted,status}' = 'denied' THEN 'restricted'
        WHEN store_under_age(consents, purpose, moment) THEN 'under_age'
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
        WHEN store_under_age(consents, purpose, moment) THEN 'under_age'
        WHEN consents #>> ARRAY[purpose, 'status'] IN ('denied', 'withdrawn') THEN 'objected'
        WHEN objections ? purpose AND coalesce(
            (objections ->> purpose)::timestamptz
                >= (consents #>> ARRAY[purpose, 'at'])::timestamptz, true) THEN 'objected'
        ELSE coalesce(
            nullif(store_use_reason(consents, purpose, needs_consent, expiry_months, moment), ''),
            CASE WHEN (objections ->> '~pause')::timestamptz > moment THEN 'on_pause' END, '')
    END
$$;

INSERT INTO store_purpose (key, title, covers, channels, basis, needs_consent, place, is_shown) VALUES
    ('guardian', 'what a guardian agrees to',
     'A parent or guardian agrees that what a child says about the other purposes counts.', '{}',
     'consent', true, 60, false);
INSERT INTO store_notice (key, version, language, wording, sha256, created_by)
SELECT key, 1, 'en', covers, encode(sha256(convert_to(covers, 'UTF8')), 'hex'), 'Amity'
FROM store_purpose WHERE key = 'guardian';
