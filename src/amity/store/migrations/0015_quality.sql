-- What is said of plans in words, how each source is watched, and telling others of alerts.

ALTER TABLE store_plan ADD COLUMN description text NOT NULL DEFAULT '';

-- Told to webhooks under these numbers; alerts raised before have none.
ALTER TABLE store_alert ADD COLUMN raised_event_id bigint, ADD COLUMN closed_event_id bigint,
    ADD COLUMN closed_why text NOT NULL DEFAULT '' CHECK (closed_why IN ('', 'over', 'muted', 'off'));
CREATE UNIQUE INDEX store_alert_raised ON store_alert (raised_event_id);
CREATE UNIQUE INDEX store_alert_closed ON store_alert (closed_event_id);

-- Only sources that are watched otherwise than all have a row.
CREATE TABLE store_source_watch (
    source_id integer PRIMARY KEY REFERENCES store_source ON DELETE CASCADE,
    terms jsonb NOT NULL,
    muted_until timestamptz,
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL DEFAULT ''
);

COMMENT ON TABLE store_source_watch IS '{"holds": "from when on an alert is raised about a source, and who said so", "subject": "", "personal": ["updated_by"], "erase": "keep: about no customer", "keep_days": null}';
