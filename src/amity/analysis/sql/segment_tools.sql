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

-- name: sample_members
-- Drawn by a hash of the id: the same each time, and without regard to anything about them.
SELECT m.profile_id FROM analysis_membership m
WHERE m.segment_id = %(segment_id)s AND m.left_at IS NULL
  AND (%(but)s::integer IS NULL OR NOT EXISTS (
      SELECT FROM analysis_membership o WHERE o.segment_id = %(but)s::integer
        AND o.profile_id = m.profile_id AND o.left_at IS NULL))
ORDER BY hashint8(m.profile_id) LIMIT %(limit)s

-- name: sample_others
SELECT p.id FROM store_profile p
WHERE p.merged_into IS NULL AND NOT EXISTS (
    SELECT FROM analysis_membership m WHERE m.segment_id = %(segment_id)s
      AND m.profile_id = p.id AND m.left_at IS NULL)
ORDER BY hashint8(p.id) LIMIT %(limit)s

-- name: count_trait_values
-- Of two groups of customers, how many have each value of each trait; rare values are left out.
SELECT t.key, t.value, count(*) FILTER (WHERE g.inside), count(*) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN store_profile p ON p.id = g.id, jsonb_each(p.traits) AS t
WHERE jsonb_typeof(t.value) IN ('string', 'boolean') AND length(t.value::text) <= 102
GROUP BY t.key, t.value HAVING count(*) >= %(fewest)s::bigint
ORDER BY count(*) DESC, t.key, t.value LIMIT 400

-- name: measure_trait_numbers
SELECT t.key, count(*) FILTER (WHERE g.inside), avg(n.value) FILTER (WHERE g.inside),
       var_samp(n.value) FILTER (WHERE g.inside), count(*) FILTER (WHERE NOT g.inside),
       avg(n.value) FILTER (WHERE NOT g.inside), var_samp(n.value) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN store_profile p ON p.id = g.id, jsonb_each(p.traits) AS t,
