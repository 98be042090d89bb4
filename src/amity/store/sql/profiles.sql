-- name: find_root
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = %s
    UNION ALL
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
) SELECT id FROM up WHERE merged_into IS NULL

-- name: load_profiles
SELECT p.id, p.merged_into, p.user_id, p.name, p.email, p.phone, p.traits::text,
       p.trait_origins::text, p.consents::text, p.first_seen_at, p.last_seen_at, p.event_count,
       p.event_counts::text, p.order_count, p.revenue_minor, p.first_order_at, p.last_order_at,
       p.last_orders::text, p.version
FROM store_profile p WHERE p.id = ANY (%s::bigint[]) ORDER BY p.id

-- name: list_living
SELECT id FROM store_profile WHERE id = ANY (%s::bigint[]) AND merged_into IS NULL ORDER BY id

-- name: find_owner
SELECT profile_id FROM store_identifier WHERE kind = %s AND value = %s

-- name: list_identifiers
SELECT i.kind, i.value, i.profile_id, i.origin_id, i.source_id, i.event_id, i.first_seen_at
FROM store_identifier i WHERE i.profile_id = %s
ORDER BY i.first_seen_at, i.event_id, i.kind, i.value

-- name: list_merges
SELECT m.id, m.event_id, m.winner_id, m.loser_id, m.kind, m.value, m.occurred_at, m.source_id,
       m.refusal, m.undone_by
FROM store_merge m
WHERE (%(ids)s::bigint[] IS NULL OR m.winner_id = ANY (%(ids)s) OR m.loser_id = ANY (%(ids)s))
  AND (%(refused)s::boolean IS NULL OR (m.refusal <> '') = %(refused)s)
  AND (%(before)s::bigint IS NULL OR m.id < %(before)s)
ORDER BY m.id DESC LIMIT %(limit)s

-- name: get_merge
SELECT m.id, m.event_id, m.winner_id, m.loser_id, m.kind, m.value, m.occurred_at, m.source_id,
       m.refusal, m.undone_by
FROM store_merge m WHERE m.id = %s FOR SHARE

-- name: list_activity
SELECT a.position, a.profile_id, a.event_id, a.source_id, a.occurred_at, a.received_at, a.type,
       a.name, a.properties, a.context, a.origin_id
FROM store_activity a
WHERE a.profile_id = %(profile_id)s
  AND (%(names)s::text[] IS NULL OR a.name = ANY (%(names)s))
  AND (%(at)s::timestamptz IS NULL OR (a.occurred_at, a.position) < (%(at)s, %(position)s::bigint))
ORDER BY a.occurred_at DESC, a.position DESC LIMIT %(limit)s

-- name: load_histories
WITH wish AS MATERIALIZED (
    SELECT w.name, w.since, w.profile_ids,
           CASE WHEN jsonb_typeof(w.properties) = 'array'
                THEN ARRAY(SELECT jsonb_array_elements_text(w.properties)) END AS keys
    FROM jsonb_to_recordset(%s)
        AS w (name text, since timestamptz, properties jsonb, profile_ids bigint[])),
asked AS MATERIALIZED (
    SELECT w.name, w.since, w.keys, d.profile_id
    FROM wish w CROSS JOIN LATERAL unnest(coalesce(w.profile_ids, %s::bigint[])) AS d(profile_id))
SELECT a.profile_id, a.name, a.occurred_at,
       CASE WHEN w.keys IS NULL THEN a.properties
            -- Nothing to take apart.
            WHEN w.keys = '{}' THEN NULL
            ELSE (SELECT coalesce(jsonb_object_agg(k, a.properties -> k), '{}'::jsonb)
                  FROM unnest(w.keys) AS k WHERE a.properties ? k) END
FROM store_activity a JOIN asked w ON w.profile_id = a.profile_id AND w.name = a.name
WHERE a.profile_id = ANY (%s::bigint[])
  AND (w.since IS NULL OR a.occurred_at > w.since)
ORDER BY a.profile_id, a.occurred_at, a.position

-- name: profile_row
SELECT p.id, p.user_id, p.name, p.email, p.phone, p.first_seen_at, p.last_seen_at, p.event_count,
       p.order_count, p.revenue_minor,
       coalesce(p.consents #>> '{~restricted,status}' = 'denied', false)
FROM store_profile p

-- name: search_profile_name
SELECT id FROM store_profile
WHERE lower(name) ~>=~ {} AND lower(name) ~<~ {} AND name IS NOT NULL AND merged_into IS NULL

-- name: search_profile_surname
SELECT id FROM store_profile
WHERE lower(substring(name FROM '[^ ]+$')) ~>=~ {} AND lower(substring(name FROM '[^ ]+$')) ~<~ {}
  AND name IS NOT NULL AND merged_into IS NULL

-- name: search_identifier_value
SELECT profile_id FROM store_identifier WHERE value ~>=~ {} AND value ~<~ {}

-- name: count_profiles
SELECT coalesce(sum(amount), 0)::bigint FROM store_tally WHERE kind = 'total' AND name = 'profiles'
