-- name: import_add
INSERT INTO store_import (source_id, connector, file_name, file_hash, mapping, state, rows_total,
                          created_by, is_dry_run)
VALUES (%(source_id)s, %(connector)s, %(file_name)s, %(file_hash)s, %(mapping)s, 'waiting',
        %(rows_total)s, %(created_by)s, %(is_dry_run)s)
RETURNING id;

-- name: import_get
SELECT id, source_id, connector, file_name, mapping, state, rows_total, rows_done, stored,
       duplicate, rejected, problems, created_by, created_at, started_at, finished_at, failure,
       is_dry_run
FROM store_import
WHERE id = %(import_id)s;

-- name: import_list
SELECT id, source_id, connector, file_name, mapping, state, rows_total, rows_done, stored,
       duplicate, rejected, problems, created_by, created_at, started_at, finished_at, failure,
       is_dry_run
FROM store_import
WHERE %(before)s::bigint IS NULL OR id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: import_waiting
-- Running ones too: their process may be gone. Whether it is, the lock tells.
SELECT id FROM store_import WHERE state IN ('waiting', 'running') ORDER BY id;

-- name: import_lock
SELECT pg_try_advisory_lock(hashtext('store_import'), %(import_id)s::integer);

-- name: import_unlock
SELECT pg_advisory_unlock(hashtext('store_import'), %(import_id)s::integer);

-- name: import_start
-- A finished or cancelled import stays what it is; a failed one may be tried again.
UPDATE store_import
SET state = 'running', failure = '', finished_at = NULL, started_at = coalesce(started_at, now())
WHERE id = %(import_id)s AND state IN ('waiting', 'running', 'failed')
RETURNING id;

-- name: import_progress
UPDATE store_import
SET rows_done = rows_done + %(rows)s,
    stored = stored + %(stored)s,
    duplicate = duplicate + %(duplicate)s,
    rejected = rejected + %(rejected)s,
    problems = CASE
        WHEN jsonb_array_length(problems) >= %(keep)s THEN problems
        ELSE jsonb_path_query_array(problems || %(problems)s::jsonb, '$[0 to 99]')
    END
WHERE id = %(import_id)s AND state = 'running' AND rows_done = %(rows_before)s
RETURNING id;

-- name: import_end
UPDATE store_import
SET state = %(state)s, failure = %(failure)s, finished_at = now()
WHERE id = %(import_id)s AND state = 'running';

-- name: import_cancel
UPDATE store_import SET state = 'cancelled', finished_at = now()
WHERE id = %(import_id)s AND state IN ('waiting', 'running');

-- name: import_exists_source
SELECT kind, is_enabled FROM store_source WHERE id = %(source_id)s;

-- name: import_forgotten
-- Files are kept for a while after the end, for whoever wants to look or try again.
SELECT id, finished_at FROM store_import
WHERE state IN ('finished', 'failed', 'cancelled') AND finished_at < %s;

-- name: import_clock
SELECT now();

-- name: import_problems_add
INSERT INTO store_import_problem (import_id, number, reason)
SELECT %(import_id)s, t.number, t.reason
FROM unnest(%(numbers)s::bigint[], %(reasons)s::text[]) AS t (number, reason);

-- name: import_problems_list
SELECT number, reason, id FROM store_import_problem
WHERE import_id = %(import_id)s AND (number, id) > (%(after)s::bigint, %(after_id)s::bigint)
ORDER BY number, id
LIMIT %(limit)s;

-- name: import_problems_old
SELECT count(*) FROM store_import_problem p JOIN store_import i ON i.id = p.import_id
WHERE i.state IN ('finished', 'failed', 'cancelled') AND i.finished_at < %s;

-- name: import_problems_forget
DELETE FROM store_import_problem p USING store_import i
WHERE i.id = p.import_id AND i.state IN ('finished', 'failed', 'cancelled') AND i.finished_at < %s;

-- name: object_contact_point
-- Of two times at which a purpose was refused here the later one counts.
INSERT INTO store_contact_point AS p (channel, address_key, objections)
VALUES (%(channel)s, %(key)s, %(objections)s)
ON CONFLICT (channel, address_key) DO UPDATE
SET objections = p.objections || (
        SELECT jsonb_object_agg(n.key, to_jsonb(greatest(
            (n.value #>> '{}')::timestamptz, (p.objections ->> n.key)::timestamptz)))
        FROM jsonb_each(excluded.objections) AS n),
    updated_at = clock_timestamp();
