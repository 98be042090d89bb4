-- Where a score stands among all, and whom the follower is to ask again when scores change.
ALTER TABLE analysis_score ADD COLUMN percentile double precision
    CHECK (percentile BETWEEN 0 AND 100);

UPDATE analysis_score s SET percentile = r.percentile
FROM (
    SELECT profile_id, name, 100.0 * (rank() OVER (PARTITION BY name ORDER BY value) - 1
               + count(*) OVER (PARTITION BY name, value) / 2.0)
               / count(*) OVER (PARTITION BY name) AS percentile
    FROM analysis_score WHERE value IS NOT NULL) AS r
WHERE s.profile_id = r.profile_id AND s.name = r.name;

CREATE TABLE analysis_recheck (
    -- what changed, by the kinds a rule mentions: `scores`
    kind text NOT NULL,
    name text NOT NULL,
    profile_id bigint NOT NULL,
    PRIMARY KEY (kind, name, profile_id)
);
CREATE INDEX analysis_recheck_profile ON analysis_recheck (profile_id);

COMMENT ON TABLE analysis_score IS '{"holds": "predictions about customers", "subject": "profile_id", "personal": ["value", "label", "low", "high", "percentile"], "erase": "delete", "keep_days": null}';
COMMENT ON TABLE analysis_recheck IS '{"holds": "whose segments are looked at next", "subject": "profile_id", "personal": ["profile_id"], "erase": "delete", "keep_days": null}';
