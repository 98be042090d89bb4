-- Data requests: what customers ask for about their data, what was done, the copies made for them.

-- name: requests_insert
INSERT INTO store_request (kind, profile_id, address, address_key, came_by, jurisdiction, state,
                           verified_by, wish, received_at, due_at, created_by)
VALUES (%(kind)s, %(profile_id)s, %(address)s, %(address_key)s, %(came_by)s, %(jurisdiction)s,
        %(state)s, %(verified_by)s, %(wish)s, %(received_at)s, %(due_at)s, %(by)s)
ON CONFLICT (profile_id, kind) WHERE profile_id IS NOT NULL AND closed_at IS NULL DO NOTHING
RETURNING id

-- name: requests_read
SELECT id, kind, profile_id, address, address_key, came_by, jurisdiction, state, verified_by, wish,
       received_at, due_at, is_extended, closed_at, outcome, created_by, receipt_id::text
FROM store_request WHERE id = %s

-- name: requests_lock
SELECT id, kind, profile_id, address, address_key, came_by, jurisdiction, state, verified_by, wish,
       received_at, due_at, is_extended, closed_at, outcome, created_by, receipt_id::text
FROM store_request WHERE id = %s FOR UPDATE

-- name: requests_page
-- What is open comes first, by its deadline; then what is closed, the latest first.
SELECT id, kind, profile_id, address, address_key, came_by, jurisdiction, state, verified_by, wish,
       received_at, due_at, is_extended, closed_at, outcome, created_by, receipt_id::text
FROM store_request
WHERE (%(kind)s = '' OR kind = %(kind)s)
  AND (%(state)s = '' OR state = %(state)s OR (%(state)s = 'open' AND closed_at IS NULL))
  AND (%(due)s = '' OR (closed_at IS NULL AND due_at < CASE %(due)s
        WHEN 'overdue' THEN %(now)s::timestamptz ELSE %(soon)s::timestamptz END))
  AND (%(profiles)s::bigint[] IS NULL OR profile_id = ANY (%(profiles)s))
  AND (%(number)s::bigint IS NULL OR id = %(number)s OR profile_id = %(number)s)
  AND (%(search)s = '' OR position(lower(%(search)s) IN lower(address)) > 0
       OR profile_id = ANY (%(found)s::bigint[]))
  AND (%(after_rank)s::bigint IS NULL OR (
        CASE WHEN closed_at IS NULL THEN extract(epoch FROM due_at)::bigint
             ELSE 100000000000 - extract(epoch FROM closed_at)::bigint END, id)
        > (%(after_rank)s, %(after_id)s))
ORDER BY CASE WHEN closed_at IS NULL THEN extract(epoch FROM due_at)::bigint
              ELSE 100000000000 - extract(epoch FROM closed_at)::bigint END, id
LIMIT %(limit)s

-- name: requests_due
SELECT count(*) FILTER (WHERE due_at < %(now)s), count(*) FILTER (WHERE due_at < %(soon)s), count(*)
FROM store_request WHERE closed_at IS NULL

-- name: requests_open_of
SELECT id FROM store_request WHERE profile_id = ANY (%s::bigint[]) AND kind = %s AND closed_at IS NULL

-- name: requests_unconfirmed
SELECT r.id FROM store_request r
WHERE r.profile_id = %(id)s AND r.kind = %(kind)s AND r.state = 'verifying'
  AND r.came_by = 'preference_page'
  AND (SELECT max(s.at) FROM store_request_step s
       WHERE s.request_id = r.id AND s.what = 'asked_to_confirm') < %(before)s

-- name: requests_change
UPDATE store_request
SET state = %(state)s, profile_id = %(profile_id)s, address = %(address)s,
    verified_by = %(verified_by)s, due_at = %(due_at)s, is_extended = %(is_extended)s,
    closed_at = %(closed_at)s, outcome = %(outcome)s
WHERE id = %(id)s

-- name: requests_step
INSERT INTO store_request_step (request_id, at, by, what, words) VALUES (%s, %s, %s, %s, %s)

-- name: requests_steps
SELECT at, by, what, words FROM store_request_step WHERE request_id = %s ORDER BY id

-- name: requests_steps_of
SELECT r.id AS request_id, s.at, s.what, s.words
FROM store_request r JOIN store_request_step s ON s.request_id = r.id
WHERE r.profile_id = ANY (%(ids)s::bigint[])

-- name: requests_copies_of
SELECT c.* FROM store_request r JOIN store_request_copy c ON c.request_id = r.id
WHERE r.profile_id = ANY (%(ids)s::bigint[])

-- name: requests_copy_ask
INSERT INTO store_request_copy (request_id, asked_at)
SELECT %(id)s, %(now)s WHERE NOT EXISTS (
    SELECT FROM store_request_copy WHERE request_id = %(id)s AND state IN ('waiting', 'running'))
