-- name: list_members_at
SELECT m.id, m.segment_id, s.name, m.profile_id, m.entered_at, m.left_at
FROM analysis_membership m JOIN analysis_segment s ON s.id = m.segment_id
WHERE m.segment_id = %(segment_id)s AND m.entered_at <= %(at)s
  AND (m.left_at IS NULL OR m.left_at > %(at)s)
  AND (%(before)s::bigint IS NULL OR m.id < %(before)s)
ORDER BY m.id DESC LIMIT %(limit)s

-- name: memberships_at
SELECT m.segment_id, m.entered_at, m.left_at FROM analysis_membership m
WHERE m.profile_id = ANY (%(ids)s) AND m.entered_at <= %(at)s
  AND (m.left_at IS NULL OR m.left_at > %(at)s)
ORDER BY m.entered_at

-- name: rule_at
SELECT v.rule, v.rule_version FROM analysis_segment_version v
WHERE v.segment_id = %(segment_id)s AND v.changed_at <= %(at)s
ORDER BY v.number DESC LIMIT 1
