-- The last answer to each question a report was asked, and the question that waits to be answered.
CREATE TABLE analysis_report_run (
    report text NOT NULL,
    -- the question in one spelling: what differs from the report's defaults, sorted
    asked text NOT NULL,
    parameters jsonb NOT NULL,
    -- NULL until it was answered once
    answer jsonb,
    currency text NOT NULL DEFAULT '',
    as_of timestamptz,
    took_ms bigint,
    -- somebody waits since then; NULL = nobody
    wanted_at timestamptz,
    -- a worker is at it since then
    started_at timestamptz,
    step smallint NOT NULL DEFAULT 0,
    steps smallint NOT NULL DEFAULT 0,
    is_cancelled boolean NOT NULL DEFAULT false,
    -- why the last try gave no answer
    error text NOT NULL DEFAULT '',
    -- when somebody last asked for a new answer
    wanted_last_at timestamptz NOT NULL,
    PRIMARY KEY (report, asked)
);
CREATE INDEX analysis_report_run_wanted ON analysis_report_run (wanted_at) WHERE wanted_at IS NOT NULL;

-- Questions with a name, to be asked again.
CREATE TABLE analysis_report_view (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    report text NOT NULL,
    parameters jsonb NOT NULL,
    owner text NOT NULL,
    is_shared boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX analysis_report_view_name ON analysis_report_view (owner, lower(name));

-- What the company says of itself: what channels and actions cost, what it aims at.
CREATE TABLE analysis_company_fact (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('channel_cost', 'unit_cost', 'target', 'policy')),
    fact jsonb NOT NULL,
    entered_by text NOT NULL,
    entered_at timestamptz NOT NULL
);
CREATE INDEX analysis_company_fact_kind ON analysis_company_fact (kind, id);

-- Metrics a company has defined or changed; what is built in is version 0 and in no table.
CREATE TABLE analysis_metric (
    name text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    definition jsonb NOT NULL,
    -- taken out of use; what used it before still says so
    is_retired boolean NOT NULL DEFAULT false,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);

COMMENT ON TABLE analysis_report_run IS '{"holds": "answers of reports, kept to be shown at once", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE analysis_report_view IS '{"holds": "saved views of reports", "subject": "", "personal": ["owner"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE analysis_company_fact IS '{"holds": "costs and targets the company has entered", "subject": "", "personal": ["entered_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE analysis_metric IS '{"holds": "versions of metrics and who changed them", "subject": "", "personal": ["changed_by"], "erase": "keep: about no customer", "keep_days": null}';
