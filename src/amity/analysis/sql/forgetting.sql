-- name: forget_memberships
WITH gone AS (
    DELETE FROM analysis_membership WHERE profile_id = ANY(%s) RETURNING segment_id, left_at
), fewer AS (
    UPDATE analysis_segment s SET members = greatest(0, s.members - d.members)
    FROM (SELECT segment_id, count(*) AS members FROM gone WHERE left_at IS NULL GROUP BY 1) d
    WHERE s.id = d.segment_id
)
SELECT count(*) FROM gone

-- name: forget_profile_timers
DELETE FROM analysis_timer WHERE profile_id = ANY(%s)

-- name: forget_scores
DELETE FROM analysis_score WHERE profile_id = ANY(%s)
