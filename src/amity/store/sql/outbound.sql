-- name: outbound_insert
INSERT INTO store_outbound (name, url, format, events, segment_ids, purpose, secret, created_by, since_event_id)
SELECT %(name)s, %(url)s, %(format)s, %(events)s, %(segment_ids)s::bigint[], %(purpose)s, ''::bytea, %(by)s,
       (SELECT last_value - (NOT is_called)::integer FROM store_event_id)
ON CONFLICT DO NOTHING RETURNING id

-- name: outbound_set_secret
UPDATE store_outbound
SET former_secret = CASE WHEN %(keep)s THEN secret END,
    former_until = CASE WHEN %(keep)s THEN now() + %(overlap)s * interval '1 second' END,
    secret = %(secret)s, updated_at = now()
WHERE id = %(id)s RETURNING id

-- name: outbound_read
SELECT id, name, url, format, events, segment_ids, purpose, state, state_reason, failures,
       CASE WHEN open_until > now() THEN open_until END,
       CASE WHEN former_until > now() THEN former_until END,
       last_success_at, delivered, withheld,
       (SELECT count(*) FROM store_delivery d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
       (SELECT count(*) FROM store_delivery d WHERE d.endpoint_id = e.id AND d.state = 'failed'),
       created_by, created_at
FROM store_outbound e
WHERE %(id)s::bigint IS NULL OR id = %(id)s
ORDER BY lower(name)

-- name: outbound_update
UPDATE store_outbound
SET name = %(name)s, url = %(url)s, format = %(format)s, events = %(events)s,
    segment_ids = %(segment_ids)s::bigint[], purpose = %(purpose)s,
    failures = CASE WHEN url = %(url)s THEN failures ELSE 0 END,
    open_until = CASE WHEN url = %(url)s THEN open_until END, updated_at = now()
WHERE id = %(id)s RETURNING id

-- name: outbound_set_state
-- What happened while it was disabled is not told when it is enabled again.
UPDATE store_outbound
SET since_event_id = CASE WHEN state = 'disabled' AND %(state)s <> 'disabled'
        THEN (SELECT last_value - (NOT is_called)::integer FROM store_event_id) ELSE since_event_id END,
    state = %(state)s, state_reason = %(reason)s, failures = 0, open_until = NULL, updated_at = now()
WHERE id = %(id)s RETURNING id

-- name: outbound_delete
DELETE FROM store_outbound WHERE id = %s RETURNING id

-- name: outbound_secrets
SELECT id, url, format, purpose, secret, CASE WHEN former_until > now() THEN former_secret END
FROM store_outbound WHERE id = ANY (%s)

-- name: outbound_match
-- Whom to tell of what: the pairs of a window of activities and the endpoints that want them.
SELECT e.id, e.purpose, a.event_id, a.position, a.profile_id, a.origin_id, a.name
FROM store_activity a
JOIN store_outbound e
  ON e.state <> 'disabled' AND a.event_id > e.since_event_id AND (a.name = ANY (e.events) OR '*' = ANY (e.events))
 AND (cardinality(e.segment_ids) = 0 OR a.name NOT IN ('Segment Entered', 'Segment Left')
      OR a.source_id <> 1 OR a.properties ->> 'segment_id' = ANY (e.segment_ids::text[]))
WHERE a.position > %(after)s AND a.position <= %(until)s
ORDER BY a.position, e.id

-- name: outbound_window
-- The last position of the next window; NULL when nothing is new.
SELECT max(w.position) FROM (
    SELECT position FROM store_activity WHERE position > %(after)s ORDER BY position LIMIT %(limit)s) w

-- name: outbound_has_any
SELECT EXISTS (SELECT FROM store_outbound WHERE state <> 'disabled'),
       (SELECT position FROM store_consumer WHERE name = 'profiles')

-- name: outbound_queue
INSERT INTO store_delivery (endpoint_id, event_id, position, origin_id, name)
SELECT * FROM unnest(%(endpoints)s::bigint[], %(events)s::bigint[], %(positions)s::bigint[],
                     %(origins)s::bigint[], %(names)s::text[])
ON CONFLICT (endpoint_id, event_id) DO NOTHING

-- name: outbound_queue_nobody
-- What is about no customer is in no activity: it is queued where it happens.
INSERT INTO store_delivery (endpoint_id, event_id, position, origin_id, name)
SELECT o.id, n.event_id, 0, 0, %(name)s
FROM unnest(%(events)s::bigint[]) AS n (event_id), store_outbound o
WHERE o.state <> 'disabled' AND n.event_id > o.since_event_id
  AND (%(name)s = ANY (o.events) OR '*' = ANY (o.events))
ON CONFLICT (endpoint_id, event_id) DO NOTHING

-- name: outbound_count_withheld
UPDATE store_outbound e SET withheld = withheld + w.amount
FROM unnest(%s::bigint[], %s::bigint[]) AS w (id, amount) WHERE e.id = w.id

-- name: outbound_claim
-- Up to a few of each endpoint whose circuit is closed; one where it has just been open. The rows of
-- those taken by somebody else are passed over, not waited for.
WITH due AS (
    SELECT d.id
    FROM (SELECT e.id, CASE WHEN e.failures >= %(most_failures)s THEN 1
                  ELSE least(%(each)s, %(most_failures)s - e.failures) END - (
              SELECT count(*) FROM store_delivery b
              WHERE b.endpoint_id = e.id AND b.state = 'waiting' AND b.leased_until > now()) AS room
          FROM store_outbound e
          WHERE e.state = 'enabled' AND (e.open_until IS NULL OR e.open_until <= now())) e
    CROSS JOIN LATERAL (
        SELECT b.id, b.next_at FROM store_delivery b
        WHERE b.endpoint_id = e.id AND b.state = 'waiting' AND b.next_at <= now()
          AND (b.leased_until IS NULL OR b.leased_until <= now())
        ORDER BY b.next_at LIMIT greatest(e.room, 0)
        FOR UPDATE SKIP LOCKED) d
    ORDER BY d.next_at LIMIT %(limit)s
)
UPDATE store_delivery d
SET owner = %(owner)s, token = token + 1, attempts = attempts + 1,
    leased_until = now() + %(lease)s * interval '1 second'
FROM due WHERE d.id = due.id
RETURNING d.id, d.endpoint_id, d.event_id, d.position, d.origin_id, d.token, d.attempts

-- name: outbound_contents
-- By position, which is quick; after an erasure and a rebuild an event has another one, and is then
-- found through the profile it belongs to by now.
WITH RECURSIVE wanted AS (
    SELECT * FROM unnest(%(events)s::bigint[], %(positions)s::bigint[], %(origins)s::bigint[])
        AS w (event_id, position, origin_id)
), found AS (
    SELECT a.* FROM wanted w JOIN store_activity a ON a.position = w.position AND a.event_id = w.event_id
), up AS (
    SELECT w.event_id, p.id, p.merged_into FROM wanted w JOIN store_profile p ON p.id = w.origin_id
    WHERE w.event_id NOT IN (SELECT event_id FROM found)
    UNION
    SELECT u.event_id, p.id, p.merged_into FROM up u JOIN store_profile p ON p.id = u.merged_into
), contents AS (
    SELECT * FROM found
    UNION ALL
    SELECT a.* FROM up u JOIN store_activity a ON a.profile_id = u.id AND a.event_id = u.event_id
    WHERE u.merged_into IS NULL
)
SELECT c.event_id, c.profile_id, p.user_id, c.source_id, c.occurred_at, c.type, c.name, c.properties
FROM contents c LEFT JOIN store_profile p ON p.id = c.profile_id
UNION ALL
-- that somebody was erased is in no activity: nothing of them is
SELECT e.event_id, NULL, NULL, 1, e.erased_at, 'track', 'Customer Erased', jsonb_build_object(
    'subject', e.receipt::jsonb -> 'subject', 'profile_ids', to_jsonb(e.profile_ids))
FROM store_erasure e JOIN wanted w ON w.event_id = e.event_id
UNION ALL
-- nor are alerts about sources, which are about nobody
SELECT w.event_id, NULL, NULL, 1, t.at, 'track', t.name, jsonb_build_object(
    'alert_id', a.id, 'source_id', a.source_id, 'source_name', s.name, 'rule', a.rule, 'words', a.words,
    'opened_at', a.opened_at) || t.more
FROM wanted w
JOIN store_alert a ON a.raised_event_id = w.event_id OR a.closed_event_id = w.event_id
JOIN store_source s ON s.id = a.source_id
CROSS JOIN LATERAL (
    SELECT a.opened_at AS at, 'Source Alert Raised' AS name, '{}'::jsonb AS more WHERE a.raised_event_id = w.event_id
    UNION ALL
    SELECT a.closed_at, 'Source Alert Closed', jsonb_build_object('closed_at', a.closed_at, 'reason', a.closed_why)
    WHERE a.closed_event_id = w.event_id) t

-- name: outbound_is_ready
-- Not while the projections are being rebuilt: what is not there then is not gone.
SELECT (SELECT position FROM store_consumer WHERE name = 'outbound')
    <= (SELECT position FROM store_consumer WHERE name = 'profiles')

-- name: outbound_settle
-- A settlement counts for the claim it belongs to; whoever took the row since then settles it.
UPDATE store_delivery d
SET state = v.state, last_status = v.status, last_error = v.error, last_reply = v.reply,
    next_at = now() + v.delay * interval '1 second', owner = '', leased_until = NULL,
    finished_at = CASE WHEN v.state = 'waiting' THEN NULL ELSE now() END
FROM unnest(%(ids)s::bigint[], %(tokens)s::integer[], %(states)s::text[], %(statuses)s::integer[],
            %(errors)s::text[], %(replies)s::text[], %(delays)s::float8[])
     AS v (id, token, state, status, error, reply, delay)
WHERE d.id = v.id AND d.token = v.token AND d.state = 'waiting' AND d.leased_until IS NOT NULL
RETURNING d.id, d.state

-- name: outbound_note
-- What one turn means for an endpoint: a success closes its circuit, failures in a row open it, each
-- time for twice as long.
UPDATE store_outbound
SET failures = CASE WHEN %(successes)s > 0 THEN 0 ELSE failures + %(failures)s END,
    open_until = CASE
        WHEN %(successes)s > 0 THEN NULL
        WHEN %(failures)s > 0 AND failures + %(failures)s >= %(most_failures)s
        THEN now() + least(%(longest)s, %(first)s * power(2, least(10, failures + %(failures)s - %(most_failures)s)))
             * interval '1 second'
        ELSE open_until END,
    last_success_at = CASE WHEN %(successes)s > 0 THEN now() ELSE last_success_at END,
    delivered = delivered + %(successes)s, withheld = withheld + %(withheld)s,
    state = CASE WHEN %(is_gone)s THEN 'disabled'
        WHEN %(is_given_up)s AND %(successes)s = 0 AND state = 'enabled' THEN 'paused' ELSE state END,
    state_reason = CASE WHEN %(is_gone)s THEN 'it answered 410: it wants nothing more'
        WHEN %(is_given_up)s AND %(successes)s = 0 AND state = 'enabled'
        THEN 'nothing got through in more than three days' ELSE state_reason END
WHERE id = %(id)s

-- name: outbound_list
SELECT d.id, d.endpoint_id, d.event_id, d.name, d.state, d.attempts, d.next_at, d.last_status,
       d.last_error, d.last_reply, d.created_at, d.finished_at,
       coalesce(d.leased_until > now(), false)
FROM store_delivery d
WHERE d.endpoint_id = %(endpoint_id)s AND (%(state)s = '' OR d.state = %(state)s)
  AND (%(name)s = '' OR d.name = %(name)s) AND (%(before)s::bigint IS NULL OR d.id < %(before)s)
ORDER BY d.id DESC LIMIT %(limit)s

-- name: outbound_replay
-- With the same id as before: who has it already may leave it out.
UPDATE store_delivery
SET state = 'waiting', attempts = 0, next_at = now(), finished_at = NULL, owner = '',
    leased_until = NULL, last_error = ''
WHERE endpoint_id = %(endpoint_id)s
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
  AND (state = ANY (%(states)s) OR (state = 'waiting' AND coalesce(leased_until <= now(), true) AND next_at > now()))

-- name: outbound_erase
DELETE FROM store_delivery WHERE origin_id = ANY (%s::bigint[])
