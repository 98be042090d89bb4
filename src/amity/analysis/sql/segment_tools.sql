-- name: record_segment_version
-- Nothing when the segment stands as its latest version does.
INSERT INTO analysis_segment_version (segment_id, number, name, description, rule, rule_version,
                                      how, restored_from, changed_by, changed_at)
SELECT s.id, coalesce(v.number, 0) + 1, s.name, s.description, s.rule, s.version,
       %(how)s, %(restored_from)s, %(by)s, %(now)s
FROM analysis_segment s
LEFT JOIN LATERAL (SELECT * FROM analysis_segment_version v WHERE v.segment_id = s.id
                   ORDER BY v.number DESC LIMIT 1) v ON true
WHERE s.id = %(segment_id)s
  AND (v.name, v.description, v.rule, v.rule_version)
      IS DISTINCT FROM (s.name, s.description, s.rule, s.version)

-- name: list_segment_versions
SELECT segment_id, number, name, description, rule, rule_version, how, restored_from,
       changed_by, changed_at
FROM analysis_segment_version WHERE segment_id = %s ORDER BY number DESC LIMIT %s

-- name: get_segment_version
SELECT segment_id, number, name, description, rule, rule_version, how, restored_from,
       changed_by, changed_at
FROM analysis_segment_version WHERE segment_id = %s AND number = %s
