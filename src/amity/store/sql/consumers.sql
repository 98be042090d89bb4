-- name: try_consumer
SELECT pg_try_advisory_xact_lock(hashtext('amity.consumer'), hashtext(%s))

-- name: wait_consumer
SELECT pg_advisory_xact_lock(hashtext('amity.consumer'), hashtext(%s))

-- name: read_consumer
SELECT c.xid::text, c.event_id, c.position, c.epoch, c.failures FROM store_consumer c WHERE c.name = %s

-- name: read_position
SELECT c.position FROM store_consumer c
WHERE c.name = %s
  AND c.position <= (SELECT p.position FROM store_consumer p WHERE p.name = 'profiles')

-- name: advance_consumer
UPDATE store_consumer SET position = %(position)s, failures = 0, updated_at = now()
WHERE name = %(name)s AND position <= %(position)s

-- name: rewind_consumer
UPDATE store_consumer SET position = %(position)s, updated_at = now()
WHERE name = %(name)s AND position > %(position)s

-- name: count_failure
UPDATE store_consumer SET failures = failures + 1, updated_at = now()
WHERE name = %s RETURNING failures

-- name: raise_epoch
UPDATE store_consumer SET epoch = epoch + 1, updated_at = now() WHERE name = 'profiles'

-- name: read_activity
SELECT position, profile_id, event_id, source_id, occurred_at, received_at, type, name,
       properties, context, origin_id
FROM store_activity WHERE position > %s ORDER BY position LIMIT %s

-- name: read_stirred
-- How far the next activities reach, and who did one of some things among them, or was joined.
WITH turn AS (
    SELECT position, profile_id, source_id, name, properties
    FROM store_activity WHERE position > %(after)s ORDER BY position LIMIT %(limit)s
), joined AS (
    SELECT profile_id, properties FROM turn
    WHERE source_id = %(system)s AND name IN ('Profile Merged', 'Profile Unmerged')
)
SELECT (SELECT max(position) FROM turn), (SELECT count(*) FROM turn), ARRAY(
    SELECT profile_id FROM turn WHERE name = ANY (%(names)s)
    UNION SELECT profile_id FROM joined
    UNION SELECT (told #>> '{}')::bigint
    FROM joined, unnest('{$.winner_id,$.loser_id,$.profiles[*]}'::jsonpath[]) AS path,
         jsonb_path_query(properties, path) AS told
    WHERE jsonb_typeof(told) = 'number'
    ORDER BY 1)

-- name: read_said
SELECT position, profile_id, event_id, source_id, occurred_at, received_at, type, name,
       properties::text, origin_id
FROM store_activity WHERE position > %s ORDER BY position LIMIT %s

-- name: read_activity_from
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = ANY (%(origins)s::bigint[])
    UNION
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
-- There is no index by origin: the profiles they are joined in now lead to the rows.
SELECT position, profile_id, event_id, source_id, occurred_at, received_at, type, name,
       properties, context, origin_id
FROM store_activity
WHERE profile_id IN (SELECT id FROM up WHERE merged_into IS NULL)
  AND origin_id = ANY (%(origins)s) AND position <= %(last)s
ORDER BY position

-- name: ensure_consumer
INSERT INTO store_consumer (name)
SELECT n.name FROM (SELECT %s::text AS name) n
WHERE NOT EXISTS (SELECT FROM store_consumer c WHERE c.name = n.name)
ON CONFLICT DO NOTHING

-- name: rewind_consumers
UPDATE store_consumer SET position = 0, failures = 0, updated_at = now() WHERE name = ANY (%s)
