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
