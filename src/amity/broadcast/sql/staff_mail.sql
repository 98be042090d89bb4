-- What became of messages to staff.

-- name: staff_mail_find
SELECT key, staff_id, subject, state, reply, wire_at, settled_at
FROM broadcast_staff_mail WHERE key = %s

-- name: staff_mail_list
SELECT key, staff_id, subject, state, reply, wire_at, settled_at
FROM broadcast_staff_mail WHERE key LIKE %(like)s
ORDER BY coalesce(settled_at, wire_at) DESC LIMIT %(limit)s

-- name: staff_mail_settle
-- Of the attempt that is under way, or of one that ended before it was on the wire.
INSERT INTO broadcast_staff_mail AS m (key, id, staff_id, subject, state, reply, settled_at)
VALUES (%(key)s, %(mail_id)s, %(staff_id)s, %(subject)s, %(state)s, %(reply)s, %(now)s)
ON CONFLICT (key) DO UPDATE
SET state = excluded.state, reply = excluded.reply, settled_at = excluded.settled_at
WHERE (m.state = 'wire' AND m.id = excluded.id) OR m.state = 'deferred'

-- name: staff_mail_doubt
-- Whoever handed it over is gone and never said what became of it.
UPDATE broadcast_staff_mail SET state = 'unknown', settled_at = %(now)s
WHERE key = %(key)s AND state = 'wire' AND wire_at < %(lost)s
