-- name: live_plans
SELECT id, type, name, source_id, version, policy, allows_unknown, fields, is_live, made_at, made_by, description
FROM store_plan WHERE is_live ORDER BY id

-- name: lock_plans
SELECT pg_advisory_xact_lock(hashtext('amity.plans'))

-- name: insert_plan
INSERT INTO store_plan (type, name, source_id, policy, allows_unknown, description, fields, made_at,
                        made_by, version)
SELECT %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s,
       1 + coalesce(max(version), 0) FROM store_plan WHERE type = %s AND name = %s AND source_id = %s
RETURNING id, type, name, source_id, version, policy, allows_unknown, fields, is_live, made_at, made_by, description

-- name: unpin_plan
UPDATE store_plan SET is_live = false
WHERE is_live AND type = %s AND name = %s AND source_id = %s

-- name: find_live_plan
SELECT id FROM store_plan WHERE is_live AND type = %s AND name = %s AND source_id = %s

-- name: get_plan
SELECT id, type, name, source_id, version, policy, allows_unknown, fields, is_live, made_at, made_by, description
FROM store_plan WHERE id = %s

-- name: list_plans
SELECT id, type, name, source_id, version, policy, allows_unknown, fields, is_live, made_at, made_by, description
FROM store_plan
WHERE (%(type)s::text IS NULL OR type = %(type)s) AND (%(name)s::text IS NULL OR name = %(name)s)
  AND (is_live OR NOT %(live_only)s)
ORDER BY name, type, source_id, version DESC

-- name: add_shapes
INSERT INTO store_shape AS s (day, source_id, type, name, path, seen, nulls, strings, numbers,
                              booleans, lists, objects, least, most, first_at, last_at)