LATERAL (SELECT CASE WHEN abs((t.value #>> '{}')::numeric) < 1e15
                     THEN (t.value #>> '{}')::float8 END AS value) AS n
WHERE jsonb_typeof(t.value) = 'number'
GROUP BY t.key HAVING count(n.value) >= %(fewest)s::bigint
ORDER BY count(*) DESC, t.key LIMIT 60

-- name: count_events_done
-- How many did each event at least once, ever.
SELECT e.key, count(*) FILTER (WHERE g.inside), count(*) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN store_profile p ON p.id = g.id, jsonb_object_keys(p.event_counts) AS e(key)
WHERE e.key <> ALL (%(but)s::text[])
GROUP BY e.key HAVING count(*) >= %(fewest)s::bigint ORDER BY count(*) DESC, e.key LIMIT 60

-- name: count_channels
-- How many can be addressed by each way.
SELECT c.words, count(*) FILTER (WHERE g.inside), count(*) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN store_profile p ON p.id = g.id,
LATERAL (
    SELECT 'has an e-mail address' AS words WHERE p.email IS NOT NULL
    UNION ALL SELECT 'has a phone number' WHERE p.phone IS NOT NULL
    UNION ALL SELECT 'is known by a customer number' WHERE p.user_id IS NOT NULL) AS c
GROUP BY c.words ORDER BY count(*) DESC, c.words LIMIT 40

-- name: measure_profiles
-- The figures every profile has, one row a figure.
SELECT f.name, count(f.value) FILTER (WHERE g.inside), avg(f.value) FILTER (WHERE g.inside),
       var_samp(f.value) FILTER (WHERE g.inside), count(f.value) FILTER (WHERE NOT g.inside),
       avg(f.value) FILTER (WHERE NOT g.inside), var_samp(f.value) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN store_profile p ON p.id = g.id,
LATERAL (VALUES
    ('order_count', p.order_count::float8),
    ('event_count', p.event_count::float8),
    ('revenue', p.revenue_minor::float8),
    ('days_known', extract(epoch FROM %(now)s::timestamptz - p.first_seen_at)::float8 / 86400),
    ('days_unseen', extract(epoch FROM %(now)s::timestamptz - p.last_seen_at)::float8 / 86400),
    ('days_since_order',
     extract(epoch FROM %(now)s::timestamptz - p.last_order_at)::float8 / 86400)
) AS f(name, value)
GROUP BY f.name ORDER BY f.name

-- name: measure_scores
SELECT s.name, count(s.value) FILTER (WHERE g.inside), avg(s.value) FILTER (WHERE g.inside),
       var_samp(s.value) FILTER (WHERE g.inside), count(s.value) FILTER (WHERE NOT g.inside),
       avg(s.value) FILTER (WHERE NOT g.inside), var_samp(s.value) FILTER (WHERE NOT g.inside)
FROM unnest(%(ids)s::bigint[], %(inside)s::boolean[]) AS g(id, inside)
JOIN analysis_score s ON s.profile_id = g.id AND s.value IS NOT NULL
GROUP BY s.name ORDER BY s.name LIMIT 60

-- name: find_segment_answer
SELECT answer, computed_at FROM analysis_segment_answer WHERE tool = %s AND asked = %s

-- name: keep_segment_answer
INSERT INTO analysis_segment_answer (tool, asked, answer, computed_at)
VALUES (%(tool)s, %(asked)s, %(answer)s::jsonb, %(now)s)
ON CONFLICT (tool, asked) DO UPDATE SET answer = EXCLUDED.answer, computed_at = EXCLUDED.computed_at

-- name: forget_old_answers
DELETE FROM analysis_segment_answer WHERE computed_at < %s

-- name: list_empty_segments
-- Live segments nobody is in, with since when: made, changed or left by the last one.
SELECT s.id, greatest(
    s.created_at,
    (SELECT max(m.left_at) FROM analysis_membership m WHERE m.segment_id = s.id AND m.left_at IS NOT NULL),
    (SELECT max(v.changed_at) FROM analysis_segment_version v
     WHERE v.segment_id = s.id AND v.rule_version = s.version
       AND NOT EXISTS (SELECT FROM analysis_segment_version e WHERE e.segment_id = v.segment_id
                       AND e.number = v.number - 1 AND e.rule_version = v.rule_version)))
FROM analysis_segment s WHERE s.state = 'live' AND s.members = 0 ORDER BY s.id

-- name: screen_alike
-- Of some members of a segment, the oldest and the latest, how many are in the other.
SELECT count(*), count(o.id) FROM (
    (SELECT profile_id FROM analysis_membership
     WHERE segment_id = %(one)s AND left_at IS NULL ORDER BY profile_id LIMIT 100)
    UNION
    (SELECT profile_id FROM analysis_membership
     WHERE segment_id = %(one)s AND left_at IS NULL ORDER BY id DESC LIMIT 100)) AS few
LEFT JOIN analysis_membership o
    ON o.segment_id = %(other)s AND o.profile_id = few.profile_id AND o.left_at IS NULL

-- name: count_common_members
SELECT count(*) FROM analysis_membership a
JOIN analysis_membership b
    ON b.segment_id = %(other)s AND b.profile_id = a.profile_id AND b.left_at IS NULL
WHERE a.segment_id = %(one)s AND a.left_at IS NULL

-- name: list_rfm_cells
SELECT substr(label, strpos(label, ' ') + 1), count(*) FROM analysis_score
WHERE name = 'rfm' GROUP BY 1 ORDER BY 2 DESC, 1

-- name: sample_profiles
SELECT p.id FROM store_profile p WHERE p.merged_into IS NULL AND p.event_count > 0
ORDER BY hashint8(p.id) LIMIT %s

-- name: profile_figures
-- What customers are grouped by; -1 stands for no order yet.
SELECT p.id, p.order_count, p.revenue_minor, p.event_count,
       greatest(0, extract(epoch FROM %s::timestamptz - p.first_seen_at))::bigint,
       greatest(0, extract(epoch FROM %s::timestamptz - p.last_seen_at))::bigint,
       coalesce(greatest(0, extract(epoch FROM %s::timestamptz - p.last_order_at))::bigint, -1)
FROM store_profile p
WHERE p.merged_into IS NULL AND p.event_count > 0
  AND (%s::bigint[] IS NULL OR p.id = ANY (%s::bigint[]))

-- name: list_flags
-- Which of the asked-for trait values and events customers have, as pairs of customer and place.
SELECT p.id, f.place
FROM store_profile p, jsonb_each(p.traits) AS t
JOIN unnest(%s::text[], %s::jsonb[], %s::bigint[]) AS f(key, value, place)
    ON f.key = t.key AND f.value = t.value
WHERE p.id = ANY (%s::bigint[])
UNION ALL
SELECT p.id, f.place
FROM store_profile p, jsonb_object_keys(p.event_counts) AS e(key)
JOIN unnest(%s::text[], %s::bigint[]) AS f(key, place) ON f.key = e.key
WHERE p.id = ANY (%s::bigint[])

-- name: weigh_flags
-- The sum of the weights of what each customer has, in millionths; who has nothing is left out.
SELECT id, round(sum(weight) * 1000000)::bigint FROM (
    SELECT p.id, f.weight
    FROM store_profile p, jsonb_each(p.traits) AS t
    JOIN unnest(%s::text[], %s::jsonb[], %s::float8[]) AS f(key, value, weight)
        ON f.key = t.key AND f.value = t.value
    WHERE p.merged_into IS NULL
    UNION ALL
    SELECT p.id, f.weight
    FROM store_profile p, jsonb_object_keys(p.event_counts) AS e(key)
    JOIN unnest(%s::text[], %s::float8[]) AS f(key, weight) ON f.key = e.key
    WHERE p.merged_into IS NULL) AS has
GROUP BY id

-- name: list_member_ids
SELECT profile_id FROM analysis_membership WHERE segment_id = %s AND left_at IS NULL
