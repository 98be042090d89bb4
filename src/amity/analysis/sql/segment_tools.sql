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

-- name: segment_overlap
-- By the set of segments a customer is in, as bits in the order asked, how many.
SELECT bits, count(*) FROM (
    SELECT bit_or(d.bit) AS bits
    FROM unnest(%(segment_ids)s::integer[], %(bits)s::integer[]) AS d(segment_id, bit)
    JOIN analysis_membership m ON m.segment_id = d.segment_id AND m.left_at IS NULL
    GROUP BY m.profile_id) AS each
GROUP BY bits ORDER BY count(*) DESC, bits

-- name: segment_overlap_members
SELECT m.profile_id FROM analysis_membership m
WHERE m.segment_id = %(first)s AND m.left_at IS NULL
  AND (%(before)s::bigint IS NULL OR m.profile_id < %(before)s)
  AND (SELECT count(*) FROM analysis_membership o
       WHERE o.profile_id = m.profile_id AND o.left_at IS NULL
         AND o.segment_id = ANY (%(inside)s::integer[])) = cardinality(%(inside)s::integer[])
  AND NOT EXISTS (SELECT FROM analysis_membership o
       WHERE o.profile_id = m.profile_id AND o.left_at IS NULL
         AND o.segment_id = ANY (%(outside)s::integer[]))
ORDER BY m.profile_id DESC LIMIT %(limit)s

-- name: segment_movement
-- Who was in it at two moments; a stay that ended by a merge is told apart.
WITH stays AS MATERIALIZED (
    SELECT m.profile_id,
           bool_or(m.entered_at <= %(since)s AND (m.left_at IS NULL OR m.left_at > %(since)s)) AS before,
           bool_or(m.entered_at <= %(until)s AND (m.left_at IS NULL OR m.left_at > %(until)s)) AS after,
           bool_or(m.is_retired AND m.left_at > %(since)s AND m.left_at <= %(until)s) AS is_merged,
           max(m.entered_at) AS entered_at, max(m.left_at) AS left_at
    FROM analysis_membership m
    WHERE m.segment_id = %(segment_id)s AND m.entered_at <= %(until)s
      AND (m.left_at IS NULL OR m.left_at > %(since)s)
    GROUP BY m.profile_id)
SELECT count(*) FILTER (WHERE before), count(*) FILTER (WHERE after),
       count(*) FILTER (WHERE before AND after),
       count(*) FILTER (WHERE after AND NOT before),
       count(*) FILTER (WHERE before AND NOT after AND NOT is_merged),
       count(*) FILTER (WHERE before AND NOT after AND is_merged),
       count(*) FILTER (WHERE NOT before AND NOT after),
       ARRAY(SELECT profile_id FROM stays WHERE after AND NOT before
             ORDER BY entered_at DESC, profile_id LIMIT %(examples)s),
       ARRAY(SELECT profile_id FROM stays WHERE before AND NOT after AND NOT is_merged
             ORDER BY left_at DESC, profile_id LIMIT %(examples)s)
FROM stays

-- name: segment_moves_by_day
SELECT day, sum(entered)::bigint, sum("left")::bigint FROM (
    SELECT (m.entered_at AT TIME ZONE 'UTC')::date AS day, 1 AS entered, 0 AS "left"
    FROM analysis_membership m
    WHERE m.segment_id = %(segment_id)s AND m.entered_at > %(since)s AND m.entered_at <= %(until)s
    UNION ALL
    SELECT (m.left_at AT TIME ZONE 'UTC')::date, 0, 1 FROM analysis_membership m
    WHERE m.segment_id = %(segment_id)s AND m.left_at > %(since)s AND m.left_at <= %(until)s
      AND NOT m.is_retired) AS moves
GROUP BY day ORDER BY day

-- name: segment_rule_changes
SELECT v.changed_at, v.changed_by FROM analysis_segment_version v
WHERE v.segment_id = %(segment_id)s AND v.changed_at > %(since)s AND v.changed_at <= %(until)s
  AND EXISTS (SELECT FROM analysis_segment_version e WHERE e.segment_id = v.segment_id
              AND e.number = v.number - 1 AND e.rule_version < v.rule_version)
ORDER BY v.number LIMIT 20
