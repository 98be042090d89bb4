-- Erasures: what they leave to be done, their receipts, and doing them again after a restore.

-- name: erasure_insert
INSERT INTO store_erasure (erased_at, profile_id, profile_ids, identifier_hashes, requested_by, counts,
                           receipt_id, receipt, event_id)
VALUES (%(now)s, %(root)s, %(ids)s, %(hashes)s, %(by)s, %(counts)s::jsonb, %(receipt_id)s,
        %(receipt)s, nextval('store_event_id'))
RETURNING id

-- name: erasure_tell
-- Whoever wanted to hear of it is told, by a number that names nobody else.
INSERT INTO store_delivery (endpoint_id, event_id, position, origin_id, name)
SELECT o.id, e.event_id, 0, 0, 'Customer Erased'
FROM store_erasure e, store_outbound o
WHERE e.id = %s AND o.state <> 'disabled' AND ('Customer Erased' = ANY (o.events) OR '*' = ANY (o.events))
ON CONFLICT (endpoint_id, event_id) DO NOTHING

-- name: erasure_unfinished
SELECT id, profile_ids FROM store_erasure WHERE finished_at IS NULL ORDER BY id

-- name: erasure_finish
UPDATE store_erasure SET finished_at = %(now)s, counts = counts || %(counts)s::jsonb WHERE id = %(id)s

-- name: erasure_unclean
-- While rules of retention erase many, their space is written anew once, at the end.
SELECT id FROM store_erasure WHERE cleaned_at IS NULL AND finished_at IS NOT NULL
    AND NOT (requested_by = 'retention'
             AND EXISTS (SELECT FROM store_retention_run WHERE state = 'running'))
ORDER BY id

-- name: erasure_cleaned
UPDATE store_erasure SET cleaned_at = %(now)s, vacuumed_only = %(large)s WHERE id = ANY (%(ids)s)

-- name: erasure_large
-- Tables erasures only vacuumed, those that are still there.
SELECT c.oid::regclass::text, pg_total_relation_size(c.oid)
FROM (SELECT DISTINCT unnest(vacuumed_only) AS name FROM store_erasure) AS n
JOIN pg_class c ON c.oid = to_regclass(n.name)
ORDER BY 2

-- name: erasure_written_anew
UPDATE store_erasure SET vacuumed_only = array_remove(vacuumed_only, %s)
WHERE cleaned_at IS NOT NULL AND vacuumed_only <> '{}'

-- name: erasure_parts
-- The tables behind names, a partitioned one by its parts, with their sizes in bytes.
SELECT c.oid::regclass::text, pg_total_relation_size(c.oid)
FROM unnest(%s::text[]) AS n (name)
CROSS JOIN LATERAL pg_partition_tree(n.name::regclass) t
JOIN pg_class c ON c.oid = t.relid AND t.isleaf
UNION
SELECT c.oid::regclass::text, pg_total_relation_size(c.oid)
FROM pg_class c JOIN unnest(%s::text[]) AS n (name) ON c.oid = n.name::regclass AND c.relkind = 'r'
ORDER BY 1

-- name: erasure_known_receipts
SELECT receipt_id FROM store_erasure WHERE receipt_id = ANY (%s)

-- name: erasure_read_receipt
SELECT receipt FROM store_erasure WHERE receipt_id = %s

-- name: erasure_list
SELECT id, erased_at, requested_by, counts, receipt_id, finished_at, cleaned_at, vacuumed_only
FROM store_erasure WHERE %(before)s::bigint IS NULL OR id < %(before)s
ORDER BY id DESC LIMIT %(limit)s

-- name: erasure_every_identifier
SELECT kind, value, profile_id FROM store_identifier

-- name: erasure_import_problems
WITH blanked AS (
    UPDATE store_import SET problems = '[]', failure = ''
    WHERE EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                  WHERE position(n.needle IN lower(problems::text || failure)) > 0)
    RETURNING 1
), renamed AS (
    UPDATE store_import SET file_name = 'file'
    WHERE EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                  WHERE position(n.needle IN lower(file_name)) > 0)
    RETURNING 1
), rows_gone AS (
    DELETE FROM store_import_problem
    WHERE EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                  WHERE position(n.needle IN lower(reason)) > 0)
    RETURNING 1
), pulls AS (
    -- Where the last row's key names her, reading goes on from its cursor, and where that does,
    -- from the beginning: rows that are known are told by their ids.
    UPDATE store_pull SET problems = '[]', failure = '', revision = revision + 1, position = CASE
        WHEN NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                         WHERE position(n.needle IN lower(store_pull.position::text)) > 0) THEN store_pull.position
        WHEN NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                         WHERE position(n.needle IN lower(store_pull.position #>> '{values,0}')) > 0)
        THEN jsonb_build_object('values', jsonb_build_array(store_pull.position #> '{values,0}'), 'is_open', false)
    END
    WHERE EXISTS (SELECT FROM unnest(%(words)s::text[]) AS n (needle)
                  WHERE position(n.needle IN lower(problems::text || failure || coalesce(store_pull.position::text, ''))) > 0)
    RETURNING 1
)
SELECT (SELECT count(*) FROM blanked) + (SELECT count(*) FROM renamed) + (SELECT count(*) FROM rows_gone)
     + (SELECT count(*) FROM pulls)

-- name: erasure_forget_imports
-- What is told of files that named her: nothing of what they wrote, their name included.
WITH rows_gone AS (
    DELETE FROM store_import_problem WHERE import_id = ANY (%(ids)s)
)
UPDATE store_import SET
    file_name = 'file', problems = '[]',
    failure = CASE WHEN state IN ('waiting', 'running')
        THEN 'its file named a customer who was erased: import it again without them' ELSE '' END,
    finished_at = CASE WHEN state IN ('waiting', 'running') THEN now() ELSE finished_at END,
    state = CASE WHEN state IN ('waiting', 'running') THEN 'cancelled' ELSE state END
WHERE id = ANY (%(ids)s)

-- name: erasure_note
INSERT INTO store_erasure (erased_at, profile_id, identifier_hashes, requested_by, receipt_id, receipt,
                           finished_at, cleaned_at)
VALUES (%(at)s::timestamptz, 0, %(hashes)s, 'restore', %(receipt_id)s::uuid, %(receipt)s, now(), now())
ON CONFLICT (receipt_id) DO NOTHING