RETURNING id

-- name: requests_copy
SELECT id, request_id, state, asked_at, begun_at, made_at, expires_at, bytes, sha256, rows, fetched,
       failure
FROM store_request_copy WHERE request_id = %s ORDER BY id DESC LIMIT 1

-- name: requests_copy_claim
-- One whose process died is begun again after an hour.
UPDATE store_request_copy SET state = 'running', begun_at = %(now)s
WHERE id = (SELECT c.id FROM store_request_copy c
            WHERE c.state = 'waiting'
               OR (c.state = 'running' AND c.begun_at < %(now)s::timestamptz - interval '1 hour')
            ORDER BY c.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, request_id

-- name: requests_copy_made
UPDATE store_request_copy
SET state = 'ready', made_at = %(now)s, expires_at = %(until)s, bytes = %(bytes)s,
    sha256 = %(sha256)s, rows = %(rows)s
WHERE id = %(id)s AND state = 'running' RETURNING request_id

-- name: requests_copy_failed
UPDATE store_request_copy SET state = 'failed', failure = %(failure)s
WHERE id = %(id)s AND state = 'running' RETURNING request_id

-- name: requests_copy_fetch
-- The row is what counts how often: two at once do not both get the last one.
UPDATE store_request_copy SET fetched = fetched + 1
WHERE request_id = %(id)s AND state = 'ready' AND expires_at > %(now)s AND fetched < %(most)s
RETURNING id

-- name: requests_copies_over
UPDATE store_request_copy SET state = 'deleted'
WHERE state = 'ready' AND expires_at <= %s RETURNING id, request_id

-- name: requests_erase_copies
UPDATE store_request_copy c SET state = 'deleted', sha256 = '', failure = ''
FROM store_request r
WHERE r.id = c.request_id AND (r.profile_id = ANY (%(ids)s::bigint[])
                               OR lower(r.address) = ANY (%(words)s::text[]))
RETURNING c.id

-- name: requests_erase_steps
UPDATE store_request_step s SET words = ''
FROM store_request r
WHERE r.id = s.request_id AND (r.profile_id = ANY (%(ids)s::bigint[])
                               OR lower(r.address) = ANY (%(words)s::text[]))

-- name: requests_erase
-- What stays says that somebody asked and that it was done; of whom it was, the receipt's hashes.
WITH hers AS (
    SELECT id, closed_at IS NULL AS was_open FROM store_request
    WHERE profile_id = ANY (%(ids)s::bigint[]) OR lower(address) = ANY (%(words)s::text[])
), told AS (
    INSERT INTO store_request_step (request_id, at, by, what)
    SELECT id, %(now)s, %(by)s, 'erased' FROM hers WHERE was_open
)
UPDATE store_request r
SET profile_id = NULL, address = '', address_key = '', wish = '', outcome = '',
    receipt_id = coalesce(r.receipt_id, %(receipt_id)s),
    state = CASE WHEN h.was_open THEN 'done' ELSE r.state END,
    closed_at = coalesce(r.closed_at, %(now)s)
FROM hers h WHERE h.id = r.id

-- name: requests_events
-- What she sent and what was recorded of her, as it lies in the log.
SELECT a.occurred_at, l.received_at, s.name AS source, l.type, a.name, l.message_id,
       convert_from(l.body, 'UTF8') AS body
FROM store_activity a
JOIN store_event_log l ON l.id = a.event_id AND l.received_at = a.received_at
JOIN store_source s ON s.id = l.source_id
WHERE a.profile_id = ANY (%(ids)s::bigint[]) AND (NOT %(own)s OR l.source_id <> 1)

-- name: requests_quarantine
SELECT q.received_at, s.name AS source, q.type, q.message_id, q.sent_at, q.reason, q.detail, q.raw
FROM store_quarantine q JOIN store_source s ON s.id = q.source_id
WHERE EXISTS (
    SELECT FROM unnest(%(needles)s::text[]) AS n (needle)
    WHERE position(n.needle IN lower(encode(q.raw, 'escape'))) > 0)

-- name: requests_contact_points
SELECT channel, suppression, suppressed_at, objections, statements FROM store_contact_point
WHERE (channel, address_key) IN (SELECT * FROM unnest(%(channels)s::text[], %(keys)s::text[]))

-- name: requests_claims
SELECT * FROM store_claim WHERE origin_id = ANY (%(ids)s::bigint[]) AND (NOT %(own)s OR how <> 'inferred')

-- name: requests_consents
SELECT record_id, origin_id, subject, event_id, purpose, channel, basis, jurisdiction, status,
       event_time, recorded_time, method, notice, notice_sha256, source_id, evidence,
       evidence_sha256, expires_at, recipients, prev_hash, hash, seal
FROM store_consent WHERE origin_id = ANY (%(ids)s::bigint[])
