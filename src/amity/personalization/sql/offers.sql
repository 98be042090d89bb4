-- name: select_placements
SELECT p.id, p.key, p.name, p.description, p.kind, p.slots, p.policy, p.goal, p.goal_metric,
       p.goal_version, p.is_enabled, p.created_by, p.created_at, p.updated_at
FROM personalization_placement p
WHERE (%(id)s::integer IS NULL OR p.id = %(id)s) AND (%(key)s::text IS NULL OR p.key = %(key)s)
ORDER BY lower(p.name), p.id

-- name: lock_placement
SELECT p.id FROM personalization_placement p WHERE p.id = %s FOR UPDATE

-- name: insert_placement
INSERT INTO personalization_placement
    (key, name, description, kind, slots, policy, goal, goal_metric, goal_version, is_enabled,
     created_by, created_at, updated_at)
VALUES (%(key)s, %(name)s, %(description)s, %(kind)s, %(slots)s, %(policy)s, %(goal)s,
        %(goal_metric)s, %(goal_version)s, %(is_enabled)s, %(by)s, %(now)s, %(now)s)
RETURNING id

-- name: update_placement
UPDATE personalization_placement
SET name = %(name)s, description = %(description)s, slots = %(slots)s, policy = %(policy)s,
    goal = %(goal)s, goal_metric = %(goal_metric)s, goal_version = %(goal_version)s,
    is_enabled = %(is_enabled)s, updated_at = %(now)s
WHERE id = %(id)s

-- name: placement_has_arms
SELECT EXISTS (SELECT FROM personalization_arm a WHERE a.placement_id = %s AND a.impressions > 0)

-- name: select_offers
SELECT o.id, o.key, o.name, o.headline, o.body, o.image_url, o.action_label, o.action_url,
       o.placement_ids, o.rule, o.purpose, o.cap_count, o.cap_days, o.budget_count, o.starts_at,
       o.ends_at, o.state, o.created_by, o.created_at, o.updated_at
FROM personalization_offer o
WHERE (%(id)s::integer IS NULL OR o.id = %(id)s) AND (%(state)s::text IS NULL OR o.state = %(state)s)
  AND (%(placement_id)s::integer IS NULL OR %(placement_id)s = ANY (o.placement_ids))
  AND (%(search)s = '' OR position(lower(%(search)s) IN lower(o.name || ' ' || o.key || ' ' || o.headline)) > 0)
ORDER BY lower(o.name), o.id

-- name: lock_offer
SELECT o.id FROM personalization_offer o WHERE o.id = %s FOR UPDATE

-- name: insert_offer
INSERT INTO personalization_offer
    (key, name, headline, body, image_url, action_label, action_url, placement_ids, rule, purpose,
     cap_count, cap_days, budget_count, starts_at, ends_at, state, created_by, created_at, updated_at)
VALUES (%(key)s, %(name)s, %(headline)s, %(body)s, %(image_url)s, %(action_label)s, %(action_url)s,
        %(placement_ids)s, %(rule)s, %(purpose)s, %(cap_count)s, %(cap_days)s, %(budget_count)s,
        %(starts_at)s, %(ends_at)s, 'draft', %(by)s, %(now)s, %(now)s)
RETURNING id

-- name: update_offer
UPDATE personalization_offer
SET name = %(name)s, headline = %(headline)s, body = %(body)s, image_url = %(image_url)s,
    action_label = %(action_label)s, action_url = %(action_url)s,
    placement_ids = %(placement_ids)s, rule = %(rule)s, purpose = %(purpose)s,
    cap_count = %(cap_count)s, cap_days = %(cap_days)s, budget_count = %(budget_count)s,
    starts_at = %(starts_at)s, ends_at = %(ends_at)s, updated_at = %(now)s
WHERE id = %(id)s

-- name: set_offer_state
UPDATE personalization_offer SET state = %(state)s, updated_at = %(now)s WHERE id = %(id)s

-- name: known_placements
SELECT p.id, p.kind FROM personalization_placement p WHERE p.id = ANY (%s::integer[])

-- name: report_arms
SELECT o.id, coalesce(a.impressions, 0), coalesce(a.clicks, 0), coalesce(a.orders, 0),
       coalesce(a.revenue_minor, 0), coalesce(a.unsubscribes, 0), coalesce(a.alpha, 1),
       coalesce(a.beta, 1), o.state = 'live'
FROM personalization_offer o
LEFT JOIN personalization_arm a ON a.offer_id = o.id AND a.placement_id = %(placement_id)s
WHERE o.state <> 'archived' AND %(placement_id)s = ANY (o.placement_ids) OR a.impressions > 0
ORDER BY lower(o.name), o.id

-- name: all_segments
SELECT s.id, s.name, s.state = 'archived' FROM analysis_segment s
