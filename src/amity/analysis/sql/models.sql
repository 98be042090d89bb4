-- Models of what customers will do: their definitions, and who is scored.

-- name: model_add
INSERT INTO analysis_model
    (key, name, event, horizon_days, segment_id, traits, created_by, created_at, is_first)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (key) WHERE archived_at IS NULL DO NOTHING
RETURNING id

-- name: models_list
SELECT m.id, m.key, m.name, m.event, m.horizon_days, m.segment_id, m.traits, m.created_by,
       m.created_at, m.is_first
FROM analysis_model m
WHERE m.archived_at IS NULL AND (%(key)s::text IS NULL OR m.key = %(key)s)
ORDER BY m.name, m.id

-- name: model_archive
UPDATE analysis_model SET archived_at = %s WHERE key = %s AND archived_at IS NULL RETURNING id

-- name: model_members
SELECT profile_id FROM analysis_membership WHERE segment_id = %s AND left_at IS NULL

-- name: model_alive
-- The warehouse may be a while behind: whoever was erased or joined to another has no score.
SELECT id FROM store_profile WHERE id = ANY(%s) AND merged_into IS NULL

-- name: model_events
SELECT profile_id, array_position(%(names)s::text[], name)::bigint,
       floor(extract(epoch FROM occurred_at))::bigint
FROM store_activity
WHERE profile_id = ANY (%(ids)s) AND occurred_at > %(since)s AND occurred_at <= %(until)s
  AND name = ANY (%(names)s) AND type <> 'system'

-- name: model_orders
-- As placed; what was taken back later was not known to what is learnt from.
SELECT profile_id, floor(extract(epoch FROM placed_at))::bigint,
       CASE WHEN currency = %(currency)s THEN total_minor ELSE 0 END
FROM store_order
WHERE profile_id = ANY (%(ids)s) AND placed_at > %(since)s AND placed_at <= %(until)s

-- name: model_trait
SELECT profile_id, floor(extract(epoch FROM occurred_at))::bigint, properties ->> %(trait)s
FROM store_activity
WHERE profile_id = ANY (%(ids)s) AND occurred_at > %(since)s AND occurred_at <= %(until)s
  AND type = 'identify' AND jsonb_typeof(properties -> %(trait)s) = 'string'

-- name: model_done_before
SELECT DISTINCT profile_id FROM store_activity
WHERE profile_id = ANY (%(ids)s) AND name = %(name)s AND occurred_at <= %(since)s

-- name: model_ordered_before
SELECT DISTINCT profile_id FROM store_order
WHERE profile_id = ANY (%(ids)s) AND placed_at <= %(since)s

-- name: model_members_of
SELECT profile_id FROM analysis_membership
WHERE segment_id = %s AND left_at IS NULL AND profile_id = ANY (%s)

-- name: model_kept
SELECT r.id, r.report -> 'kept' FROM analysis_model_run r
WHERE r.estimator = %s AND r.report ->> 'refused' IS NULL ORDER BY r.id DESC LIMIT 1

-- name: model_events_exported
SELECT cursor FROM warehouse_export WHERE name = 'events'
