-- How long what is kept: rules, runs, and what the store itself forgets.

-- name: retention_rules
SELECT key, kind, names, source_id, keep_days, basis, reason, is_enabled, every_hours, set_by, set_at,
       next_run_at
FROM store_retention_rule ORDER BY key

-- name: retention_save
INSERT INTO store_retention_rule (key, kind, names, source_id, keep_days, basis, reason, is_enabled,
                                  every_hours, set_by, set_at)
VALUES (%(key)s, %(kind)s, %(names)s, %(source_id)s, %(keep_days)s, %(basis)s, %(reason)s,
        %(is_enabled)s, %(every_hours)s, %(by)s, %(now)s)
ON CONFLICT (key) DO UPDATE SET
    names = excluded.names, source_id = excluded.source_id, keep_days = excluded.keep_days,
    basis = excluded.basis, reason = excluded.reason, is_enabled = excluded.is_enabled,
    every_hours = excluded.every_hours, set_by = excluded.set_by, set_at = excluded.set_at,
    -- what was emptied stays so, whatever the days; other events begin anew
    cursor = CASE WHEN (store_retention_rule.names, store_retention_rule.source_id)
                       IS NOT DISTINCT FROM (excluded.names, excluded.source_id)
                  THEN store_retention_rule.cursor ELSE '' END,
    next_run_at = NULL

-- name: retention_delete
DELETE FROM store_retention_rule WHERE key = %s

-- name: retention_restart
-- Positions may be others now: what was emptied is gone through once more, and is empty already.
UPDATE store_retention_rule SET cursor = '' WHERE cursor <> ''

-- name: retention_due
-- The rule as delivered gets its row when it runs first.
INSERT INTO store_retention_rule (key, kind, names, source_id, keep_days, basis, reason, is_enabled,
                                  every_hours, next_run_at)
VALUES (%(key)s, %(kind)s, %(names)s, %(source_id)s, %(keep_days)s, %(basis)s, %(reason)s,
        %(is_enabled)s, %(every_hours)s, %(next)s)
ON CONFLICT (key) DO UPDATE SET next_run_at = excluded.next_run_at,
    cursor = CASE WHEN %(keeps)s THEN store_retention_rule.cursor ELSE '' END

-- name: retention_begin
INSERT INTO store_retention_run (rule_key, state, asked_by, before, keep_days, started_at)
VALUES (%(key)s, 'running', %(by)s, %(before)s, %(days)s, %(now)s)
ON CONFLICT (rule_key) WHERE state = 'running' DO NOTHING RETURNING id

-- name: retention_running
SELECT id, rule_key FROM store_retention_run WHERE state = 'running' ORDER BY id

-- name: retention_lock
SELECT n.rule_key, n.before, coalesce(r.cursor, '')
FROM store_retention_run n LEFT JOIN store_retention_rule r ON r.key = n.rule_key
WHERE n.id = %s AND n.state = 'running' FOR UPDATE OF n

-- name: retention_note
UPDATE store_retention_run SET
    rows = rows + %(rows)s, bytes = bytes + %(bytes)s, files = files + %(files)s,
    tables = tables || (
        SELECT coalesce(jsonb_object_agg(t.key, t.value::bigint + coalesce((tables ->> t.key)::bigint, 0)), '{}')
        FROM jsonb_each_text(%(tables)s::jsonb) AS t),
    oldest_at = least(oldest_at, %(oldest)s), newest_at = greatest(newest_at, %(newest)s),
    worked_seconds = worked_seconds + %(seconds)s, failures = 0
WHERE id = %(id)s

-- name: retention_cursor
SELECT cursor FROM store_retention_rule WHERE key = %s

-- name: retention_move
UPDATE store_retention_rule SET cursor = %s WHERE key = %s

-- name: retention_finish
UPDATE store_retention_run SET state = %(state)s, finished_at = %(now)s, failure = %(failure)s,
    worked_seconds = worked_seconds + %(seconds)s
WHERE id = %(id)s AND state = 'running'

-- name: retention_fail
UPDATE store_retention_run SET failures = failures + 1, failure = %s WHERE id = %s RETURNING failures

-- name: retention_runs
SELECT id, rule_key, state, asked_by, before, keep_days, rows, bytes, files, tables, oldest_at, newest_at,
       started_at, finished_at, worked_seconds, failure
FROM store_retention_run
WHERE (%(key)s = '' OR rule_key = %(key)s) AND (%(state)s = '' OR state = %(state)s)
  AND (NOT %(removing)s OR rows + files > 0 OR state <> 'finished')
  AND (%(id)s::bigint IS NULL OR id = %(id)s)
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s

