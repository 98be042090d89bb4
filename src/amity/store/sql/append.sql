-- Writing to the event log. The trigger store_event_written claims the message ids and counts.

-- name: copy_events
COPY store_event_log (received_at, source_id, type, message_id, message_key, payload_hash,
                      sent_at, body) FROM STDIN (FORMAT BINARY)

-- name: find_keys
SELECT k.source_id, k.message_key, k.payload_hash
FROM unnest(%s::integer[], %s::uuid[]) AS wanted (source_id, message_key)
JOIN store_event_key k USING (source_id, message_key)

-- name: add_counts
INSERT INTO store_counter AS c (day, source_id, slot, duplicate, quarantined, refused)
SELECT (now() AT TIME ZONE 'UTC')::date, source_id, pg_backend_pid() & 63,
       sum(duplicate), sum(quarantined), sum(refused)
FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS n (source_id, duplicate, quarantined, refused)
GROUP BY source_id ORDER BY source_id
ON CONFLICT (day, source_id, slot) DO UPDATE SET
    duplicate = c.duplicate + excluded.duplicate,
    quarantined = c.quarantined + excluded.quarantined,
    refused = c.refused + excluded.refused

-- name: ensure_partition
SELECT store_ensure_partition(%s)

-- name: ensure_partitions
SELECT store_ensure_partitions(7)

-- name: database_time
SELECT clock_timestamp()

-- name: log_lag
-- How long the oldest event the fold has not taken yet has been waiting. Two days are looked at,
-- so that the answer costs the same however long the log is.
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waiting.received_at)), 0)::float8
FROM store_consumer c CROSS JOIN LATERAL (
    SELECT l.received_at FROM store_event_log l
    WHERE (l.xid, l.id) > (c.xid, c.event_id) AND l.received_at > now() - interval '2 days'
    ORDER BY l.xid, l.id LIMIT 1
) waiting
WHERE c.name = 'profiles'

-- name: list_keys
SELECT id, name, kind, write_key, is_enabled, created_at FROM store_source WHERE kind <> 'system'

-- name: newest_events
-- The cursor of an event that is newer than a transaction still running stays before that one, so
-- that following it misses nothing; what was seen already may then come once more.
SELECT l.id, CASE WHEN l.xid < pg_snapshot_xmin(pg_current_snapshot()) THEN l.xid || '-' || l.id
                  ELSE pg_snapshot_xmin(pg_current_snapshot()) || '-0' END, l.received_at, l.source_id, s.name, l.type, l.message_id, l.body
FROM store_event_log l JOIN store_source s ON s.id = l.source_id
WHERE l.received_at > now() - interval '2 days' AND (%(source_id)s::integer IS NULL OR l.source_id = %(source_id)s)
ORDER BY l.xid DESC, l.id DESC LIMIT %(limit)s

-- name: events_after
SELECT l.id, l.xid || '-' || l.id, l.received_at, l.source_id, s.name, l.type, l.message_id, l.body
FROM store_event_log l JOIN store_source s ON s.id = l.source_id
WHERE (l.xid, l.id) > (%(xid)s::xid8, %(event_id)s)
  AND l.xid < pg_snapshot_xmin(pg_current_snapshot())
  AND l.received_at > now() - interval '2 days'
  AND (%(source_id)s::integer IS NULL OR l.source_id = %(source_id)s)
ORDER BY l.xid, l.id LIMIT %(limit)s
