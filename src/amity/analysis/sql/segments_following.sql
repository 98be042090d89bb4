-- name: segment_versions
SELECT s.id, s.version, s.state, s.name,
       s.state = 'archived' AND EXISTS (
           SELECT FROM analysis_membership m WHERE m.segment_id = s.id AND m.left_at IS NULL)
FROM analysis_segment s ORDER BY s.id

-- name: segment_rules
SELECT id, name, rule, state FROM analysis_segment
WHERE id = ANY(%s::integer[]) AND state <> 'archived' ORDER BY id

-- name: close_segment
UPDATE analysis_membership SET left_at = %(now)s
WHERE segment_id = %(segment_id)s AND left_at IS NULL RETURNING profile_id

-- name: forget_timers
DELETE FROM analysis_timer WHERE segment_id = %s

-- name: set_live
UPDATE analysis_segment SET state = 'live' WHERE id = %s AND state = 'building'

-- name: set_members
UPDATE analysis_segment SET members = (
    SELECT count(*) FROM analysis_membership WHERE segment_id = %(segment_id)s AND left_at IS NULL)
WHERE id = %(segment_id)s

-- name: add_members
UPDATE analysis_segment s SET members = greatest(0, s.members + d.change)
FROM unnest(%s::integer[], %s::bigint[]) AS d(segment_id, change) WHERE s.id = d.segment_id

-- name: due_timers
SELECT segment_id, profile_id FROM analysis_timer WHERE due_at <= %s ORDER BY due_at LIMIT %s

-- name: forget_timers_of
DELETE FROM analysis_timer t USING unnest(%s::integer[], %s::bigint[]) AS d(segment_id, profile_id)
WHERE t.segment_id = d.segment_id AND t.profile_id = d.profile_id

-- name: set_timers
INSERT INTO analysis_timer (segment_id, profile_id, due_at)
SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::timestamptz[])
ON CONFLICT (segment_id, profile_id) DO UPDATE SET due_at = EXCLUDED.due_at

-- name: open_memberships
SELECT profile_id, segment_id FROM analysis_membership
WHERE profile_id = ANY(%s::bigint[]) AND left_at IS NULL

-- name: open_among
-- A look-up a segment, of many profiles.
SELECT m.segment_id, m.profile_id
FROM unnest(%s::integer[], %s::text[]) AS d(segment_id, profile_ids)
CROSS JOIN LATERAL (
    SELECT o.segment_id, o.profile_id FROM analysis_membership o
    WHERE o.segment_id = d.segment_id AND o.profile_id = ANY (d.profile_ids::bigint[])
      AND o.left_at IS NULL) AS m

-- name: enter
INSERT INTO analysis_membership (segment_id, profile_id, entered_at)
SELECT d.segment_id, d.profile_id, %s
FROM unnest(%s::integer[], %s::bigint[]) AS d(segment_id, profile_id)
ON CONFLICT (segment_id, profile_id) WHERE left_at IS NULL DO NOTHING

-- name: leave
UPDATE analysis_membership m SET left_at = %s
FROM unnest(%s::integer[], %s::bigint[]) AS d(segment_id, profile_id)
WHERE m.segment_id = d.segment_id AND m.profile_id = d.profile_id AND m.left_at IS NULL

-- name: timed_by_events
SELECT DISTINCT a.profile_id FROM store_activity a
WHERE a.name = ANY(%(names)s) AND a.profile_id > %(after)s
  AND (%(since)s::timestamptz IS NULL OR a.occurred_at > %(since)s)
ORDER BY a.profile_id LIMIT %(limit)s

-- name: everybody
SELECT id FROM store_profile WHERE merged_into IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s

-- name: filled_to
-- Nothing of a rule that was changed meanwhile.
SELECT f.timed_to FROM analysis_segment_filling f
JOIN analysis_segment s ON s.id = f.segment_id AND s.version = f.version WHERE s.id = %s

-- name: note_filling
INSERT INTO analysis_segment_filling (segment_id, version, timed_to)
SELECT id, version, %(timed_to)s FROM analysis_segment WHERE id = %(segment_id)s
ON CONFLICT (segment_id) DO UPDATE SET version = EXCLUDED.version, timed_to = EXCLUDED.timed_to

-- name: forget_fillings
DELETE FROM analysis_segment_filling WHERE segment_id = ANY (%s::integer[])

-- name: go_on_building
UPDATE analysis_segment SET state = 'building' WHERE id = ANY (%s::integer[]) AND state = 'live'

-- name: count_today
INSERT INTO analysis_segment_count (segment_id, day, members, method)
SELECT s.id, %(day)s, s.members, 'counted' FROM analysis_segment s
WHERE s.state = 'live' AND (%(segment_ids)s::integer[] IS NULL OR s.id = ANY(%(segment_ids)s))
ON CONFLICT (segment_id, day)
DO UPDATE SET members = EXCLUDED.members, method = EXCLUDED.method

-- name: rebuild_memberships
UPDATE analysis_segment SET state = 'building' WHERE state = 'live'

-- name: rebuild_for_purposes
-- Segments that ask for a purpose which was changed since they were looked at.
WITH changed AS (
    SELECT t.id, max(q.updated_at) AS at
    FROM analysis_segment t JOIN store_purpose q ON q.updated_at > t.updated_at
    WHERE t.state <> 'archived' AND jsonb_path_exists(
        t.rule, '$.** ? (@.node == "consent" && @.purpose == $purpose)',
        jsonb_build_object('purpose', q.key))
    GROUP BY t.id),
forgotten AS (DELETE FROM analysis_segment_filling f USING changed c WHERE f.segment_id = c.id)
UPDATE analysis_segment s SET state = 'building', updated_at = changed.at
FROM changed WHERE s.id = changed.id

-- name: next_to_reconstruct
SELECT id, version, rule, weeks_reconstructed FROM analysis_segment
WHERE state = 'live' AND weeks_reconstructed < %s ORDER BY weeks_reconstructed, id LIMIT 1

-- name: add_reconstructed
WITH moved AS (
    UPDATE analysis_segment SET weeks_reconstructed = %(weeks)s
    WHERE id = %(segment_id)s AND version = %(version)s RETURNING id)
INSERT INTO analysis_segment_count (segment_id, day, members, method)
SELECT id, %(day)s, %(members)s::bigint, 'reconstructed' FROM moved WHERE %(members)s::bigint IS NOT NULL
ON CONFLICT (segment_id, day) DO NOTHING
