-- Lists of segments: pages, numbers and names, without reading every rule.

-- name: segment_page
-- In the rule a search looks at names and values, not at the words of the language itself.
WITH wanted AS (
    SELECT id, name, description, version, state, members, created_by, created_at, updated_at,
           CASE %(order)s WHEN 'name' THEN lower(name) ELSE '' END AS by_text,
           CASE %(order)s WHEN 'members' THEN -members WHEN 'made' THEN -id
                WHEN 'changed' THEN -(extract(epoch FROM updated_at) * 1000000)::bigint
                ELSE 0 END AS by_number
    FROM analysis_segment
    WHERE (%(state)s::text IS NULL AND state <> 'archived' OR state = %(state)s OR %(state)s = 'any')
      AND (%(made_by)s = '' OR lower(created_by) = lower(%(made_by)s))
      AND (%(search)s = '' OR strpos(lower(name), lower(%(search)s)) > 0
           OR strpos(lower(description), lower(%(search)s)) > 0
           OR strpos(lower(rule::text), lower(%(in_rule)s)) > 0
              AND (NOT %(is_language)s OR strpos(lower(regexp_replace(rule::text,
                  '"(node|op)": "[^"]*"|"[a-z_]+": ', '', 'g')), lower(%(in_rule)s)) > 0))
)
SELECT w.id, w.name, w.description, w.version, w.state, w.members, w.created_by, w.created_at,
       w.updated_at, s.rule, w.by_text, w.by_number
FROM (
    SELECT * FROM wanted
    WHERE %(after_id)s::integer IS NULL
       OR (by_text, by_number, id) > (%(after_text)s::text, %(after_number)s::bigint, %(after_id)s::integer)
    ORDER BY by_text, by_number, id LIMIT %(limit)s
) w JOIN analysis_segment s USING (id)
ORDER BY w.by_text, w.by_number, w.id

-- name: segment_numbers
SELECT state, count(*), sum(members)::bigint FROM analysis_segment
WHERE %(search)s = '' OR strpos(lower(name), lower(%(search)s)) > 0
   OR strpos(lower(description), lower(%(search)s)) > 0
   OR strpos(lower(rule::text), lower(%(in_rule)s)) > 0
      AND (NOT %(is_language)s OR strpos(lower(regexp_replace(rule::text,
          '"(node|op)": "[^"]*"|"[a-z_]+": ', '', 'g')), lower(%(in_rule)s)) > 0)
GROUP BY state

-- name: segment_names
SELECT id, name FROM analysis_segment
WHERE CASE WHEN %(ids)s::integer[] IS NULL THEN state <> 'archived' ELSE id = ANY (%(ids)s) END
ORDER BY lower(name), id

-- name: segments_named_in
SELECT id, name, state FROM analysis_segment WHERE id = ANY (%s::integer[])

-- name: segment_makers
SELECT created_by, count(*) FROM analysis_segment WHERE state <> 'archived' AND created_by <> ''
GROUP BY created_by ORDER BY count(*) DESC, created_by LIMIT 50

-- name: latest_segment_counts
SELECT wanted, c.day, c.members, c.method
FROM unnest(%(ids)s::integer[]) AS wanted
CROSS JOIN LATERAL (
    SELECT day, members, method FROM analysis_segment_count
    WHERE segment_id = wanted ORDER BY day DESC LIMIT %(most)s
) c
ORDER BY wanted, c.day
