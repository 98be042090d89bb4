-- The restore fence (rule D53) and the panic stop.

-- name: fence_read
SELECT f.epoch, f.is_stopped, f.changed_by, f.changed_at, f.copied_at, p.last_value,
       (SELECT system_identifier FROM pg_control_system())
FROM broadcast_fence f CROSS JOIN broadcast_progress p

-- name: fence_note_copy
UPDATE broadcast_fence SET copied_at = %(now)s WHERE copied_at IS NULL

-- name: fence_lock
SELECT epoch FROM broadcast_fence FOR UPDATE

-- name: fence_arm
UPDATE broadcast_fence SET epoch = %(epoch)s, copied_at = NULL, changed_by = %(by)s, changed_at = %(now)s

-- name: fence_stop
UPDATE broadcast_fence SET is_stopped = %(is_stopped)s, changed_by = %(by)s, changed_at = %(now)s

-- name: fence_waiting
-- What would leave, and of that what was planned before `before`.
SELECT count(*), count(*) FILTER (WHERE planned_at < %(before)s)
FROM broadcast_send WHERE state IN ('queued', 'claimed')

-- name: fence_expire
-- Planned before the copy was made: the original may have sent it.
UPDATE broadcast_send
SET state = 'expired', reason = 'restored', settled_at = %(now)s
WHERE state IN ('queued', 'claimed') AND planned_at < %(before)s

-- name: fence_doubt
-- On the wire when the copy was made: nobody knows.
UPDATE broadcast_send
SET state = 'unknown', reason = 'no_reply', settled_at = %(now)s, lease_until = NULL
WHERE state = 'wire'

-- name: fence_free
UPDATE broadcast_send SET state = 'queued', owner = '', token = token + 1, lease_until = NULL
WHERE state = 'claimed'
