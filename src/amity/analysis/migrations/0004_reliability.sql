-- Predictions as they were made, in groups of alike ones, and what then came of them.
CREATE TABLE analysis_reliability (
    score text NOT NULL,
    predicted_at timestamptz NOT NULL,
    -- the group, from the lowest predictions on
    place smallint NOT NULL,
    due_at timestamptz NOT NULL CHECK (due_at > predicted_at),
    model_run_id bigint NOT NULL,
    customers integer NOT NULL CHECK (customers > 0),
    expected double precision NOT NULL,
    -- NULL until the time is over; those of whom it could not be known are not among them
    observed_customers integer,
    observed_sum double precision,
    observed_squares double precision,
    PRIMARY KEY (score, predicted_at, place)
);
CREATE INDEX analysis_reliability_due ON analysis_reliability (due_at) WHERE observed_customers IS NULL;

-- Who was in which group, until the time is over: a sample of at most some thousand customers.
CREATE TABLE analysis_prediction (
    score text NOT NULL,
    predicted_at timestamptz NOT NULL,
    profile_id bigint NOT NULL,
    place smallint NOT NULL,
    PRIMARY KEY (score, predicted_at, profile_id)
);
CREATE INDEX analysis_prediction_profile ON analysis_prediction (profile_id);

COMMENT ON TABLE analysis_reliability IS '{"holds": "what was predicted of groups of customers, and what came", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE analysis_prediction IS '{"holds": "whose predictions are compared with what comes, until it has", "subject": "profile_id", "personal": ["profile_id", "place"], "erase": "delete", "keep_days": null}';
