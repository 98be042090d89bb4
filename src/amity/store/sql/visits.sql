-- name: visit_spans
SELECT s.origin_id, least(s.begins_at, min(v.run_started_at)) AS begins_at,
       greatest(s.ends_at, max(v.run_ended_at)) AS ends_at, count(v.visit_id)
FROM unnest(%(origins)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
     WITH ORDINALITY AS s (origin_id, begins_at, ends_at, number)
LEFT JOIN store_visit v ON v.origin_id = s.origin_id
    AND v.run_ended_at > s.begins_at - %(idle)s::interval
    AND v.run_started_at < s.ends_at + %(idle)s::interval
GROUP BY s.number, s.origin_id, s.begins_at, s.ends_at

-- name: visit_activity
WITH RECURSIVE up AS (
    SELECT p.id AS origin_id, p.id, p.merged_into FROM store_profile p
    WHERE p.id = ANY (%(origins)s::bigint[])
    UNION ALL
    SELECT up.origin_id, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT a.position, a.profile_id, a.event_id, a.source_id, a.occurred_at, a.received_at, a.type,
       a.name, a.properties, a.context, a.origin_id
FROM unnest(%(origins)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
     AS s (origin_id, begins_at, ends_at)
JOIN up ON up.origin_id = s.origin_id AND up.merged_into IS NULL
JOIN store_activity a ON a.profile_id = up.id AND a.origin_id = s.origin_id
    AND a.occurred_at BETWEEN s.begins_at AND s.ends_at
WHERE a.position <= %(last)s AND a.type IN ('page', 'screen', 'track')

-- name: visit_delete
DELETE FROM store_visit v
USING unnest(%(origins)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
      AS s (origin_id, begins_at, ends_at)
WHERE v.origin_id = s.origin_id AND v.started_at BETWEEN s.begins_at AND s.ends_at

-- name: visit_insert
INSERT INTO store_visit (visit_id, origin_id, kind, started_at, ended_at, run_started_at,
    run_ended_at, page_views, event_count, landing_page, exit_page, pages, referrer, referrer_kind,
    campaign, device, order_count, revenue_minor, machine, topics)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::timestamptz[], %s::integer[], %s::integer[], %s::text[], %s::text[],
    %s::jsonb[], %s::text[], %s::text[], %s::jsonb[], %s::text[], %s::integer[], %s::bigint[],
    %s::text[], %s::jsonb[])

-- name: interest_visits
SELECT o.origin_id, v.ended_at, v.topics::text
FROM unnest(%s::bigint[]) AS o (origin_id)
CROSS JOIN LATERAL (
    SELECT visit_id, ended_at, topics FROM store_visit v
    WHERE v.origin_id = o.origin_id ORDER BY v.started_at DESC, v.visit_id DESC LIMIT 300) v
WHERE v.topics <> '{}'

-- name: interest_forget
DELETE FROM store_interest WHERE origin_id = ANY (%s::bigint[])

-- name: interest_write
INSERT INTO store_interest (origin_id, reference_at, topics, due_at)
SELECT origin_id, reference_at, topics, reference_at
FROM unnest(%s::bigint[], %s::timestamptz[], %s::jsonb[]) AS n (origin_id, reference_at, topics)
ON CONFLICT (origin_id) DO UPDATE SET reference_at = excluded.reference_at,
    topics = excluded.topics, due_at = excluded.due_at

-- name: interest_stir
UPDATE store_interest SET due_at = reference_at WHERE origin_id = ANY (%s::bigint[])

-- name: interest_due
SELECT origin_id FROM store_interest WHERE due_at <= %s ORDER BY due_at, origin_id LIMIT %s

-- name: interest_joined
-- The interests of all who are joined with some origins today, by the profile they are.
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
), joined AS (
    SELECT id AS root_id, id FROM up WHERE merged_into IS NULL
    UNION ALL
    SELECT joined.root_id, p.id FROM joined JOIN store_profile p ON p.merged_into = joined.id
)
SELECT joined.root_id, i.origin_id, i.reference_at, i.topics::text, (p.traits -> 'interests')::text
FROM joined JOIN store_interest i ON i.origin_id = joined.id
JOIN store_profile p ON p.id = joined.root_id
ORDER BY joined.root_id, i.origin_id

-- name: interest_set_due
UPDATE store_interest i SET due_at = d.due_at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS d (origin_id, due_at)
WHERE i.origin_id = d.origin_id

-- name: interest_lag
-- Whether there is much to read yet, or what is next came a while ago.
SELECT coalesce(c.position + 1000 < (SELECT max(position) FROM store_activity), false)
    OR EXISTS (
        SELECT FROM store_activity a WHERE a.received_at < %(fresh)s AND a.position = (
            SELECT min(n.position) FROM store_activity n WHERE n.position > c.position))
FROM store_consumer c WHERE c.name = %(name)s

-- name: list_interests_of
WITH RECURSIVE joined AS (
    SELECT id FROM store_profile WHERE id = %s
    UNION ALL
    SELECT p.id FROM joined JOIN store_profile p ON p.merged_into = joined.id
)
SELECT i.reference_at, i.topics::text FROM joined JOIN store_interest i ON i.origin_id = joined.id

-- name: list_visits_of
WITH RECURSIVE joined AS (
    SELECT id FROM store_profile WHERE id = %(profile_id)s
    UNION ALL
    SELECT p.id FROM joined JOIN store_profile p ON p.merged_into = joined.id
)
SELECT v.visit_id, v.kind, v.started_at, v.ended_at, v.run_started_at, v.run_ended_at,
       v.page_views, v.event_count, v.landing_page, v.exit_page, v.pages, v.referrer,
       v.referrer_kind, v.campaign, v.device, v.order_count, v.revenue_minor, v.machine, v.topics
FROM joined JOIN store_visit v ON v.origin_id = joined.id
WHERE v.kind <> 'elsewhere'
  AND (%(before)s::timestamptz IS NULL
       OR (v.started_at, v.visit_id) < (%(before)s::timestamptz, %(before_id)s::bigint))
ORDER BY v.started_at DESC, v.visit_id DESC LIMIT %(limit)s

-- name: visit_touches
-- The first visit, and the last that says where it came from; without one that says so the last.
WITH RECURSIVE joined AS (
    SELECT id FROM store_profile WHERE id = %(profile_id)s
    UNION ALL
    SELECT p.id FROM joined JOIN store_profile p ON p.merged_into = joined.id
), visits AS (
    SELECT v.visit_id, v.started_at,
           v.campaign = '{}' AND v.referrer_kind IN ('direct', 'own') AS is_direct
    FROM joined JOIN store_visit v ON v.origin_id = joined.id
    WHERE v.kind <> 'elsewhere' AND v.machine = ''
)
SELECT (SELECT visit_id FROM visits ORDER BY started_at, visit_id LIMIT 1),
       (SELECT visit_id FROM visits ORDER BY is_direct, started_at DESC, visit_id DESC LIMIT 1),
       (SELECT count(*) FROM visits),
       (SELECT count(*) FROM joined JOIN store_visit v ON v.origin_id = joined.id
        WHERE v.machine <> '')

-- name: visits_by_id
SELECT v.visit_id, v.kind, v.started_at, v.ended_at, v.run_started_at, v.run_ended_at,
       v.page_views, v.event_count, v.landing_page, v.exit_page, v.pages, v.referrer,
       v.referrer_kind, v.campaign, v.device, v.order_count, v.revenue_minor, v.machine, v.topics
FROM store_visit v WHERE v.visit_id = ANY (%s::bigint[])

-- name: visit_shares
SELECT referrer_kind, source, count(*) FILTER (WHERE machine = '')::integer,
       count(*) FILTER (WHERE machine <> '')::integer,
       count(*) FILTER (WHERE machine = '' AND event_count = 1)::integer,
       coalesce(sum(order_count) FILTER (WHERE machine = ''), 0)::integer,
       coalesce(sum(revenue_minor) FILTER (WHERE machine = ''), 0)::bigint
FROM (
    SELECT CASE WHEN campaign <> '{}' THEN 'campaign' ELSE referrer_kind END AS referrer_kind,
           coalesce(campaign ->> 'source', campaign ->> 'click_id', nullif(referrer, ''), 'direct')
               AS source,
           machine, event_count, order_count, revenue_minor
    FROM store_visit
    WHERE started_at > %s AND kind <> 'elsewhere') v
GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC, 1, 2 LIMIT %s

-- name: page_topics
SELECT url, product_id, topics::text FROM store_page
WHERE (url = ANY (%s::text[]) OR (product_id <> '' AND product_id = ANY (%s::text[])))
  AND topics <> '{}' AND status = 200
ORDER BY url
