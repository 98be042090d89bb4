-- Work that takes long: who waits for it, how far it is, why it gave nothing. What came of it is
-- kept elsewhere, and the row goes then.
CREATE TABLE analysis_work (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    -- what exactly, in one spelling
    asked text NOT NULL,
    parameters jsonb NOT NULL,
    title text NOT NULL,
    wanted_by text NOT NULL DEFAULT '',
    -- a person waits; else it is to be ready when one comes
    is_waited_for boolean NOT NULL DEFAULT true,
    -- NULL = nobody waits any more
    wanted_at timestamptz,
    started_at timestamptz,
    -- who does it says every few seconds that it still does
    seen_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    step smallint NOT NULL DEFAULT 0,
    steps smallint NOT NULL DEFAULT 0,
    doing text NOT NULL DEFAULT '',
    is_cancelled boolean NOT NULL DEFAULT false,
    -- why the last try gave nothing, and when
    error text NOT NULL DEFAULT '',
    ended_at timestamptz,
    UNIQUE (kind, asked)
);
CREATE INDEX analysis_work_wanted ON analysis_work (wanted_at) WHERE wanted_at IS NOT NULL;

-- It is in analysis_work now: who waits was asked by an open page, which asks again.
ALTER TABLE analysis_report_run
    DROP COLUMN wanted_at, DROP COLUMN started_at, DROP COLUMN step, DROP COLUMN steps,
    DROP COLUMN is_cancelled, DROP COLUMN error;

-- The customers of rows of reports that somebody opened.
CREATE TABLE analysis_row_list (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked text NOT NULL UNIQUE,
    customers integer NOT NULL,
    computed_at timestamptz NOT NULL
);
CREATE TABLE analysis_row_customer (
    list_id bigint NOT NULL REFERENCES analysis_row_list (id) ON DELETE CASCADE,
    profile_id bigint NOT NULL,
    PRIMARY KEY (list_id, profile_id)
);
CREATE INDEX analysis_row_customer_profile ON analysis_row_customer (profile_id);

COMMENT ON TABLE analysis_work IS '{"holds": "long work somebody asked for and how far it is", "subject": "", "personal": ["wanted_by"], "erase": "keep: about no customer", "keep_days": 30}';
COMMENT ON TABLE analysis_row_list IS '{"holds": "which rows of reports were opened", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": 2}';
COMMENT ON TABLE analysis_row_customer IS '{"holds": "the customers of rows of reports that were opened, as long as which rows", "subject": "profile_id", "personal": ["profile_id"], "erase": "delete"}';
