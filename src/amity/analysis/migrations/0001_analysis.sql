-- The analysis engine's schema.

CREATE TABLE analysis_segment (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '',
    rule jsonb NOT NULL,
    -- raised by each change of the rule
    version integer NOT NULL DEFAULT 1,
    -- building: history is being read; live: follows every event; archived: kept, not followed
    state text NOT NULL CHECK (state IN ('building', 'live', 'archived')),
    -- kept by the follower beside the memberships, so that a list of segments counts nothing
    members bigint NOT NULL DEFAULT 0,
    -- how many past weeks have been counted from history
    weeks_reconstructed smallint NOT NULL DEFAULT 0,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX analysis_segment_name ON analysis_segment (lower(name)) WHERE state <> 'archived';

-- Membership as intervals, half open: who was in it on any day can be asked.
CREATE TABLE analysis_membership (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segment_id integer NOT NULL,
    profile_id bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    left_at timestamptz
);
CREATE UNIQUE INDEX analysis_membership_open ON analysis_membership (segment_id, profile_id) WHERE left_at IS NULL;
CREATE INDEX analysis_membership_latest ON analysis_membership (segment_id, id DESC) WHERE left_at IS NULL;
CREATE INDEX analysis_membership_profile ON analysis_membership (profile_id);
CREATE INDEX analysis_membership_when ON analysis_membership (segment_id, entered_at);
CREATE INDEX analysis_membership_left ON analysis_membership (segment_id, left_at DESC) WHERE left_at IS NOT NULL;

-- When a rule's answer for a profile may change though nothing happens: windows end, dates pass.
CREATE TABLE analysis_timer (
    segment_id integer NOT NULL,
    profile_id bigint NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (segment_id, profile_id)
);
CREATE INDEX analysis_timer_due ON analysis_timer (due_at);

CREATE TABLE analysis_segment_count (
    segment_id integer NOT NULL,
    day date NOT NULL,
    members bigint NOT NULL,
    -- counted: from the memberships of that day; reconstructed: the rule run over history as of that day
    method text NOT NULL CHECK (method IN ('counted', 'reconstructed')),
    PRIMARY KEY (segment_id, day)
);

CREATE TABLE analysis_model_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    estimator text NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    customers bigint NOT NULL,
    parameters jsonb NOT NULL,
    -- log-likelihood, holdout calibration, what was refused and why
    report jsonb NOT NULL
);
CREATE INDEX analysis_model_run_latest ON analysis_model_run (estimator, id DESC);

CREATE TABLE analysis_score (
    profile_id bigint NOT NULL,
    -- rfm, p_alive, expected_purchases, clv
    name text NOT NULL,
    value double precision,
    label text NOT NULL DEFAULT '',
    low double precision,
    high double precision,
    model_run_id bigint NOT NULL,
    PRIMARY KEY (profile_id, name)
);
CREATE INDEX analysis_score_rank ON analysis_score (name, value DESC);

-- What each table holds, for the data map (`amity data-map`).
COMMENT ON TABLE analysis_segment IS '{"holds": "segments and their rules", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE analysis_membership IS '{"holds": "who was in which segment and when", "subject": "profile_id", "personal": ["profile_id"], "erase": "delete", "keep_days": null}';
COMMENT ON TABLE analysis_timer IS '{"holds": "when a customer''s segments are looked at again", "subject": "profile_id", "personal": ["profile_id"], "erase": "delete", "keep_days": null}';
COMMENT ON TABLE analysis_segment_count IS '{"holds": "how many were in a segment on each day", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE analysis_model_run IS '{"holds": "runs of models and how well they did", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE analysis_score IS '{"holds": "predictions about customers", "subject": "profile_id", "personal": ["value", "label", "low", "high"], "erase": "delete", "keep_days": null}';
