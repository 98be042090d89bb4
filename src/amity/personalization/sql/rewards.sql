-- name: reward_decisions
-- What was decided, by whom it may be rewarded, and what counts as success there.
SELECT d.id, d.decided_at, d.profile_id, d.placement_id, p.kind, p.goal, d.channel,
       p.goal_metric, p.goal_version, d.result
FROM personalization_decision d JOIN personalization_placement p ON p.id = d.placement_id
WHERE d.id = ANY (%s::uuid[])

-- name: reward_metrics
SELECT DISTINCT p.goal_metric, p.goal_version FROM personalization_placement p
WHERE p.goal = 'metric'

-- name: reward_members
-- Everybody who lives on as one of these, themselves included.
WITH RECURSIVE member AS (
    SELECT id AS root, id FROM unnest(%s::bigint[]) AS id
    UNION ALL
    SELECT m.root, p.id FROM member m JOIN store_profile p ON p.merged_into = m.id
)
SELECT m.id, m.root FROM member m

-- name: reward_decisions_of
SELECT DISTINCT o.decision_id FROM personalization_outcome o
WHERE o.profile_id = ANY (%s::bigint[]) AND o.occurred_at >= %s

-- name: reward_outcomes
SELECT o.decision_id, o.item, o.kind, o.occurred_at, o.profile_id, o.value_minor
FROM personalization_outcome o WHERE o.decision_id = ANY (%s::uuid[])

-- name: reward_orders
SELECT o.profile_id, o.placed_at,
       CASE WHEN o.currency <> %(currency)s OR o.is_refunded THEN 0
            ELSE greatest(o.total_minor - o.refunded_minor, 0) END
FROM store_order o
WHERE o.profile_id = ANY (%(ids)s::bigint[]) AND o.placed_at IS NOT NULL AND NOT o.is_cancelled
  AND o.placed_at >= %(since)s
ORDER BY o.profile_id, o.placed_at, o.order_id

-- name: reward_unsubscribes
SELECT a.profile_id, a.occurred_at FROM store_activity a
WHERE a.profile_id = ANY (%(ids)s::bigint[]) AND a.name = 'Unsubscribed' AND a.occurred_at >= %(since)s
ORDER BY a.profile_id, a.occurred_at

-- name: reward_past_activity
-- What joined profiles did that may have been told of decisions made for one another.
SELECT a.position, a.profile_id, a.event_id, a.source_id, a.occurred_at, a.received_at, a.type,
       a.name, a.properties, a.context, a.origin_id
FROM store_activity a
WHERE a.profile_id = ANY (%(ids)s::bigint[]) AND a.name = ANY (%(names)s::text[])
  AND a.position <= %(position)s
ORDER BY a.position

-- name: write_outcomes
INSERT INTO personalization_outcome AS o
    (decision_id, item, kind, occurred_at, profile_id, value_minor)
SELECT * FROM unnest(%(decisions)s::uuid[], %(items)s::text[], %(kinds)s::text[],
                     %(times)s::timestamptz[], %(profiles)s::bigint[], %(values)s::bigint[])
ON CONFLICT (decision_id, item, kind) DO UPDATE
SET occurred_at = excluded.occurred_at, profile_id = excluded.profile_id,
    value_minor = excluded.value_minor

-- name: delete_outcomes
DELETE FROM personalization_outcome o
USING unnest(%(decisions)s::uuid[], %(items)s::text[], %(kinds)s::text[])
    AS w (decision_id, item, kind)
WHERE o.decision_id = w.decision_id AND o.item = w.item AND o.kind = w.kind

-- name: offer_ids
SELECT o.key, o.id FROM personalization_offer o WHERE o.key = ANY (%s::text[])

-- name: move_arms
INSERT INTO personalization_arm AS a
    (placement_id, offer_id, alpha, beta, impressions, clicks, orders, revenue_minor, unsubscribes)
SELECT w.placement_id, w.offer_id, 1 + w.successes, 1 + w.failures, w.shown, w.clicks, w.orders,
       w.revenue, w.unsubscribes
FROM unnest(%(placements)s::integer[], %(offers)s::integer[], %(successes)s::bigint[],
            %(failures)s::bigint[], %(shown)s::bigint[], %(clicks)s::bigint[],
            %(orders)s::bigint[], %(revenue)s::bigint[], %(unsubscribes)s::bigint[])
    AS w (placement_id, offer_id, successes, failures, shown, clicks, orders, revenue, unsubscribes)
ON CONFLICT (placement_id, offer_id) DO UPDATE SET
    alpha = a.alpha + excluded.alpha - 1, beta = a.beta + excluded.beta - 1,
    impressions = a.impressions + excluded.impressions, clicks = a.clicks + excluded.clicks,
    orders = a.orders + excluded.orders,
    -- a sum past 64 bits is a mistake of somebody's; it must not stop the consumer
    revenue_minor = least(a.revenue_minor::numeric + excluded.revenue_minor, 9e18)::bigint,
    unsubscribes = a.unsubscribes + excluded.unsubscribes
