-- name: newest_snapshot
SELECT s.id, s.made_at, s.definition_id, s.models FROM personalization_snapshot s
ORDER BY s.id DESC LIMIT 1

-- name: find_snapshot
SELECT s.id, s.made_at, s.definition_id, s.models FROM personalization_snapshot s WHERE s.id = %s

-- name: snapshot_arms
SELECT s.arms FROM personalization_snapshot s WHERE s.id = %s

-- name: snapshot_definition
SELECT d.body FROM personalization_definition d WHERE d.id = %s

-- name: snapshot_model
SELECT m.body FROM personalization_model m WHERE m.id = %s AND m.recommender = %s

-- name: snapshot_products
SELECT p.product_id, p.name, p.category, p.image_url, p.price_minor, p.currency
FROM personalization_product p

-- name: lock_publishing
SELECT pg_advisory_xact_lock(hashtext('amity.personalization'), hashtext('publish'))

-- name: definition_stamp
SELECT (SELECT coalesce(sum(hashtextextended(p::text, 0)), 0)::text FROM personalization_placement p),
       (SELECT coalesce(sum(hashtextextended(o::text, 0)), 0)::text FROM personalization_offer o),
       (SELECT coalesce(sum(hashtextextended(s.id || s.name, 0)), 0)::text FROM analysis_segment s)

-- name: publishable_placements
SELECT p.id, p.key, p.kind, p.slots, p.policy, p.goal, p.is_enabled
FROM personalization_placement p ORDER BY p.id

-- name: publishable_offers
SELECT o.id, o.key, o.headline, o.body, o.image_url, o.action_label, o.action_url, o.placement_ids,
       o.rule, o.purpose, o.cap_count, o.cap_days, o.budget_count, o.starts_at, o.ends_at, o.state
FROM personalization_offer o
WHERE o.state IN ('live', 'paused') AND o.placement_ids <> '{}' ORDER BY o.id

-- name: publishable_segments
SELECT s.id, s.name FROM analysis_segment s WHERE s.id = ANY (%s::integer[]) ORDER BY s.id

-- name: publishable_arms
SELECT a.placement_id, a.offer_id, a.alpha, a.beta, a.impressions FROM personalization_arm a
ORDER BY a.placement_id, a.offer_id

-- name: latest_models
SELECT DISTINCT ON (m.recommender) m.recommender, m.id FROM personalization_model m
ORDER BY m.recommender, m.id DESC

-- name: newest_definition
SELECT d.id, d.body FROM personalization_definition d ORDER BY d.id DESC LIMIT 1

-- name: insert_definition
INSERT INTO personalization_definition (made_at, body) VALUES (%s, %s) RETURNING id

-- name: insert_snapshot
INSERT INTO personalization_snapshot (made_at, definition_id, arms, models)
VALUES (%s, %s, %s, %s) RETURNING id

-- name: facts_memberships
SELECT m.profile_id, m.segment_id FROM analysis_membership m
WHERE m.profile_id = ANY (%s::bigint[]) AND m.segment_id = ANY (%s::integer[]) AND m.left_at IS NULL

-- name: facts_scores
SELECT profile_id, name, value, label, percentile FROM analysis_score
WHERE profile_id = ANY(%s) AND name = ANY(%s)

-- name: facts_impressions
WITH RECURSIVE member AS (
    SELECT id AS root, id FROM unnest(%(ids)s::bigint[]) AS id
    UNION ALL
    SELECT m.root, p.id FROM member m JOIN store_profile p ON p.merged_into = m.id
)
SELECT m.root, o.item, o.occurred_at
FROM member m JOIN personalization_outcome o ON o.profile_id = m.id
WHERE o.kind = 'impression' AND o.occurred_at > %(since)s AND o.item = ANY (%(keys)s::text[])
ORDER BY m.root, o.occurred_at

-- name: facts_viewed
SELECT i.id, v.product_id
FROM unnest(%(ids)s::bigint[]) AS i (id)
CROSS JOIN LATERAL (
    SELECT a.properties ->> 'product_id' AS product_id, a.occurred_at, a.position
    FROM store_activity a WHERE a.profile_id = i.id AND a.name = 'Product Viewed'
    ORDER BY a.occurred_at DESC, a.position DESC LIMIT %(limit)s
) v
WHERE v.product_id <> '' ORDER BY i.id, v.occurred_at DESC, v.position DESC

-- name: facts_bought
SELECT i.id, l.line ->> 'product_id'
FROM unnest(%(ids)s::bigint[]) AS i (id)
CROSS JOIN LATERAL (
    SELECT a.properties -> 'products' AS products, a.occurred_at, a.position
    FROM store_activity a WHERE a.profile_id = i.id AND a.name = 'Order Completed'
    ORDER BY a.occurred_at DESC, a.position DESC LIMIT 5
) o
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(o.products) = 'array' THEN o.products ELSE '[]' END
) WITH ORDINALITY AS l (line, at)
WHERE jsonb_typeof(l.line) = 'object' AND l.line ->> 'product_id' <> ''
ORDER BY i.id, o.occurred_at DESC, o.position DESC, l.at

-- name: find_roots
WITH RECURSIVE up AS (
    SELECT id AS asked, id FROM unnest(%s::bigint[]) AS id
    UNION ALL
    SELECT u.asked, p.merged_into FROM up u JOIN store_profile p ON p.id = u.id
    WHERE p.merged_into IS NOT NULL
)
SELECT u.asked, u.id FROM up u JOIN store_profile p ON p.id = u.id WHERE p.merged_into IS NULL
