-- The ledger as people read it: lists, one message, what was held back, what somebody found out.

-- name: messages_list
SELECT s.id, s.run_kind, s.run_id, coalesce(c.name, j.name, ''), s.profile_id, s.channel, s.class,
       s.purpose, s.content_id, s.state, s.reason, s.reply, s.subject, s.attempts, s.planned_at,
       s.not_before, s.not_after, s.wire_at, s.settled_at
FROM broadcast_send s
LEFT JOIN broadcast_campaign c ON s.run_kind = 'campaign' AND c.id = s.run_id
LEFT JOIN broadcast_journey j ON s.run_kind = 'journey' AND j.id = s.run_id
WHERE (%(run_kind)s::text IS NULL OR s.run_kind = %(run_kind)s)
  AND (%(run_id)s::bigint IS NULL OR s.run_id = %(run_id)s)
  AND (%(profile_ids)s::bigint[] IS NULL OR s.profile_id = ANY (%(profile_ids)s))
  AND (%(state)s::text IS NULL OR s.state = %(state)s)
  AND (%(send_id)s::uuid IS NULL OR s.id = %(send_id)s)
  AND (%(at)s::timestamptz IS NULL OR (s.planned_at, s.id) < (%(at)s, %(after)s::uuid))
ORDER BY s.planned_at DESC, s.id DESC LIMIT %(limit)s

-- name: messages_held
-- What a customer did not get: messages that were held back, and the groups that get none.
SELECT * FROM (
    SELECT coalesce(s.settled_at, s.planned_at) AS at, s.run_kind, s.run_id,
           coalesce(c.name, j.name, '') AS run_name, s.state AS kind, s.reason
    FROM broadcast_send s
    LEFT JOIN broadcast_campaign c ON s.run_kind = 'campaign' AND c.id = s.run_id
    LEFT JOIN broadcast_journey j ON s.run_kind = 'journey' AND j.id = s.run_id
    WHERE s.profile_id = ANY (%(profile_ids)s::bigint[])
      AND s.state IN ('suppressed', 'cancelled', 'expired') AND s.run_kind <> 'test'
    UNION ALL
    SELECT p.assigned_at, 'campaign', p.campaign_id, c.name, 'held_out', 'holdout'
    FROM broadcast_participant p JOIN broadcast_campaign c ON c.id = p.campaign_id
    WHERE p.profile_id = ANY (%(profile_ids)s::bigint[]) AND p.arm = 'holdout'
) AS held
ORDER BY at DESC LIMIT %(limit)s

-- name: messages_resolve
UPDATE broadcast_send
SET state = %(state)s, reason = 'resolved', reply = %(words)s, settled_at = %(now)s
WHERE id = %(send_id)s AND state = 'unknown'
RETURNING id, run_kind, run_id, profile_id, subject, test_address <> '', wire_at

-- name: messages_blank
-- Whoever was erased: nothing more leaves, and nothing of her stays in what was sent.
UPDATE broadcast_send
SET state = CASE WHEN state IN ('queued', 'claimed') THEN 'cancelled' ELSE state END,
    reason = CASE WHEN state IN ('queued', 'claimed') THEN 'erased' ELSE reason END,
    settled_at = CASE WHEN state IN ('queued', 'claimed') THEN clock_timestamp() ELSE settled_at END,
    lease_until = CASE WHEN state = 'claimed' THEN NULL ELSE lease_until END,
    variables = '{}', subject = '', reply = '', body_hash = NULL, test_address = ''
WHERE profile_id = ANY (%s)

-- name: messages_forget_participants
DELETE FROM broadcast_participant WHERE profile_id = ANY (%s)
