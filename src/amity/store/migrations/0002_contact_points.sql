-- Where messages go: one row an address of a channel, known only by its keyed hash, so that an
-- objection outlives the erasure of the person who made it (rule D51). Whoever sends locks the row
-- FOR SHARE while the message goes on the wire; whoever objects updates it. So an objection that
-- has committed stops every message not yet on the wire (rule D19).
CREATE TABLE store_contact_point (
    channel text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    -- `store.api.contact_key(channel, address)`
    address_key text NOT NULL,
    -- nothing at all may be sent here: hard_bounce, soft_bounces, complaint, erased, manual
    suppression text NOT NULL DEFAULT '',
    suppressed_at timestamptz,
    -- {purpose: instant}: whoever reads here said no to a purpose; a later yes takes it away
    objections jsonb NOT NULL DEFAULT '{}',
    soft_bounces integer NOT NULL DEFAULT 0,
    first_soft_bounce_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, address_key),
    CHECK ((suppression = '') = (suppressed_at IS NULL))
);
