-- What the store does by itself from time to time.

-- name: tomorrow_is_ready
SELECT to_regclass(format('store_event_log_%s',
    to_char((now() AT TIME ZONE 'UTC') + interval '1 day', 'YYYYMMDD'))) IS NOT NULL

-- name: log_is_ahead
SELECT EXISTS (SELECT FROM store_event_log WHERE xid > pg_current_xact_id())
