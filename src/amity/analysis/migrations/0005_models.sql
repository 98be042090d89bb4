-- What customers' chance to do is predicted by: an event, how far ahead, and who is scored.
CREATE TABLE analysis_model (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- its scores are called propensity:<key>
    key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_-]{0,39}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    event text NOT NULL CHECK (length(event) BETWEEN 1 AND 200),
    horizon_days smallint NOT NULL CHECK (horizon_days BETWEEN 1 AND 365),
    -- whose members are scored; NULL = everybody active in a year
    segment_id integer,
    -- traits it may look at, as they were told at the time
    traits text[] NOT NULL DEFAULT '{}',
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz
);
CREATE UNIQUE INDEX analysis_model_key ON analysis_model (key) WHERE archived_at IS NULL;
COMMENT ON TABLE analysis_model IS '{"holds": "models of what customers will do", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
