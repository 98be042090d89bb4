-- The edge's part: who asks, and what has happened since.

-- name: hot_place
SELECT (SELECT c.position FROM store_consumer c WHERE c.name = 'profiles'),
       (SELECT c.position FROM store_consumer c WHERE c.name = 'rewards'),
       (SELECT coalesce(max(e.id), 0) FROM store_erasure e),
       (SELECT coalesce(max(s.id), 0) FROM personalization_snapshot s)

-- name: hot_owners
SELECT i.kind, i.value, i.profile_id
FROM unnest(%s::text[], %s::text[]) AS w (kind, value) JOIN store_identifier i USING (kind, value)

-- name: hot_changed
-- Whoever something was folded, rewarded or erased of; a profile that was joined into another, too.
SELECT a.profile_id FROM store_activity a
WHERE a.position > %(folded)s AND a.position <= %(folded_to)s
UNION
SELECT a.profile_id FROM store_activity a
WHERE a.position > %(rewarded)s AND a.position <= %(rewarded_to)s
UNION
SELECT (a.properties ->> 'loser_id')::bigint FROM store_activity a
WHERE a.position > %(folded)s AND a.position <= %(folded_to)s AND a.type = 'system'
  AND jsonb_typeof(a.properties -> 'loser_id') = 'number'
UNION
SELECT e.profile_id FROM store_erasure e WHERE e.id > %(erased)s

-- name: hot_troubles
INSERT INTO personalization_trouble AS t (day, kind, name, count)
SELECT (now() AT TIME ZONE 'UTC')::date, n.kind, n.name, n.count
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (kind, name, count)
ON CONFLICT (day, kind, name) DO UPDATE SET count = t.count + excluded.count
