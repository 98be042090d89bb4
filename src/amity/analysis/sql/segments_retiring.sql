-- name: list_retired
-- Of these profiles and those merged into them, the ones that are no more or merged into others.
SELECT c.id FROM (
    SELECT unnest(%(ids)s::bigint[]) AS id
    UNION SELECT p.id FROM store_profile p WHERE p.merged_into = ANY (%(ids)s::bigint[])) AS c
LEFT JOIN store_profile p ON p.id = c.id
WHERE p.id IS NULL OR p.merged_into IS NOT NULL

-- name: retire
-- Nobody left: whose stays these were is another profile now.
UPDATE analysis_membership SET left_at = %(now)s, is_retired = true
WHERE profile_id = ANY (%(ids)s::bigint[]) AND left_at IS NULL RETURNING segment_id, -1

-- name: forget_retired_timers
DELETE FROM analysis_timer WHERE profile_id = ANY (%s::bigint[])

-- name: reopen
-- The stays of profiles that are by themselves again go on as if nothing had been.
UPDATE analysis_membership m SET left_at = NULL, is_retired = false
FROM (SELECT DISTINCT ON (segment_id, profile_id) id FROM analysis_membership
      WHERE profile_id = ANY (%s::bigint[]) ORDER BY segment_id, profile_id, id DESC) AS latest,
     analysis_segment s, store_profile p
WHERE m.id = latest.id AND m.is_retired AND s.id = m.segment_id AND s.state = 'live'
  AND p.id = m.profile_id AND p.merged_into IS NULL
RETURNING m.segment_id, 1
