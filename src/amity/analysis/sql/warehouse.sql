-- What the engine exports to the warehouse. The cursor is a transaction id below all that are still
-- running (rule D12): what was written since is exported again, and the latest version holds.

-- name: warehouse_horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: warehouse_memberships
-- Transaction ids on rows have 32 bits: age() compares them; what is too far back, or of another
-- server, is exported whole. Stays that ended by a merge are told as those that were left.
SELECT m.id AS membership_id, m.segment_id, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE %(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
   OR age(m.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid)

-- name: warehouse_all_memberships
SELECT m.id AS membership_id, m.segment_id, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m

-- name: warehouse_scores
-- A score that is no more is told by its key, unless it is there again.
SELECT s.profile_id || ':' || s.name AS score_id, s.profile_id, s.name, s.value, s.label, s.low,
       s.high, s.percentile, r.estimator, r.report ->> 'version' AS model_version, s.model_run_id,
       coalesce(s.scored_at, r.computed_at) AS computed_at
FROM analysis_score s LEFT JOIN analysis_model_run r ON r.id = s.model_run_id,
     (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE %(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
   OR age(s.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid)
UNION ALL
SELECT g.key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM warehouse_gone g, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE g.export = 'scores'
  AND (%(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
       OR age(g.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid))
  AND NOT EXISTS (SELECT FROM analysis_score s
                  WHERE s.profile_id = g.profile_id AND s.profile_id || ':' || s.name = g.key)

-- name: warehouse_all_scores
SELECT s.profile_id || ':' || s.name AS score_id, s.profile_id, s.name, s.value, s.label, s.low,
       s.high, s.percentile, r.estimator, r.report ->> 'version' AS model_version, s.model_run_id,
       coalesce(s.scored_at, r.computed_at) AS computed_at
FROM analysis_score s LEFT JOIN analysis_model_run r ON r.id = s.model_run_id
