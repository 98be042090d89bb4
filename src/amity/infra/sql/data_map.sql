-- name: data_map_tables
SELECT c.relname, obj_description(c.oid),
       coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE
           t.typcategory IN ('S', 'A') OR t.typname IN ('json', 'jsonb', 'bytea', 'uuid', 'inet', 'xml')),
           '{}')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname, c.oid ORDER BY c.relname
