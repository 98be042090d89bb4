-- Forgetting what is too old, in slices.

-- name: retain_mailbox
-- Rows rise with time, so the oldest lie together.
WITH oldest AS MATERIALIZED (
    SELECT m.id FROM broadcast_mailbox m ORDER BY m.id LIMIT %(limit)s
), gone AS (
    DELETE FROM broadcast_mailbox m USING oldest
    WHERE m.id = oldest.id AND m.received_at < %(before)s
    RETURNING m.received_at AS at, pg_column_size(m.*) AS size
)
SELECT count(*), coalesce(sum(size), 0)::bigint, min(at), max(at) FROM gone

-- name: retain_mailbox_count
SELECT count(*), coalesce(sum(pg_column_size(m.*)), 0)::bigint, min(m.received_at), max(m.received_at)
FROM broadcast_mailbox m WHERE m.received_at < %(before)s

-- name: retain_sends_count
SELECT count(*), coalesce(sum(pg_column_size(s.*)), 0)::bigint, min(s.settled_at), max(s.settled_at)
FROM broadcast_send s
WHERE s.planned_at < %(before)s AND s.settled_at < %(before)s
  AND s.state IN ('sent', 'failed', 'unknown', 'suppressed', 'cancelled', 'expired')

-- name: retain_sends
-- The next slice after `after`: what was settled long ago and whose run is over goes. A campaign is
-- over when it ended, a journey for somebody when their way ended, all else when it was sent. The
-- campaign says that its figures are no longer whole.
WITH slice AS MATERIALIZED (
    SELECT s.id, s.planned_at, s.state, s.settled_at, s.run_kind, s.run_id,
           CASE WHEN s.run_kind = 'journey' AND s.step_key ~ '^[0-9]{1,18}:'
                THEN split_part(s.step_key, ':', 1)::bigint END AS way
    FROM broadcast_send s
    WHERE s.planned_at < %(before)s AND (s.planned_at, s.id) > (%(at)s, %(after)s::uuid)
    ORDER BY s.planned_at, s.id LIMIT %(limit)s
), old AS MATERIALIZED (
    SELECT c.id, c.run_kind, c.run_id FROM slice c
    WHERE c.settled_at < %(before)s
      AND c.state IN ('sent', 'failed', 'unknown', 'suppressed', 'cancelled', 'expired')
      AND NOT EXISTS (SELECT FROM broadcast_campaign r
                      WHERE c.run_kind = 'campaign' AND r.id = c.run_id
                        AND r.state NOT IN ('finished', 'stopped', 'archived'))
      AND NOT EXISTS (SELECT FROM broadcast_enrolment e
                      WHERE e.id = c.way AND e.ended_at IS NULL)
), gone AS (
    DELETE FROM broadcast_send s USING old WHERE s.id = old.id
    RETURNING s.settled_at AS at, pg_column_size(s.*) AS size
), told AS (
    UPDATE broadcast_campaign r SET note = concat_ws(' ', nullif(r.note, ''), %(note)s)
    WHERE r.id IN (SELECT run_id FROM old WHERE run_kind = 'campaign')
      AND position(%(note)s IN r.note) = 0
)
SELECT l.planned_at, l.id, g.*
FROM (SELECT count(*), coalesce(sum(size), 0)::bigint, min(at), max(at) FROM gone) AS g,
     (SELECT planned_at, id FROM slice ORDER BY planned_at DESC, id DESC LIMIT 1) AS l
