-- name: insert_source
INSERT INTO store_source (name, kind, write_key) VALUES (%s, %s, %s)
ON CONFLICT (name) DO NOTHING
RETURNING id, name, kind, write_key, is_enabled, created_at

-- name: list_sources
SELECT id, name, kind, write_key, is_enabled, created_at FROM store_source ORDER BY id

-- name: get_source
SELECT id, name, kind, write_key, is_enabled, created_at FROM store_source WHERE id = %s

-- name: find_source
SELECT id, name, kind, write_key, is_enabled, created_at FROM store_source WHERE name = %s

-- name: update_source
UPDATE store_source SET name = coalesce(%s, name), is_enabled = coalesce(%s, is_enabled)
WHERE id = %s AND kind <> 'system'
RETURNING id, name, kind, write_key, is_enabled, created_at

-- name: count_by_source
SELECT source_id, sum(stored + duplicate + quarantined + refused)::bigint, sum(stored)::bigint,
       sum(duplicate)::bigint, sum(quarantined)::bigint, sum(refused)::bigint
FROM store_counter GROUP BY source_id

-- name: rotate_source
UPDATE store_source SET write_key = %s WHERE id = %s AND kind <> 'system'
RETURNING id, name, kind, write_key, is_enabled, created_at
