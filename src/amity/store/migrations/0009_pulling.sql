-- Sources that are asked: files, databases.

-- A dry run reads all of a file and stores nothing but what it found.
ALTER TABLE store_import ADD COLUMN is_dry_run boolean NOT NULL DEFAULT false;
COMMENT ON TABLE store_import IS '{"holds": "files brought in, and how far each is", "subject": "", "personal": ["file_name", "problems", "created_by", "failure"], "erase": "keep: the first rows that were left out, as their file wrote them", "keep_days": null}';

-- Every row that was left out, with the reason, committed with the batch it was in.
CREATE TABLE store_import_problem (
    import_id bigint NOT NULL,
    number bigint NOT NULL,
    reason text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (import_id, number, id)
);
COMMENT ON TABLE store_import_problem IS '{"holds": "rows of files that were left out, and why", "subject": "", "personal": ["reason"], "erase": "keep: deleted a week after the import ended, with its file", "keep_days": 7}';

-- Databases that are asked again and again for what is new in one of their tables.
CREATE TABLE store_pull (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 100),
    source_id integer NOT NULL,
    -- how to connect, sealed with the installation's secret
    connection bytea NOT NULL,
    -- the same for people: without the password
    address text NOT NULL,
    -- what is read; empty until somebody has chosen
    relation_schema text NOT NULL DEFAULT '',
    relation text NOT NULL DEFAULT '',
    cursor_column text NOT NULL DEFAULT '',
    key_columns text[] NOT NULL DEFAULT '{}',
    connector text NOT NULL DEFAULT '',
    mapping jsonb NOT NULL DEFAULT '{}',
    interval_seconds integer NOT NULL DEFAULT 900 CHECK (interval_seconds BETWEEN 60 AND 604800),
    -- how far each run goes back for what was committed late: seconds, or numbers
    overlap integer NOT NULL DEFAULT 300 CHECK (overlap >= 0),
    is_paused boolean NOT NULL DEFAULT true,
    -- where the last committed page ended: {"kind", "value"} of the cursor and of the key
    position jsonb,
    next_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT '',
    rows_done bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    -- the last hundred: [{"row", "reason"}]
    problems jsonb NOT NULL DEFAULT '[]',
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    -- counts every change of what is read, so that a page read before it is not committed after it
    revision integer NOT NULL DEFAULT 1
);
CREATE INDEX store_pull_due ON store_pull (next_at) WHERE NOT is_paused;
COMMENT ON TABLE store_pull IS '{"holds": "databases that are asked for new rows, and how far each is", "subject": "", "personal": ["problems", "created_by", "failure", "position"], "erase": "keep: the last rows that were left out, as the database wrote them", "keep_days": null}';
