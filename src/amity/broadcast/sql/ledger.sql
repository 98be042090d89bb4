-- The send ledger (rules D18, D19): queue, claim, settle, and what happens to what was left behind.
-- The way onto the wire is in gate.sql, and nowhere else.

-- name: ledger_queue
-- What is there already stays as it is: the key says what a message is. One JSON document is far
-- quicker to write than an array a column.
INSERT INTO broadcast_send (run_kind, run_id, step_key, contact_point, profile_id, channel, class,
    purpose, content_id, variables, test_address, state, reason, priority, planned_at, not_before,
    not_after, settled_at)
SELECT g.run_kind, g.run_id, g.step_key, g.contact_point, g.profile_id, g.channel,
       g.message_class, g.purpose, g.content_id, g.variables, g.test_address,
       CASE WHEN g.reason = '' THEN 'queued' ELSE 'suppressed' END, g.reason, g.priority,
       g.planned_at, g.not_before, g.not_after, CASE WHEN g.reason <> '' THEN g.planned_at END
FROM jsonb_to_recordset(%s::text::jsonb)
     AS g (run_kind text, run_id bigint, step_key text, contact_point text, profile_id bigint,
           channel text, message_class text, purpose text, content_id bigint, variables jsonb,
           test_address text, reason text, priority smallint, planned_at timestamptz,
           not_before timestamptz, not_after timestamptz)
ON CONFLICT DO NOTHING

-- name: ledger_claim
-- The next messages of the runs that are under way, and those whose sender has fallen silent.
-- What is claimed is nobody else's until the lease is over; what is too late says so at once.
WITH runs AS MATERIALIZED (
    SELECT 'campaign' AS run_kind, id::bigint AS run_id FROM broadcast_campaign
    WHERE state IN ('targeting', 'sending')
    UNION ALL SELECT 'journey', id FROM broadcast_journey WHERE state = 'live'
    UNION ALL VALUES ('test', 0), ('service', 0)
), due AS (
    SELECT d.id FROM runs r CROSS JOIN LATERAL (
        SELECT s.id, s.priority, s.not_before FROM broadcast_send s
        WHERE s.run_kind = r.run_kind AND s.run_id = r.run_id AND s.state = 'queued'
          AND s.not_before <= clock_timestamp()
        ORDER BY s.not_before LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) AS d
    ORDER BY d.priority, d.not_before LIMIT %(limit)s
), lapsed AS (
    -- No lease reaches further than its length: one that does is of a clock that was put back.
    SELECT id FROM broadcast_send
    WHERE state = 'claimed' AND (lease_until < clock_timestamp()
        OR lease_until > clock_timestamp() + 2 * %(lease_seconds)s * interval '1 second')
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), verdict AS (
    SELECT s.id, CASE WHEN s.not_after <= clock_timestamp() THEN 'expired'
                      WHEN s.crashes >= %(most_crashes)s THEN 'failed' ELSE 'claimed' END AS state
    FROM broadcast_send s WHERE s.id IN (SELECT id FROM due UNION ALL SELECT id FROM lapsed)
)
UPDATE broadcast_send s
SET state = v.state,
    reason = CASE v.state WHEN 'expired' THEN 'expired' WHEN 'failed' THEN 'crashed' ELSE '' END,
    settled_at = CASE WHEN v.state <> 'claimed' THEN clock_timestamp() END,
    owner = %(owner)s, token = s.token + 1, attempts = s.attempts + 1,
    crashes = s.crashes + (s.state = 'claimed')::integer,
    lease_until = clock_timestamp() + %(lease_seconds)s * interval '1 second'
FROM verdict v WHERE s.id = v.id
RETURNING s.state, s.id, s.token, s.run_kind, s.run_id, s.profile_id, s.channel, s.class, s.purpose,
          s.content_id, s.variables, s.test_address, s.attempts, s.planned_at

-- name: ledger_settle
-- Conditional on the token: whoever was taken for dead changes nothing any more. A reply that
-- comes after all still counts for a message that was given up as unknown.
UPDATE broadcast_send s
SET state = g.state, reason = g.reason, reply = g.reply,
    -- whoever was erased while her message was on its way leaves nothing behind
    subject = CASE WHEN p.id IS NULL THEN '' ELSE g.subject END,
    body_hash = CASE WHEN p.id IS NULL THEN NULL ELSE g.body_hash END,
    attempts = greatest(s.attempts - g.is_free::integer, 0),
    not_before = CASE WHEN g.state = 'queued' THEN
        least(clock_timestamp() + g.wait_seconds * interval '1 second', s.not_after)
        ELSE s.not_before END,
    settled_at = CASE WHEN g.state <> 'queued' THEN clock_timestamp() END,
    wire_at = CASE WHEN g.state = 'queued' THEN NULL ELSE s.wire_at END,
    lease_until = NULL