-- name: retention_last_runs
SELECT DISTINCT ON (rule_key) id, rule_key, state, asked_by, before, keep_days, rows, bytes, files,
       tables, oldest_at, newest_at, started_at, finished_at, worked_seconds, failure
FROM store_retention_run ORDER BY rule_key, id DESC

-- name: retention_table_count
SELECT count(*), coalesce(sum(o.size), 0)::bigint, min(o.at), max(o.at) FROM (
    SELECT t.{at}::timestamptz AS at, pg_column_size(t.*) AS size FROM {table} t
    WHERE t.{at} < %(before)s AND {where} LIMIT %(limit)s) AS o

-- name: retention_table_slice
WITH gone AS (
    DELETE FROM {table} t WHERE t.ctid = ANY (ARRAY(
        SELECT o.ctid FROM {table} o WHERE o.{at} < %(before)s AND {where} LIMIT %(limit)s))
    RETURNING t.{at}::timestamptz AS at, pg_column_size(t.*) AS size)
SELECT count(*), coalesce(sum(size), 0)::bigint, min(at), max(at) FROM gone

-- name: retention_table_sizes
-- Roughly how many rows there are, from what the server last counted, and the bytes on disk.
SELECT c.relname, sum(greatest(p.reltuples, 0))::bigint, sum(pg_total_relation_size(p.oid))::bigint,
       sum(pg_relation_size(p.oid)) = 0
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN LATERAL (
    SELECT c.oid, c.reltuples WHERE c.relkind = 'r'
    UNION ALL
    SELECT l.oid, l.reltuples FROM pg_partition_tree(c.oid) f JOIN pg_class l ON l.oid = f.relid
    WHERE c.relkind = 'p' AND f.isleaf) AS p ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname

-- name: retention_few_rows
SELECT count(*) FROM (SELECT FROM {table} LIMIT 10001) AS few

-- name: retention_log_days
SELECT to_date(right(t.relid::text, 8), 'YYYYMMDD') FROM pg_partition_tree('store_event_log') t
WHERE t.isleaf AND to_date(right(t.relid::text, 8), 'YYYYMMDD') < %s::date
  AND to_date(right(t.relid::text, 8), 'YYYYMMDD') > %s::date
ORDER BY 1 LIMIT 1

-- name: retention_drop_day
SELECT store_drop_empty_day(%s)

-- name: retention_events
-- The next activities in the order of the log, with what the log has of them. Not what a reader of
-- the activities still has before it.
SELECT a.position, l.id, l.xid::text, l.received_at, l.source_id, l.type, l.message_id, l.sent_at, l.body,
       a.type = 'system' OR l.id IS NULL, a.received_at
FROM (
    SELECT * FROM store_activity s WHERE s.position > %(after)s
      AND s.position <= (SELECT min(c.position) FROM store_consumer c)
    ORDER BY s.position LIMIT %(limit)s) AS a
LEFT JOIN store_event_log l ON l.received_at = a.received_at AND l.xid = a.xid AND l.id = a.event_id
    AND a.type <> 'system'
ORDER BY a.position

-- name: retention_empty_log
SELECT store_empty_events(%(received)s, %(xids)s, %(ids)s, %(bodies)s)

-- name: retention_empty_activities
UPDATE store_activity a SET properties = n.properties::jsonb, context = n.context::jsonb
FROM unnest(%(positions)s::bigint[], %(properties)s::text[], %(contexts)s::text[])
    AS n (position, properties, context)
WHERE a.position = n.position

-- name: retention_days_add
INSERT INTO store_retention_day (day) SELECT unnest(%s::date[]) ON CONFLICT DO NOTHING

-- name: retention_days
SELECT day FROM store_retention_day ORDER BY day LIMIT 1

-- name: retention_day_done
DELETE FROM store_retention_day WHERE day = %s

-- name: retention_inactive
-- Who has not done anything for so long, and to whom nothing was sent or done either.
SELECT p.id, p.last_seen_at FROM store_profile p
WHERE p.merged_into IS NULL AND p.last_seen_at < %(before)s AND p.id > %(after)s
  AND (NOT %(unknown)s OR (p.user_id IS NULL AND p.email IS NULL AND p.phone IS NULL))
  AND NOT EXISTS (SELECT FROM store_activity a
                  WHERE a.profile_id = p.id AND a.occurred_at >= %(before)s AND a.type <> 'system')
ORDER BY p.id LIMIT %(limit)s

-- name: retention_notice_answers
SELECT c.notice,
       count(DISTINCT c.subject) FILTER (WHERE c.status = 'given'),
       count(DISTINCT c.subject) FILTER (WHERE c.status IN ('denied', 'withdrawn')),
       max(c.event_time)
FROM store_consent c WHERE c.notice <> '' GROUP BY 1
