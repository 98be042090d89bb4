-- Where messages go: one row an address of a channel, known only by its keyed hash, so that an
-- objection outlives the erasure of the person who made it (rule D51). Whoever sends locks the row
-- FOR SHARE while the message goes on the wire; whoever objects updates it. So an objection that
-- has committed stops every message not yet on the wire (rule D19).
CREATE TABLE store_contact_point (
    channel text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    -- `store.api.contact_key(channel, address)`
    address_key text NOT NULL,
    -- nothing at all may be sent here: hard_bounce, soft_bounces, complaint, erased, manual
    suppression text NOT NULL DEFAULT ''
        CHECK (suppression IN ('', 'soft_bounces', 'hard_bounce', 'manual', 'complaint', 'erased')),
    suppressed_at timestamptz,
    -- {purpose: instant}: whoever reads here said no to a purpose; a later yes takes it away
    objections jsonb NOT NULL DEFAULT '{}',
    -- {purpose: [instant, yes or no, profile]}: what was said here last, so that it is said once
    statements jsonb NOT NULL DEFAULT '{}',
    soft_bounces integer NOT NULL DEFAULT 0,
    first_soft_bounce_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, address_key),
    CHECK ((suppression = '') = (suppressed_at IS NULL))
);

-- Why nothing may be sent to a contact point for a purpose ('' = no purpose but the message itself,
-- such as a receipt): 'suppressed', 'objected', 'no_consent', or '' when it may. `consents` are
-- the profile's; the first two are the contact point's, NULL when it has no row.
-- An objection holds until the customer says yes later than she said no.
CREATE FUNCTION store_contact_reason(suppression text, objections jsonb, consents jsonb, purpose text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN suppression <> '' AND NOT (suppression = 'complaint' AND purpose = '') THEN 'suppressed'
        WHEN purpose = '' THEN ''
        WHEN consents #>> ARRAY[purpose, 'status'] IN ('denied', 'withdrawn') THEN 'objected'
        WHEN objections ? purpose AND coalesce(
            (objections ->> purpose)::timestamptz
                >= (consents #>> ARRAY[purpose, 'at'])::timestamptz, true) THEN 'objected'
        WHEN consents #>> ARRAY[purpose, 'status'] = 'granted' THEN ''
        ELSE 'no_consent'
    END
$$;

-- What each table holds, for the data map (`amity data-map`).
COMMENT ON TABLE store_contact_point IS '{"holds": "objections and bounces of addresses, by keyed hash", "subject": "", "personal": ["statements"], "erase": "keep: the keyed hash of an address nothing may be sent to", "keep_days": null}';
