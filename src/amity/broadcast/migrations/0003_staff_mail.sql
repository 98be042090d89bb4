-- Messages to the staff of this installation, each at most once.
CREATE TABLE broadcast_staff_mail (
    -- what it is about and for when
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),
    -- of the last attempt
    id uuid NOT NULL,
    staff_id integer NOT NULL,
    subject text NOT NULL,
    -- wire: being handed over; deferred: may be tried again; the others are final
    state text NOT NULL CHECK (state IN ('wire', 'sent', 'deferred', 'refused', 'unknown')),
    reply text NOT NULL DEFAULT '',
    -- NULL when it was refused before
    wire_at timestamptz,
    settled_at timestamptz
);

COMMENT ON TABLE broadcast_staff_mail IS '{"holds": "messages to staff and what became of them", "subject": "", "personal": ["staff_id", "reply"], "erase": "keep: about no customer", "keep_days": null}';
