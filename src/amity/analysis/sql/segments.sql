-- name: lock_segments
SELECT pg_advisory_xact_lock(hashtext('amity.segments'))

-- name: insert_segment
INSERT INTO analysis_segment (name, description, rule, state, created_by, created_at, updated_at)
VALUES (%(name)s, %(description)s, %(rule)s, 'building', %(by)s, %(now)s, %(now)s)
RETURNING id

-- name: update_segment
UPDATE analysis_segment SET
    name = %(name)s,
    description = %(description)s,
    rule = %(rule)s,
    updated_at = %(now)s,
    version = version + %(is_changed)s::boolean::integer,
    state = CASE WHEN %(is_changed)s THEN 'building' ELSE state END,
    weeks_reconstructed = CASE WHEN %(is_changed)s THEN 0 ELSE weeks_reconstructed END
WHERE id = %(segment_id)s

-- name: forget_counts
DELETE FROM analysis_segment_count WHERE segment_id = %s

-- name: archive_segment
UPDATE analysis_segment SET state = 'archived', updated_at = %(now)s WHERE id = %(segment_id)s

-- name: restore_segment
WITH forgotten AS (DELETE FROM analysis_segment_filling WHERE segment_id = %(segment_id)s)
UPDATE analysis_segment SET state = 'building', updated_at = %(now)s
WHERE id = %(segment_id)s AND state = 'archived'

-- name: select_segments
SELECT id, name, description, version, state, members, created_by, created_at, updated_at
FROM analysis_segment ORDER BY lower(name), id

-- name: select_segment_rules
SELECT id, rule FROM analysis_segment WHERE id = ANY(%s::integer[])

-- name: select_segments_using
SELECT id FROM analysis_segment
WHERE state <> 'archived' AND jsonb_path_exists(
    rule, '$.**.segment_id ? (@ == $wanted)', jsonb_build_object('wanted', %s::integer))
ORDER BY lower(name), id

-- name: list_members
SELECT m.id, m.segment_id, s.name, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m JOIN analysis_segment s ON s.id = m.segment_id
WHERE m.segment_id = %(segment_id)s AND m.left_at IS NULL
  AND (%(before)s::bigint IS NULL OR m.id < %(before)s)
ORDER BY m.id DESC LIMIT %(limit)s

-- name: list_memberships
SELECT m.id, m.segment_id, s.name, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m JOIN analysis_segment s ON s.id = m.segment_id
WHERE m.profile_id = %s
ORDER BY m.left_at IS NULL DESC, m.id DESC LIMIT 1000

-- name: list_entered
SELECT m.id, m.segment_id, s.name, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m JOIN analysis_segment s ON s.id = m.segment_id
WHERE m.segment_id = %(segment_id)s
ORDER BY m.entered_at DESC, m.id DESC LIMIT %(limit)s

-- name: list_left
SELECT m.id, m.segment_id, s.name, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m JOIN analysis_segment s ON s.id = m.segment_id
WHERE m.segment_id = %(segment_id)s AND m.left_at IS NOT NULL
ORDER BY m.left_at DESC, m.id DESC LIMIT %(limit)s

-- name: list_counts
SELECT day, members, method FROM analysis_segment_count WHERE segment_id = %s ORDER BY day

-- name: select_memberships
SELECT segment_id FROM analysis_membership WHERE profile_id = %s AND left_at IS NULL

-- name: count_people
SELECT count(*) FROM store_profile WHERE merged_into IS NULL

-- name: unknown_traits
SELECT wanted FROM unnest(%s::text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM store_profile p WHERE p.merged_into IS NULL AND p.traits ? wanted)

-- name: unknown_events
SELECT wanted FROM unnest(%s::text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM store_activity a WHERE a.name = wanted)

-- name: unknown_purposes
SELECT wanted FROM unnest(%s::text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM store_profile p WHERE p.consents ? wanted)

-- name: score_names
-- From one name to the next by the index, whatever the number of customers.
WITH RECURSIVE found AS (
    (SELECT name FROM analysis_score ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT s.name FROM analysis_score s WHERE s.name > f.name ORDER BY s.name LIMIT 1)
    FROM found f WHERE f.name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL

-- name: count_scored
SELECT count(*) FROM analysis_score WHERE name = %s
