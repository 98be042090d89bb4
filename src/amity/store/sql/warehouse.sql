-- What the store exports to the warehouse. The cursor is a position of the activities: one writer
-- numbers them and commits in that order, so nothing appears behind it (rule D12).

-- name: warehouse_horizon
-- Nothing while the profiles are being rebuilt.
SELECT max(n.position) FROM (
    SELECT a.position FROM store_activity a
    WHERE a.position > %(after)s
      AND EXISTS (SELECT FROM store_consumer c WHERE c.name = 'profiles' AND c.position >= %(after)s)
    ORDER BY a.position LIMIT %(limit)s) AS n

-- name: warehouse_moved
-- Whose merges were taken back: rows of all profiles that had been joined may be others' by now.
SELECT DISTINCT p.id::bigint FROM store_activity a, jsonb_array_elements_text(a.properties -> 'profiles') AS p (id)
WHERE a.position > %(after)s AND a.position <= %(upto)s
  AND a.type = 'system' AND a.name = 'Profile Unmerged' AND a.source_id = 1

-- name: warehouse_events
SELECT a.event_id, a.origin_id, a.source_id, a.type, a.name, a.occurred_at, a.received_at,
       a.properties, a.context
FROM store_activity a
WHERE a.position > %(after)s AND a.position <= %(upto)s AND a.type <> 'system'

-- name: warehouse_all_events
SELECT a.event_id, a.origin_id, a.source_id, a.type, a.name, a.occurred_at, a.received_at,
       a.properties, a.context
FROM store_activity a WHERE a.position <= %(upto)s AND a.type <> 'system'

-- name: warehouse_all_order_lines
-- Amounts are a million times those of the currency, so that no currency need be known here. What
-- is no plain number below a million is not known; a quantity that is not told is one, and below
-- nothing it is none, as orders and rules have it.
SELECT a.event_id, a.origin_id, a.received_at, l.line, left(l.product ->> 'product_id', 255) AS product_id,
       left(l.product ->> 'name', 255) AS name, left(l.product ->> 'category', 255) AS category,
       left(l.product ->> 'brand', 255) AS brand,
       round(n.quantity * 1000)::bigint AS quantity_milli,
       round(n.price * n.quantity * 1000000)::bigint AS amount_micro,
       round(n.cost * n.quantity * 1000000)::bigint AS cost_micro,
       round(n.discount * 1000000)::bigint AS discount_micro
FROM store_activity a,
     jsonb_array_elements(CASE jsonb_typeof(a.properties -> 'products')
                          WHEN 'array' THEN a.properties -> 'products' ELSE '[]' END)
         WITH ORDINALITY AS l (product, line),
     LATERAL (SELECT
         CASE WHEN l.product ->> 'quantity' ~ '^[0-9]{1,6}([.][0-9]{1,12})?$'
              THEN (l.product ->> 'quantity')::numeric
              WHEN l.product ->> 'quantity' ~ '^-[0-9]+([.][0-9]+)?$' THEN 0 ELSE 1 END AS quantity,
         CASE WHEN l.product ->> 'price' ~ '^[0-9]{1,6}([.][0-9]{1,12})?$'
              THEN (l.product ->> 'price')::numeric END AS price,
         CASE WHEN l.product ->> 'cost' ~ '^[0-9]{1,6}([.][0-9]{1,12})?$'
              THEN (l.product ->> 'cost')::numeric END AS cost,
         CASE WHEN l.product ->> 'discount' ~ '^[0-9]{1,6}([.][0-9]{1,12})?$'
              THEN (l.product ->> 'discount')::numeric END AS discount) AS n
WHERE a.position <= %(upto)s AND a.type = 'track' AND a.name = 'Order Completed'
  AND jsonb_typeof(l.product) = 'object'

-- name: warehouse_owners
WITH RECURSIVE up AS (
    SELECT s.id, s.merged_into FROM store_profile s WHERE s.id = ANY (%(subjects)s::bigint[])
    UNION
    SELECT s.id, s.merged_into FROM up JOIN store_profile s ON s.id = up.merged_into
)
SELECT a.event_id, a.origin_id FROM store_activity a
WHERE a.profile_id IN (SELECT up.id FROM up WHERE up.merged_into IS NULL) AND a.type <> 'system'

