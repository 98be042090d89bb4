-- Databases that are pulled: what is read of each, and how far it is.

-- name: pull_add
INSERT INTO store_pull (name, source_id, connection, address, created_by)
VALUES (%(name)s, %(source_id)s, %(connection)s, %(address)s, %(created_by)s)
ON CONFLICT (name) DO NOTHING
RETURNING id;

-- name: pull_get
SELECT id, name, source_id, address,
       CASE WHEN relation = '' THEN 'draft'
            WHEN started_at IS NOT NULL AND finished_at IS NULL THEN 'running'
            WHEN is_paused THEN 'paused'
            WHEN failures > 0 THEN 'failing' ELSE 'waiting' END,
       relation_schema, relation, cursor_column, key_columns, connector, mapping, interval_seconds,
       overlap, position, next_at, started_at, finished_at, failures, failure, rows_done, stored,
       duplicate, rejected, problems, created_by, created_at, revision
FROM store_pull
WHERE %(pull_id)s::bigint IS NULL OR id = %(pull_id)s
ORDER BY name;

-- name: pull_connection
SELECT connection FROM store_pull WHERE id = %(pull_id)s;

-- name: pull_reconnect
UPDATE store_pull
SET connection = %(connection)s, address = %(address)s, failures = 0, failure = '',
    revision = revision + 1, next_at = CASE WHEN is_paused THEN next_at ELSE now() END
WHERE id = %(pull_id)s;

-- name: pull_configure
-- What is in stays in; another table, cursor or key is read from its beginning.
UPDATE store_pull
SET position = CASE
        WHEN (relation_schema, relation, cursor_column, key_columns) =
             (%(schema)s, %(relation)s, %(cursor_column)s, %(key_columns)s::text[]) THEN position
    END,
    relation_schema = %(schema)s, relation = %(relation)s, cursor_column = %(cursor_column)s,
    key_columns = %(key_columns)s, connector = %(connector)s, mapping = %(mapping)s,
    interval_seconds = %(interval_seconds)s, overlap = %(overlap)s, is_paused = false,
    failures = 0, failure = '', next_at = now(), revision = revision + 1
WHERE id = %(pull_id)s;

-- name: pull_pause
UPDATE store_pull SET is_paused = true, next_at = NULL WHERE id = %(pull_id)s;

-- name: pull_resume
UPDATE store_pull SET is_paused = false, next_at = now(), failures = 0, failure = ''
WHERE id = %(pull_id)s AND relation <> '';

-- name: pull_rewind
UPDATE store_pull SET position = NULL, revision = revision + 1 WHERE id = %(pull_id)s;

-- name: pull_delete
DELETE FROM store_pull WHERE id = %(pull_id)s;

-- name: pull_position
SELECT position FROM store_pull WHERE id = %(pull_id)s;

-- name: pull_due
SELECT id FROM store_pull WHERE NOT is_paused AND next_at <= %(now)s ORDER BY next_at, id;

-- name: pull_lock
SELECT pg_try_advisory_lock(hashtext('store_pull'), %(pull_id)s::integer);

-- name: pull_unlock
SELECT pg_advisory_unlock(hashtext('store_pull'), %(pull_id)s::integer);

-- name: pull_start
UPDATE store_pull SET started_at = %(now)s, finished_at = NULL WHERE id = %(pull_id)s;

-- name: pull_progress
UPDATE store_pull
SET position = %(position)s,
    rows_done = rows_done + %(rows)s,
    stored = stored + %(stored)s,
    duplicate = duplicate + %(duplicate)s,
    rejected = rejected + %(rejected)s,
    problems = CASE WHEN %(problems)s::jsonb = '[]' THEN problems
                    ELSE jsonb_path_query_array(%(problems)s::jsonb || problems, '$[0 to 99]') END
WHERE id = %(pull_id)s AND revision = %(revision)s
RETURNING id;

-- name: pull_end
UPDATE store_pull
SET finished_at = %(now)s, failure = %(failure)s,
    failures = CASE WHEN %(failure)s = '' THEN 0 ELSE failures + 1 END,
    next_at = CASE
        WHEN is_paused THEN NULL
        WHEN %(is_open)s THEN %(now)s
        WHEN %(failure)s = '' THEN %(now)s + interval_seconds * interval '1 second'
        -- again in a minute, then in two, four, … but not more seldom than it would have run
        ELSE %(now)s + least(interval_seconds, 60 * 2 ^ least(failures, 12)) * interval '1 second'
    END
WHERE id = %(pull_id)s;
