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
