-- What events should look like, and what their sources sent.

-- The versions of each tracking plan; the live one is enforced at the door.
CREATE TABLE store_plan (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    name text NOT NULL DEFAULT '',
    -- 0: of all sources
    source_id integer NOT NULL DEFAULT 0,
    version integer NOT NULL,
    policy text NOT NULL CHECK (policy IN ('pass', 'cut', 'quarantine')),
    allows_unknown boolean NOT NULL DEFAULT true,
    fields jsonb NOT NULL,
    is_live boolean NOT NULL DEFAULT true,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL DEFAULT '',
    UNIQUE (type, name, source_id, version)
);
CREATE UNIQUE INDEX store_plan_live ON store_plan (type, name, source_id) WHERE is_live;

-- Counts of what came. They are about no customer: a rebuild leaves them, and so does an erasure.
-- The path '' stands for the event itself.
CREATE TABLE store_shape (
    day date NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    path text NOT NULL,
    seen bigint NOT NULL,
    nulls bigint NOT NULL,
    strings bigint NOT NULL,
    numbers bigint NOT NULL,
    booleans bigint NOT NULL,
    lists bigint NOT NULL,
    objects bigint NOT NULL,
    least double precision,
    most double precision,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (day, source_id, type, name, path)
);

CREATE TABLE store_finding (
    day date NOT NULL,
    source_id integer NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    seen bigint NOT NULL,
    PRIMARY KEY (day, source_id, type, name, path, kind)
);

CREATE TABLE store_quality (
    hour timestamptz NOT NULL,
    source_id integer NOT NULL,
    events bigint NOT NULL,
    late bigint NOT NULL,
    violating bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (hour, source_id)
);

CREATE TABLE store_alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id integer NOT NULL,
    rule text NOT NULL,
    words text NOT NULL,
    opened_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    closed_at timestamptz
);
CREATE UNIQUE INDEX store_alert_open ON store_alert (source_id, rule) WHERE closed_at IS NULL;
INSERT INTO store_consumer (name) VALUES ('quality') ON CONFLICT DO NOTHING;

COMMENT ON TABLE store_plan IS '{"holds": "what events should look like, in all versions", "subject": "", "personal": ["made_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE store_shape IS '{"holds": "which properties events had, by day and source, counted; names of properties, none of their values", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": 100}';
COMMENT ON TABLE store_finding IS '{"holds": "where events were against their plan or held personal data in the wrong place, counted; no values", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": 100}';
COMMENT ON TABLE store_quality IS '{"holds": "how many events came from each source in each hour, and how late", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": 100}';
COMMENT ON TABLE store_alert IS '{"holds": "what was wrong with a source, from when to when", "subject": "", "personal": ["acknowledged_by"], "erase": "keep: about no customer", "keep_days": null}';
