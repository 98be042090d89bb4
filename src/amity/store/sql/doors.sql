-- name: doors_latest
SELECT message_id, body FROM store_event_log ORDER BY id DESC LIMIT %s
