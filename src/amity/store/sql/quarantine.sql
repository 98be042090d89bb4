-- name: quarantine_events
INSERT INTO store_quarantine AS q
    (received_at, source_id, type, message_id, sent_at, reason, detail, raw, content_hash, seen)
SELECT %s, n.* FROM unnest(%s::integer[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
                           %s::text[], %s::bytea[], %s::bytea[], %s::integer[]) AS n
ON CONFLICT (source_id, content_hash) WHERE replayed_at IS NULL
DO UPDATE SET seen = q.seen + excluded.seen

-- name: list_quarantine
SELECT q.id, q.received_at, q.source_id, s.name, q.type, q.message_id, q.reason, q.detail, q.raw,
       q.seen, q.replayed_at, q.outcome
FROM store_quarantine q JOIN store_source s ON s.id = q.source_id
WHERE (%(source_id)s::integer IS NULL OR q.source_id = %(source_id)s)
  AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
  AND (%(since)s::timestamptz IS NULL OR q.received_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR q.received_at < %(until)s)
  AND (%(text)s::bytea IS NULL OR position(%(text)s::bytea IN q.raw) > 0
       OR position(convert_from(%(text)s::bytea, 'UTF8') IN q.detail) > 0)
  AND (%(events)s::bytea[] IS NULL OR EXISTS (
        SELECT FROM unnest(%(events)s::bytea[]) AS n (name) WHERE position(n.name IN q.raw) > 0))
  AND (%(before)s::bigint IS NULL OR q.id < %(before)s)
  AND (NOT %(open_only)s OR q.replayed_at IS NULL)
ORDER BY q.id DESC LIMIT %(limit)s

-- name: count_matching_quarantine
SELECT count(*) FROM store_quarantine q
WHERE (%(source_id)s::integer IS NULL OR q.source_id = %(source_id)s)
  AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
  AND (%(since)s::timestamptz IS NULL OR q.received_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR q.received_at < %(until)s)
  AND (%(text)s::bytea IS NULL OR position(%(text)s::bytea IN q.raw) > 0
       OR position(convert_from(%(text)s::bytea, 'UTF8') IN q.detail) > 0)
  AND (%(events)s::bytea[] IS NULL OR EXISTS (
        SELECT FROM unnest(%(events)s::bytea[]) AS n (name) WHERE position(n.name IN q.raw) > 0))
  AND q.replayed_at IS NULL

-- name: discard_quarantine
-- The bytes go at once; that there was something, and who threw it away, stays for a while.
UPDATE store_quarantine SET replayed_at = %(now)s, outcome = %(outcome)s, raw = ''::bytea, detail = '',
    message_id = '', content_hash = ''::bytea
WHERE replayed_at IS NULL AND id = ANY (%(ids)s)

-- name: find_quarantined
SELECT q.id, q.received_at, q.source_id, s.name, q.type, q.message_id, q.reason, q.detail, q.raw,
       q.seen, q.replayed_at, q.outcome
FROM store_quarantine q JOIN store_source s ON s.id = q.source_id
WHERE q.source_id = %(source_id)s AND q.received_at > %(since)s::timestamptz
  AND (%(after)s::bigint IS NULL OR q.id > %(after)s)
ORDER BY q.id DESC LIMIT %(limit)s

-- name: count_quarantine
SELECT reason, count(*) FROM store_quarantine WHERE replayed_at IS NULL
GROUP BY reason ORDER BY count(*) DESC, reason

-- name: lock_quarantine
SELECT id, source_id, type, message_id, sent_at, raw, seen FROM store_quarantine
WHERE replayed_at IS NULL AND id > %(after)s
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: close_quarantine
UPDATE store_quarantine SET replayed_at = now(), outcome = %s WHERE id = %s

-- name: note_quarantine
UPDATE store_quarantine SET reason = %s, detail = %s, outcome = 'tried again ' || now()::text
WHERE id = %s
