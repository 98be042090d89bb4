-- What the engine exports to the warehouse. The cursor is a transaction id below all that are still
-- running (rule D12): what was written since is exported again, and the latest version holds.

-- name: warehouse_horizon
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: warehouse_sends
-- Transaction ids on rows have 32 bits: age() compares them; what is too far back, or of another
-- server, is exported whole.
SELECT s.id AS send_id, s.planned_at, s.run_kind, s.run_id, s.step_key, s.contact_point,
       s.profile_id, s.channel, s.class, s.purpose, s.content_id, s.state, s.reason, s.attempts,
       s.not_before, s.not_after, s.wire_at, s.settled_at
FROM broadcast_send s, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE %(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
   OR age(s.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid)

-- name: warehouse_all_sends
SELECT s.id AS send_id, s.planned_at, s.run_kind, s.run_id, s.step_key, s.contact_point,
       s.profile_id, s.channel, s.class, s.purpose, s.content_id, s.state, s.reason, s.attempts,
       s.not_before, s.not_after, s.wire_at, s.settled_at
FROM broadcast_send s

-- name: warehouse_participants
-- Whom a campaign drew, into which group, how long what they do counts, and what share was to be
-- held out, which do not change any more once somebody is drawn.
SELECT p.campaign_id || ':' || p.profile_id AS participant_id, p.campaign_id, p.profile_id, p.arm,
       p.assigned_at, round(c.window_days * 86400)::bigint AS window_seconds,
       round(c.holdout_rate * 1000000)::bigint AS held_rate_micro
FROM broadcast_participant p JOIN broadcast_campaign c ON c.id = p.campaign_id,
     (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE %(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
   OR age(p.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid)

-- name: warehouse_all_participants
SELECT p.campaign_id || ':' || p.profile_id AS participant_id, p.campaign_id, p.profile_id, p.arm,
       p.assigned_at, round(c.window_days * 86400)::bigint AS window_seconds,
       round(c.holdout_rate * 1000000)::bigint AS held_rate_micro
FROM broadcast_participant p JOIN broadcast_campaign c ON c.id = p.campaign_id