SELECT * FROM unnest(%s::date[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::float8[], %s::float8[], %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (day, source_id, type, name, path) DO UPDATE SET
    seen = s.seen + excluded.seen, nulls = s.nulls + excluded.nulls,
    strings = s.strings + excluded.strings, numbers = s.numbers + excluded.numbers,
    booleans = s.booleans + excluded.booleans, lists = s.lists + excluded.lists,
    objects = s.objects + excluded.objects, least = least(s.least, excluded.least),
    most = greatest(s.most, excluded.most), first_at = least(s.first_at, excluded.first_at),
    last_at = greatest(s.last_at, excluded.last_at)

-- name: shape_paths
SELECT source_id, type, name, path FROM store_shape
WHERE day = ANY (%s::date[]) AND source_id = ANY (%s::integer[]) AND name = ANY (%s::text[])
GROUP BY source_id, type, name, path

-- name: add_findings
INSERT INTO store_finding AS f (day, source_id, type, name, path, kind, seen)
SELECT * FROM unnest(%s::date[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::bigint[])
ON CONFLICT (day, source_id, type, name, path, kind) DO UPDATE SET seen = f.seen + excluded.seen

-- name: add_quality
INSERT INTO store_quality AS q (hour, source_id, events, late, violating, last_at)
SELECT * FROM unnest(%s::timestamptz[], %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::timestamptz[])
ON CONFLICT (hour, source_id) DO UPDATE SET
    events = q.events + excluded.events, late = q.late + excluded.late,
    violating = q.violating + excluded.violating, last_at = greatest(q.last_at, excluded.last_at)

-- name: read_shape
SELECT path, sum(seen)::bigint, sum(strings)::bigint, sum(numbers)::bigint, sum(booleans)::bigint,
       sum(lists)::bigint, sum(objects)::bigint, min(least), max(most), min(first_at), max(last_at)
FROM store_shape
WHERE type = %(type)s AND name = %(name)s
  AND (%(source_id)s::integer IS NULL OR source_id = %(source_id)s)
GROUP BY path ORDER BY path

-- name: list_shapes
SELECT s.type, s.name, s.events, s.first_at, s.last_at, coalesce(f.violations, 0)::bigint,
       coalesce(f.warnings, 0)::bigint
FROM (SELECT type, name, sum(seen)::bigint AS events, min(first_at) AS first_at,
             max(last_at) AS last_at
      FROM store_shape WHERE path = '' GROUP BY type, name) s
LEFT JOIN (SELECT type, name, sum(seen) FILTER (WHERE NOT kind = ANY (%(personal)s)) AS violations,
                  sum(seen) FILTER (WHERE kind = ANY (%(personal)s)) AS warnings
           FROM store_finding GROUP BY type, name) f USING (type, name)
ORDER BY s.events DESC, s.name LIMIT %(limit)s

-- name: list_findings
SELECT source_id, type, name, path, kind, sum(seen)::bigint, max(day) FROM store_finding
WHERE (%(source_id)s::integer IS NULL OR source_id = %(source_id)s)
  AND (%(type)s::text IS NULL OR (type = %(type)s AND name = %(name)s))
GROUP BY source_id, type, name, path, kind ORDER BY sum(seen) DESC, path LIMIT 200

-- name: quality_days
SELECT c.day, sum(stored + duplicate + quarantined + refused)::bigint, sum(stored)::bigint,
       sum(duplicate)::bigint, sum(quarantined)::bigint, sum(refused)::bigint,
       coalesce((SELECT sum(late) FROM store_quality q WHERE q.source_id = c.source_id
           AND (q.hour AT TIME ZONE 'UTC')::date = c.day), 0)::bigint,
       coalesce((SELECT sum(violating) FROM store_quality q WHERE q.source_id = c.source_id
           AND (q.hour AT TIME ZONE 'UTC')::date = c.day), 0)::bigint
       + coalesce((SELECT sum(seen) FROM store_quarantine z WHERE z.source_id = c.source_id
           AND z.reason = 'against_plan' AND (z.received_at AT TIME ZONE 'UTC')::date = c.day), 0)::bigint,
       coalesce((SELECT sum(seen) FROM store_finding f WHERE f.source_id = c.source_id
           AND f.day = c.day AND f.kind = ANY (%(personal)s)), 0)::bigint
FROM store_counter c WHERE c.source_id = %(source_id)s AND c.day >= %(since)s
GROUP BY c.day, c.source_id ORDER BY c.day

-- name: fill_rates
SELECT s.day, s.type, s.name, f.path,
       1 - coalesce(p.filled, 0)::float8 / s.seen
FROM (SELECT day, source_id, type, name, seen FROM store_shape
      WHERE path = '' AND source_id = %(source_id)s AND day >= %(since)s) s
JOIN store_plan l ON l.is_live AND l.type = s.type AND l.source_id IN (0, s.source_id)
    AND (l.name = s.name OR l.type <> 'track')
CROSS JOIN LATERAL (SELECT e.value ->> 'path' AS path FROM jsonb_array_elements(l.fields) e
                    WHERE (e.value ->> 'is_required')::boolean) f
LEFT JOIN LATERAL (SELECT seen - nulls AS filled FROM store_shape x WHERE x.day = s.day
    AND x.source_id = s.source_id AND x.type = s.type AND x.name = s.name AND x.path = f.path) p ON true
ORDER BY s.day DESC, s.name, f.path LIMIT 500

-- name: last_event_of
SELECT source_id, max(last_at) FROM store_quality GROUP BY source_id

-- name: open_alerts
SELECT rule FROM store_alert WHERE closed_at IS NULL AND source_id = %s

-- name: raise_alert
-- One that stands already only says anew how things are.
INSERT INTO store_alert (source_id, rule, words, opened_at, seen_at, raised_event_id)
SELECT %(source_id)s, %(rule)s, %(words)s, %(now)s, %(now)s, nextval('store_event_id')
ON CONFLICT (source_id, rule) WHERE closed_at IS NULL DO NOTHING
RETURNING raised_event_id

-- name: renew_alert
UPDATE store_alert SET words = %(words)s, seen_at = %(now)s
WHERE closed_at IS NULL AND source_id = %(source_id)s AND rule = %(rule)s

-- name: close_alerts
UPDATE store_alert SET closed_at = %(now)s, closed_why = %(why)s, closed_event_id = nextval('store_event_id')
WHERE closed_at IS NULL AND source_id = %(source_id)s AND NOT rule = ANY (%(rules)s::text[])
RETURNING closed_event_id

-- name: acknowledge_alert
UPDATE store_alert SET acknowledged_at = %s, acknowledged_by = %s
WHERE id = %s AND acknowledged_at IS NULL AND closed_at IS NULL

-- name: list_alerts
SELECT a.id, a.source_id, s.name, a.rule, a.words, a.opened_at, a.acknowledged_at,
       a.acknowledged_by, a.closed_at, a.closed_why
FROM store_alert a JOIN store_source s ON s.id = a.source_id
WHERE (%(source_id)s::integer IS NULL OR a.source_id = %(source_id)s)
  AND (NOT %(open_only)s OR a.closed_at IS NULL)
ORDER BY a.closed_at IS NOT NULL, a.opened_at DESC, a.id DESC LIMIT %(limit)s

-- name: count_alerts
SELECT count(*) FROM store_alert WHERE closed_at IS NULL AND acknowledged_at IS NULL

-- name: read_watches
SELECT source_id, terms, muted_until, updated_at, updated_by FROM store_source_watch
WHERE %(source_id)s::integer IS NULL OR source_id = %(source_id)s

-- name: write_watch
INSERT INTO store_source_watch (source_id, terms, muted_until, updated_at, updated_by)
VALUES (%(source_id)s, %(terms)s::jsonb, %(muted_until)s, %(now)s, %(by)s)
ON CONFLICT (source_id) DO UPDATE SET terms = excluded.terms, muted_until = excluded.muted_until,
    updated_at = excluded.updated_at, updated_by = excluded.updated_by

-- name: null_rises
-- Properties that were empty more often from `since` on than in the days before it. One that stands
-- within others has no share of its own: how often there is a place for it is not counted.
WITH sums AS (
    SELECT type, name, path, coalesce(sum(seen - nulls) FILTER (WHERE day >= %(since)s), 0)::float8 AS lately,
           coalesce(sum(seen - nulls) FILTER (WHERE day < %(since)s), 0)::float8 AS before
    FROM store_shape WHERE source_id = %(source_id)s AND day >= %(from)s
    GROUP BY type, name, path
)
SELECT s.type, s.name, s.path, 1 - s.lately / e.lately, 1 - s.before / e.before
FROM sums s JOIN sums e ON e.type = s.type AND e.name = s.name AND e.path = ''
WHERE s.path <> '' AND s.path !~ '[.(\[]' AND e.lately >= %(least)s AND e.before >= %(least)s
  AND s.before / e.before - s.lately / e.lately > %(rise)s
ORDER BY s.before / e.before - s.lately / e.lately DESC, s.name, s.path LIMIT 20

-- name: quality_hours
SELECT hour, events, late, violating FROM store_quality
WHERE source_id = %(source_id)s AND hour > %(since)s ORDER BY hour

-- name: latest_sent
-- With what a sender says of itself: for pictures of the last two days.
SELECT received_at, sent_at, type, body FROM store_event_log
WHERE source_id = %(source_id)s AND received_at > %(now)s::timestamptz - interval '2 days'
ORDER BY xid DESC, id DESC LIMIT %(limit)s