-- name: warehouse_touched
-- Every profile joined with one that something happened to, and those that are gone.
WITH RECURSIVE seen AS (
    SELECT DISTINCT a.profile_id AS id FROM store_activity a
    WHERE a.position > %(after)s AND a.position <= %(upto)s
    UNION
    SELECT p.id::bigint FROM store_activity a, jsonb_array_elements_text(a.properties -> 'profiles') AS p (id)
    WHERE a.position > %(after)s AND a.position <= %(upto)s
      AND a.type = 'system' AND a.name = 'Profile Unmerged' AND a.source_id = 1
), up AS (
    SELECT s.id, s.merged_into FROM seen JOIN store_profile s USING (id)
    UNION
    SELECT s.id, s.merged_into FROM up JOIN store_profile s ON s.id = up.merged_into
), down AS (
    SELECT up.id, up.id AS root_id FROM up WHERE up.merged_into IS NULL
    UNION ALL
    SELECT s.id, down.root_id FROM down JOIN store_profile s ON s.merged_into = down.id
), touched AS (
    SELECT down.id, down.root_id FROM down
    UNION ALL
    SELECT seen.id, NULL FROM seen WHERE NOT EXISTS (SELECT FROM store_profile s WHERE s.id = seen.id)
)

-- name: warehouse_every
WITH RECURSIVE touched AS (
    SELECT s.id, s.id AS root_id FROM store_profile s WHERE s.merged_into IS NULL
    UNION ALL
    SELECT s.id, t.root_id FROM touched t JOIN store_profile s ON s.merged_into = t.id
)

-- name: warehouse_profiles
SELECT t.id AS profile_id, t.root_id, p.merged_into, p.user_id, p.name, p.email, p.phone, p.traits,
       p.consents, p.first_seen_at, p.last_seen_at, p.event_count, p.event_counts, p.order_count,
       p.revenue_minor, p.first_order_at, p.last_order_at, p.identifier_count
FROM touched t LEFT JOIN store_profile p ON p.id = t.id

-- name: warehouse_identities
SELECT t.id AS profile_id, i.kind, i.value, i.origin_id, i.source_id, i.event_id, i.first_seen_at
FROM touched t LEFT JOIN store_identifier i ON i.profile_id = t.id

-- name: warehouse_orders
SELECT t.id AS profile_id, o.order_id, o.placed_at, o.event_id, o.total_minor, o.currency, o.items,
       o.refunded_minor, o.is_refunded, o.is_cancelled
FROM touched t LEFT JOIN store_order o ON o.profile_id = t.id

-- name: warehouse_links_horizon
-- Of households and companies and what was said of them no activity tells: the cursor is a
-- transaction id below all that are still running.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: warehouse_links
-- A link that is no more is told by its key, unless it is there again.
SELECT l.kind || ':' || l.link_key || ':' || l.profile_id AS link_id, l.kind,
       l.link_key::text AS link_key, l.profile_id, l.label, l.probability, l.found_at
FROM store_link l, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE (%(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
       OR age(l.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid))
UNION ALL
SELECT g.key, NULL, NULL, NULL, NULL, NULL, NULL
FROM warehouse_gone g, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE g.export = 'links'
  AND (%(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
       OR age(g.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid))
  AND NOT EXISTS (SELECT FROM store_link l WHERE l.profile_id = g.profile_id
                  AND l.kind || ':' || l.link_key || ':' || l.profile_id = g.key)

-- name: warehouse_all_links
SELECT l.kind || ':' || l.link_key || ':' || l.profile_id AS link_id, l.kind,
       l.link_key::text AS link_key, l.profile_id, l.label, l.probability, l.found_at
FROM store_link l

-- name: warehouse_link_reviews
-- What was decided and taken back is told as what is no more.
SELECT c.id AS review_id, d.kind, d.state, d.one_id, d.other_id, d.decided_at
FROM store_link_candidate c
LEFT JOIN store_link_candidate d ON d.id = c.id AND d.state <> 'open', (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE c.kind <> 'person' AND c.decided_at IS NOT NULL
  AND (%(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
       OR age(c.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid))
UNION ALL
SELECT g.key::bigint, NULL, NULL, NULL, NULL, NULL
FROM warehouse_gone g, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
WHERE g.export = 'link_reviews'
  AND (%(after)s = 0 OR %(after)s > x.next OR x.next - %(after)s > 2000000000
       OR age(g.xmin) <= age((%(after)s::bigint & 4294967295)::text::xid))

-- name: warehouse_all_link_reviews
SELECT c.id AS review_id, c.kind, c.state, c.one_id, c.other_id, c.decided_at
FROM store_link_candidate c WHERE c.kind <> 'person' AND c.state <> 'open'

-- name: warehouse_log_days
-- The log as the events' table must have it: by the day of receipt, how many and which. Some of
-- Amity's own events are orders to the fold, and no activity comes of them.
SELECT (l.received_at AT TIME ZONE 'UTC')::date::text, count(*), sum(l.id::numeric)::text
FROM store_event_log l, store_consumer c
WHERE c.name = 'profiles' AND (l.xid, l.id) <= (c.xid, c.event_id) AND l.source_id <> 1
GROUP BY 1
