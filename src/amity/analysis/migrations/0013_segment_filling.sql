-- A large segment is filled in slices, each a transaction: its members first, then their timers.
CREATE TABLE analysis_segment_filling (
    segment_id integer PRIMARY KEY REFERENCES analysis_segment (id) ON DELETE CASCADE,
    -- of the rule that is being read
    version integer NOT NULL,
    -- timers are set for everybody up to this profile
    timed_to bigint NOT NULL
);
COMMENT ON TABLE analysis_segment_filling IS '{"holds": "how far the filling of segments has come", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
