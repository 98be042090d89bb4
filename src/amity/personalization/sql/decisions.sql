-- name: select_decisions
SELECT d.id, d.decided_at, d.profile_id, p.key, p.kind, d.channel, d.snapshot_id, d.seed, d.policy,
       d.fallback, d.request::text, d.result, d.placement_id, s.definition_id
FROM personalization_decision d
JOIN personalization_placement p ON p.id = d.placement_id
LEFT JOIN personalization_snapshot s ON s.id = d.snapshot_id
WHERE (%(id)s::uuid IS NULL OR d.id = %(id)s)
  AND (%(placement)s::text IS NULL OR p.key = %(placement)s)
  AND (%(profile_ids)s::bigint[] IS NULL OR d.profile_id = ANY (%(profile_ids)s))
  AND (NOT %(fallback_only)s OR d.fallback <> '')
  AND (%(at)s::timestamptz IS NULL OR (d.decided_at, d.id) < (%(at)s, %(before)s::uuid))
ORDER BY d.decided_at DESC, d.id DESC LIMIT %(limit)s

-- name: select_outcomes
SELECT o.decision_id, o.item, o.kind, o.occurred_at, o.value_minor
FROM personalization_outcome o WHERE o.decision_id = ANY (%s::uuid[])
ORDER BY o.decision_id, o.occurred_at, o.kind, o.item

-- name: products_to_show
SELECT p.product_id, p.name, p.category, p.image_url, p.price_minor, p.currency
FROM personalization_product p WHERE p.product_id = ANY (%s::text[])

-- name: replayable_decisions
SELECT d.id, d.decided_at, d.profile_id, d.snapshot_id, d.seed, d.policy, d.fallback,
       d.request::text, d.facts, d.result
FROM personalization_decision d
JOIN personalization_placement p ON p.id = d.placement_id
WHERE (%(placement)s::text IS NULL OR p.key = %(placement)s)
  AND (%(since)s::timestamptz IS NULL OR d.decided_at >= %(since)s)
  AND (%(at)s::timestamptz IS NULL OR (d.decided_at, d.id) < (%(at)s, %(before)s::uuid))
ORDER BY d.decided_at DESC, d.id DESC LIMIT %(limit)s

-- name: count_troubles
INSERT INTO personalization_trouble AS t (day, kind, name, count)
SELECT %(day)s, w.kind, w.name, w.count
FROM unnest(%(kinds)s::text[], %(names)s::text[], %(counts)s::bigint[]) AS w (kind, name, count)
ORDER BY w.kind, w.name
ON CONFLICT (day, kind, name) DO UPDATE SET count = t.count + excluded.count

-- name: list_troubles
SELECT t.day, t.kind, t.name, t.count FROM personalization_trouble t
WHERE t.day > current_date - %s::integer AND t.count > 0
ORDER BY t.day DESC, t.count DESC, t.kind, t.name

-- name: forget_decisions
DELETE FROM personalization_decision WHERE profile_id = ANY (%s::bigint[])

-- name: forget_unknown_decisions
-- What was decided for somebody before anybody knew who it was, asked for by an identifier.
DELETE FROM personalization_decision d
WHERE d.profile_id IS NULL AND EXISTS (
    SELECT FROM jsonb_each_text(d.request -> 'identifiers') AS i (kind, value)
    WHERE lower(i.value) = ANY (%s::text[]))

-- name: forget_outcomes
DELETE FROM personalization_outcome WHERE profile_id = ANY (%s::bigint[])
