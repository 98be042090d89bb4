-- What the engine exports to the warehouse. The cursor is a transaction id below all that are still
-- running (rule D12): what was written since is exported again, and the latest version holds.

-- name: warehouse_horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: warehouse_decisions
-- Transaction ids on rows have 32 bits: age() compares them; what is too far back, or of another
-- server, is exported whole.
SELECT d.id AS decision_id, d.decided_at, d.profile_id, d.placement_id, d.channel, d.snapshot_id,
       d.seed, d.policy, d.fallback, d.request, encode(d.result, 'hex') AS items
FROM personalization_decision d,
     (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE %(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
   OR age(d.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid)

-- name: warehouse_all_decisions
SELECT d.id AS decision_id, d.decided_at, d.profile_id, d.placement_id, d.channel, d.snapshot_id,
       d.seed, d.policy, d.fallback, d.request, encode(d.result, 'hex') AS items
FROM personalization_decision d
