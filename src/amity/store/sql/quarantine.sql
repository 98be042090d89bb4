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
  AND (%(before)s::bigint IS NULL OR q.id < %(before)s)
  AND (NOT %(open_only)s OR q.replayed_at IS NULL)
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
