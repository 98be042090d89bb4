-- The warehouse's manifest. Its one writer holds an advisory lock until its transaction ends.

-- name: warehouse_lock
SELECT pg_try_advisory_xact_lock(hashtext('amity.warehouse'))

-- name: warehouse_token
SELECT nextval('warehouse_token')

-- name: warehouse_register
INSERT INTO warehouse_export (name, shape) VALUES (%s, %s::json) ON CONFLICT DO NOTHING

-- name: warehouse_state
SELECT e.cursor, e.version, e.shape::text FROM warehouse_export e WHERE e.name = %s

-- name: warehouse_exports
SELECT e.name, e.shape::text, e.cursor, e.version, e.complete_at FROM warehouse_export e ORDER BY e.name

-- name: warehouse_start_over
WITH gone AS (DELETE FROM warehouse_file WHERE export = ANY (%(names)s))
DELETE FROM warehouse_export WHERE name = ANY (%(names)s)

-- name: warehouse_advance
UPDATE warehouse_export SET cursor = %(upto)s, version = version + 1
WHERE name = %(name)s AND cursor = %(after)s AND version = %(version)s

-- name: warehouse_complete
UPDATE warehouse_export SET complete_at = %s WHERE name = ANY (%s)

-- name: warehouse_files
SELECT f.path, f.export, f.day, f.after_cursor, f.upto_cursor, f.rows, f.bytes, f.sha256,
       f.least_at, f.greatest_at, f.least_subject, f.greatest_subject
FROM warehouse_file f WHERE %(name)s::text IS NULL OR f.export = %(name)s
ORDER BY f.export, f.day, f.after_cursor, f.path

-- name: warehouse_add
INSERT INTO warehouse_file (path, export, day, after_cursor, upto_cursor, rows, bytes, sha256,
    least_at, greatest_at, least_subject, greatest_subject)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: warehouse_drop
DELETE FROM warehouse_file WHERE path = ANY (%s)

-- name: warehouse_sizes
SELECT f.export, count(*), sum(f.rows)::bigint, sum(f.bytes)::bigint, count(DISTINCT f.day)
FROM warehouse_file f GROUP BY f.export

-- name: warehouse_crowded
-- The days of a table that lie in many files.
SELECT f.day FROM warehouse_file f WHERE f.export = %(name)s AND f.bytes < %(large)s
GROUP BY f.day HAVING count(*) >= %(many)s ORDER BY f.day

-- name: warehouse_ask
INSERT INTO warehouse_forgetting (profile_ids) VALUES (%s::bigint[])

-- name: warehouse_asked
-- An erasure under way calls for it itself at its end.
SELECT w.id, w.profile_ids FROM warehouse_forgetting w
WHERE w.asked_at <= now() - make_interval(secs => %s) ORDER BY w.id

-- name: warehouse_answered
DELETE FROM warehouse_forgetting WHERE profile_ids <@ %s::bigint[]

-- name: warehouse_gone_is_known
DELETE FROM warehouse_gone WHERE export = %s AND gone_at < now() - interval '1 day'

-- name: warehouse_forget_gone
DELETE FROM warehouse_gone WHERE profile_id = ANY (%s::bigint[])

-- name: warehouse_keep_verification
INSERT INTO warehouse_verification (verified_at, is_clean, report) VALUES (%(at)s, %(clean)s, %(report)s::jsonb)
ON CONFLICT (is_only) DO UPDATE SET verified_at = excluded.verified_at,
    is_clean = excluded.is_clean, report = excluded.report

-- name: warehouse_verified
SELECT v.verified_at, v.is_clean, v.report::text FROM warehouse_verification v
