-- What the store does by itself from time to time.

-- name: forget_keys
DELETE FROM store_event_key
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM store_event_key
    WHERE received_at < now() - make_interval(days => %s) LIMIT 20000))

-- name: forget_quarantine
DELETE FROM store_quarantine WHERE received_at < now() - make_interval(days => %s)

-- name: tomorrow_is_ready
SELECT to_regclass(format('store_event_log_%s',
    to_char((now() AT TIME ZONE 'UTC') + interval '1 day', 'YYYYMMDD'))) IS NOT NULL

-- name: log_is_ahead
SELECT EXISTS (SELECT FROM store_event_log WHERE xid > pg_current_xact_id())