FROM unnest(%(ids)s::uuid[], %(tokens)s::integer[], %(states)s::text[], %(reasons)s::text[],
            %(replies)s::text[], %(subjects)s::text[], %(hashes)s::bytea[],
            %(waits)s::double precision[], %(free)s::boolean[])
     AS g (id, token, state, reason, reply, subject, body_hash, wait_seconds, is_free)
JOIN broadcast_send r ON r.id = g.id
LEFT JOIN store_profile p ON p.id = r.profile_id
WHERE s.id = g.id AND s.owner = %(owner)s AND s.token = g.token
  AND (s.state IN ('claimed', 'wire') OR s.state = 'unknown' AND g.state IN ('sent', 'failed'))
RETURNING s.id, p.id IS NOT NULL

-- name: ledger_heartbeat
UPDATE broadcast_send s
SET lease_until = clock_timestamp() + %(lease_seconds)s * interval '1 second'
FROM (SELECT id FROM broadcast_send
      WHERE id = ANY (%(ids)s::uuid[]) AND owner = %(owner)s AND state IN ('claimed', 'wire')
      FOR UPDATE SKIP LOCKED) AS held
WHERE s.id = held.id

-- name: ledger_reap
-- On the wire, and the sender fell silent: nobody knows, and nobody tries again by itself.
UPDATE broadcast_send s
SET state = 'unknown', reason = 'no_reply', settled_at = clock_timestamp(), lease_until = NULL
FROM (SELECT id FROM broadcast_send WHERE state = 'wire' AND lease_until < clock_timestamp()
      LIMIT 1000 FOR UPDATE SKIP LOCKED) AS lapsed
WHERE s.id = lapsed.id

-- name: ledger_retry
-- Rule D20: what is not promotion is tried once more, with the same Message-ID.
UPDATE broadcast_send s
SET state = 'queued', reason = 'no_reply', is_retried = true, settled_at = NULL, wire_at = NULL,
    not_before = clock_timestamp()
FROM (SELECT id FROM broadcast_send
      WHERE state = 'unknown' AND class <> 'marketing' AND run_kind <> 'test' AND NOT is_retried
        AND settled_at < clock_timestamp() - %(wait_seconds)s * interval '1 second'
        AND not_after > clock_timestamp()
      LIMIT 1000 FOR UPDATE SKIP LOCKED) AS doubtful
WHERE s.id = doubtful.id

-- name: ledger_sweep
-- What waits for nothing any more: too late, or its run is over.
UPDATE broadcast_send s
SET state = CASE WHEN late.is_over THEN 'cancelled' ELSE 'expired' END,
    reason = CASE WHEN late.is_over THEN 'stopped' ELSE 'expired' END,
    settled_at = clock_timestamp()
FROM (SELECT q.id, coalesce(c.state IN ('stopped', 'archived'), j.state = 'archived', false) AS is_over
      FROM broadcast_send q
      LEFT JOIN broadcast_campaign c ON q.run_kind = 'campaign' AND c.id = q.run_id
      LEFT JOIN broadcast_journey j ON q.run_kind = 'journey' AND j.id = q.run_id
      WHERE q.state = 'queued'
        AND (q.not_after <= clock_timestamp() OR c.state IN ('stopped', 'archived')
             OR j.state = 'archived')
      LIMIT 5000 FOR UPDATE OF q SKIP LOCKED) AS late
WHERE s.id = late.id

-- name: ledger_pause_run
-- A receiving server refuses what the whole run sends: nobody else is to get it until a person looked.
WITH campaign AS (
    UPDATE broadcast_campaign SET state = 'paused', note = %(note)s, updated_at = clock_timestamp()
    WHERE %(run_kind)s = 'campaign' AND id = %(run_id)s AND state IN ('targeting', 'sending')
    RETURNING 1
), journey AS (
    UPDATE broadcast_journey SET state = 'paused', updated_at = clock_timestamp()
    WHERE %(run_kind)s = 'journey' AND id = %(run_id)s AND state = 'live'
    RETURNING 1
)
SELECT (SELECT count(*) FROM campaign) + (SELECT count(*) FROM journey)

-- name: ledger_policy_refusals
SELECT count(*) FROM broadcast_send
WHERE run_kind = %(run_kind)s AND run_id = %(run_id)s AND state = 'failed' AND reason = 'policy'

-- name: ledger_counts
SELECT state, count(*) FROM broadcast_send GROUP BY state
