-- name: settle_positions
UPDATE store_consumer c SET position =
    (SELECT count(*) FROM store_activity a WHERE a.position <= c.position), updated_at = now()
WHERE c.name <> 'profiles'

-- name: truncate_projections
TRUNCATE store_profile, store_identifier, store_merge, store_activity, store_order, store_tally,
    store_evidence, store_place

-- name: rewind_profiles
UPDATE store_consumer SET xid = '0', event_id = 0, position = 0, failures = 0, updated_at = now()
WHERE name = 'profiles'

-- name: count_log
SELECT count(*) FROM store_event_log

-- name: sum_counters
SELECT coalesce(sum(stored + duplicate + quarantined + refused), 0)::bigint,
       coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
       coalesce(sum(quarantined), 0)::bigint, coalesce(sum(refused), 0)::bigint
FROM store_counter

-- name: read_totals
SELECT name, amount FROM store_tally WHERE kind = 'total'

-- name: profiles_lag
SELECT (SELECT count(*) FROM (
            SELECT FROM store_event_log l WHERE (l.xid, l.id) > (c.xid, c.event_id)
            LIMIT 1000000) AS unread),
       coalesce(extract(epoch FROM clock_timestamp() - (
            SELECT l.received_at FROM store_event_log l WHERE (l.xid, l.id) > (c.xid, c.event_id)
            ORDER BY l.xid, l.id LIMIT 1)), 0)::float8,
       c.failures
FROM store_consumer c WHERE c.name = 'profiles'

-- name: follower_lags
SELECT c.name, greatest(p.position - c.position, 0),
       coalesce(extract(epoch FROM clock_timestamp() - (
            SELECT a.received_at FROM store_activity a WHERE a.position > c.position
            ORDER BY a.position LIMIT 1)), 0)::float8,
       c.failures
FROM store_consumer c, store_consumer p
WHERE p.name = 'profiles' AND c.name <> 'profiles' ORDER BY c.name

-- name: lock_component_events
SELECT a.event_id, a.xid::text, a.source_id, a.name, a.type FROM store_activity a
WHERE a.profile_id = %s

-- name: erase_log
DELETE FROM store_event_log l USING unnest(%s::text[], %s::bigint[]) AS e (xid, id)
WHERE l.xid = e.xid::xid8 AND l.id = e.id
RETURNING l.source_id, l.message_key, l.message_id

-- name: erase_keys
DELETE FROM store_event_key k USING unnest(%s::integer[], %s::uuid[]) AS e (source_id, message_key)
WHERE k.source_id = e.source_id AND k.message_key = e.message_key

-- name: erase_activities
DELETE FROM store_activity WHERE profile_id = %s

-- name: erase_merges
DELETE FROM store_merge WHERE winner_id = ANY (%(ids)s::bigint[]) OR loser_id = ANY (%(ids)s)
    OR (kind, value) IN (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))
RETURNING refusal = '' AND undone_by IS NULL

-- name: erase_quarantine
DELETE FROM store_quarantine q
WHERE (q.source_id, q.message_id) IN (SELECT * FROM unnest(%(sources)s::integer[], %(messages)s::text[]))
   OR EXISTS (
        SELECT FROM unnest(%(needles)s::text[]) AS n (needle)
        WHERE position(n.needle IN lower(encode(q.raw, 'escape'))) > 0)

-- name: list_event_names
SELECT name, amount FROM store_tally
WHERE kind = 'event' AND amount > 0 AND name ILIKE %s ORDER BY amount DESC, name LIMIT %s

-- name: list_trait_names
SELECT t.name, count(*) FROM (
    SELECT traits FROM store_profile WHERE merged_into IS NULL
    ORDER BY last_seen_at DESC, id DESC LIMIT 10000) AS p
CROSS JOIN jsonb_object_keys(p.traits) AS t (name)
WHERE t.name ILIKE %s GROUP BY t.name ORDER BY count(*) DESC, t.name LIMIT %s

-- name: list_properties
SELECT t.name FROM (
    SELECT properties FROM store_activity WHERE name = %s ORDER BY occurred_at DESC LIMIT 2000) AS a
CROSS JOIN jsonb_object_keys(a.properties) AS t (name)
GROUP BY t.name ORDER BY count(*) DESC, t.name

-- name: trait_values
SELECT p.traits -> %(trait)s AS value, count(*) FROM (
    SELECT traits FROM store_profile WHERE merged_into IS NULL
    ORDER BY last_seen_at DESC, id DESC LIMIT 10000) AS p
WHERE p.traits ? %(trait)s GROUP BY value ORDER BY count(*) DESC, value LIMIT %(limit)s
