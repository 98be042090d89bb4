-- How long what is kept, why, and what each run removed.

-- Rules as people set them; what is not here holds as delivered (`store/logic/retention`).
CREATE TABLE store_retention_rule (
    key text PRIMARY KEY CHECK (key ~ '^[a-z][a-z0-9_.-]{0,98}$'),
    -- which of the ways of forgetting
    kind text NOT NULL,
    -- of events: only those of these names and of this source; empty = all
    names text[] NOT NULL DEFAULT '{}',
    source_id integer,
    keep_days integer NOT NULL CHECK (keep_days BETWEEN 1 AND 36500),
    basis text NOT NULL
        CHECK (basis IN ('consent', 'contract', 'legitimate_interest', 'soft_opt_in', 'legal_obligation')),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    is_enabled boolean NOT NULL,
    every_hours integer NOT NULL CHECK (every_hours BETWEEN 1 AND 720),
    -- '' and NULL: as delivered
    set_by text NOT NULL DEFAULT '',
    set_at timestamptz,
    next_run_at timestamptz,
    -- how far its runs have come, where they need not begin anew
    cursor text NOT NULL DEFAULT ''
);
COMMENT ON TABLE store_retention_rule IS '{"holds": "how long what is kept, and why", "subject": "", "personal": ["set_by"], "erase": "keep: about no customer", "keep_days": null}';

CREATE TABLE store_retention_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_key text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
    asked_by text NOT NULL DEFAULT '',
    -- what was older than this went
    before timestamptz NOT NULL,
    keep_days integer NOT NULL,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    -- {table: rows}
    tables jsonb NOT NULL DEFAULT '{}',
    oldest_at timestamptz,
    newest_at timestamptz,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- time at work, pauses and crashes apart
    worked_seconds double precision NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX store_retention_run_once ON store_retention_run (rule_key) WHERE state = 'running';
CREATE INDEX store_retention_run_rule ON store_retention_run (rule_key, id DESC);
CREATE INDEX store_retention_run_time ON store_retention_run (started_at);
COMMENT ON TABLE store_retention_run IS '{"holds": "what each run of a rule removed, counted", "subject": "", "personal": ["asked_by"], "erase": "keep: counts only", "keep_days": 2190}';

-- Days of the log that were emptied, until their files are written anew and their space is freed.
CREATE TABLE store_retention_day (
    day date PRIMARY KEY,
    emptied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE store_retention_day IS '{"holds": "days whose files and space are still to be written anew", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

-- What the data map says is what the rules hold as delivered.
COMMENT ON TABLE store_visit IS '{"holds": "visits to the site and the apps, where they came from, and whether a machine made them", "subject": "origin_id", "personal": ["visit_id", "origin_id", "landing_page", "exit_page", "pages", "referrer", "campaign", "device", "topics"], "erase": "delete", "keep_days": 760}';
COMMENT ON TABLE store_import IS '{"holds": "files brought in, and how far each is", "subject": "", "personal": ["file_name", "problems", "created_by", "failure"], "erase": "keep: the first rows that were left out, as their file wrote them", "keep_days": 760}';

-- Days of the log in which no event is left go as a whole; the app may call it, not drop tables.
CREATE FUNCTION store_drop_empty_day(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part text := 'store_event_log_' || to_char(day, 'YYYYMMDD');
    is_filled boolean;
BEGIN
    -- A young day may still be written to.
    IF day >= current_date - 2 OR to_regclass(part) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part) INTO is_filled;
    IF is_filled THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', part);
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part) INTO is_filled;
    IF NOT is_filled THEN
        EXECUTE format('DROP TABLE %I', part);
    END IF;
    RETURN NOT is_filled;
END $$;

-- The log is append-only for the app. It asks here for old events to be emptied; young ones
-- stay as they came.
CREATE FUNCTION store_empty_events(received timestamptz[], xids text[], ids bigint[], bodies bytea[])
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH emptied AS (
        UPDATE store_event_log l SET body = n.body
        FROM unnest(received, xids, ids, bodies) AS n (received_at, xid, id, body)
        WHERE l.received_at >= (SELECT min(r.at) FROM unnest(received) AS r (at))
          AND l.received_at <= (SELECT max(r.at) FROM unnest(received) AS r (at))
          AND l.received_at = n.received_at AND l.xid = n.xid::xid8 AND l.id = n.id
          AND l.received_at < now() - interval '13 days'
        RETURNING 1)
    SELECT count(*) FROM emptied
$$;
