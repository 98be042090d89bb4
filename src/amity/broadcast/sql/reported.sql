-- name: reported_send
SELECT contact_point, subject, test_address <> '' FROM broadcast_send WHERE id = %s

-- name: reported_failed
-- Only of what was taken for sent, or is doubtful: a second report changes nothing.
UPDATE broadcast_send SET state = 'failed', reason = %(reason)s, reply = left(%(reply)s, 500)
WHERE id = %(id)s AND state IN ('sent', 'unknown') RETURNING id
