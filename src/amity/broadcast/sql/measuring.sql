-- What came of a campaign. All of it is read in one transaction with one snapshot, so the figures
-- agree with each other while messages leave.

-- name: measure_ledger
SELECT s.contact_point LIKE 'profile:%%' AS is_excluded, s.state, s.reason, count(*)
FROM broadcast_send s WHERE s.run_kind = 'campaign' AND s.run_id = %s
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3

-- name: measure_drawn
SELECT count(*) FILTER (WHERE arm = 'holdout'), count(*) FILTER (WHERE arm = 'excluded')
FROM broadcast_participant WHERE campaign_id = %s

-- name: measure_arms
-- Each person once, as who they are by now, in the group they were drawn into first, whatever
-- became of their message; with what they ordered within the window after they were drawn.
WITH RECURSIVE up AS (
    SELECT p.profile_id, s.id, s.merged_into
    FROM broadcast_participant p JOIN store_profile s ON s.id = p.profile_id
    WHERE p.campaign_id = %(campaign_id)s AND s.merged_into IS NOT NULL
    UNION ALL
    SELECT up.profile_id, s.id, s.merged_into FROM up JOIN store_profile s ON s.id = up.merged_into
), root AS (
    SELECT profile_id, id FROM up WHERE merged_into IS NULL
), person AS MATERIALIZED (
    SELECT DISTINCT ON (id) id, arm, assigned_at,
           assigned_at + %(window_days)s * interval '1 day' AS until
    FROM (SELECT coalesce(r.id, p.profile_id) AS id, p.profile_id, p.arm, p.assigned_at
          FROM broadcast_participant p LEFT JOIN root r ON r.profile_id = p.profile_id
          WHERE p.campaign_id = %(campaign_id)s AND p.arm <> 'excluded') AS drawn
    ORDER BY id, assigned_at, profile_id
), spent AS (
    SELECT p.id, sum(CASE WHEN o.is_refunded OR o.currency <> %(currency)s THEN 0
                          ELSE greatest(o.total_minor - o.refunded_minor, 0) END)::bigint AS minor
    FROM person p JOIN store_order o ON o.profile_id = p.id
    WHERE o.placed_at >= p.assigned_at AND o.placed_at < p.until AND NOT o.is_cancelled
    GROUP BY p.id
), goal AS (
    SELECT id FROM spent WHERE %(goal_event)s = 'Order Completed'
    UNION
    SELECT p.id FROM person p JOIN store_activity a
      ON a.profile_id = p.id AND a.occurred_at >= p.assigned_at AND a.occurred_at < p.until
    WHERE a.name = %(goal_event)s AND %(goal_event)s <> 'Order Completed'
), sent AS (
    SELECT DISTINCT coalesce(r.id, s.profile_id) AS id
    FROM broadcast_send s LEFT JOIN root r ON r.profile_id = s.profile_id
    WHERE s.run_kind = 'campaign' AND s.run_id = %(campaign_id)s AND s.state = 'sent'
)
SELECT p.arm, count(*), count(g.id), count(g.id) FILTER (WHERE s.id IS NOT NULL),
       coalesce(sum(spent.minor), 0)::bigint,
       coalesce(array_agg(spent.minor ORDER BY p.id) FILTER (WHERE spent.minor > 0), '{}'),
       max(p.until)
FROM person p LEFT JOIN spent ON spent.id = p.id LEFT JOIN goal g ON g.id = p.id
LEFT JOIN sent s ON s.id = p.id
GROUP BY p.arm

-- name: measure_people
-- The same people as above: each once, as who they are by now, with the window of each.
WITH RECURSIVE up AS (
    SELECT p.profile_id, s.id, s.merged_into
    FROM broadcast_participant p JOIN store_profile s ON s.id = p.profile_id
    WHERE p.campaign_id = %s AND s.merged_into IS NOT NULL
    UNION ALL
    SELECT up.profile_id, s.id, s.merged_into FROM up JOIN store_profile s ON s.id = up.merged_into
), drawn AS (
    SELECT coalesce(r.id, p.profile_id) AS id, p.profile_id, p.arm, p.assigned_at
    FROM broadcast_participant p
    LEFT JOIN up r ON r.profile_id = p.profile_id AND r.merged_into IS NULL
    WHERE p.campaign_id = %s AND p.arm <> 'excluded'
)
SELECT DISTINCT ON (id) id AS profile_id, arm, assigned_at AS since,
       assigned_at + %s * interval '1 day' AS until
FROM drawn ORDER BY id, assigned_at, profile_id

-- name: measure_clicks
-- Opens and clicks carry the message they came from; only Amity's own events count.
SELECT a.name, coalesce((a.properties ->> 'is_machine') = 'true', false) AS is_machine,
       count(*), count(DISTINCT a.profile_id)
FROM store_activity a JOIN broadcast_send s ON s.id::text = a.properties ->> 'send_id'
WHERE a.name IN ('Email Opened', 'Email Link Clicked') AND a.source_id = 1
  AND a.occurred_at >= %(since)s AND s.run_kind = 'campaign' AND s.run_id = %(campaign_id)s
GROUP BY 1, 2

-- name: measure_refusals
-- Who took consent back after the message had left: by a link in it, or without saying where and
-- within the window. Who followed a link of another message is that one's.
WITH away AS (
    SELECT s.id::text AS send_id, s.profile_id, s.contact_point, s.channel, s.purpose, s.wire_at,
           s.wire_at + %(window_days)s * interval '1 day' AS until
    FROM broadcast_send s
    WHERE s.run_kind = 'campaign' AND s.run_id = %(campaign_id)s
      AND s.state IN ('wire', 'sent', 'unknown') AND s.wire_at IS NOT NULL
), said AS (
    SELECT a.profile_id, a.origin_id, a.occurred_at, a.properties ->> 'send_id' AS send_id
    FROM store_activity a
    WHERE a.occurred_at >= %(since)s
      AND (a.name = 'Unsubscribed' AND %(purpose)s = 'marketing.email'
        OR a.name = 'Segment Consent Preference Updated'
           AND coalesce(a.properties -> 'categoryPreferences',
                        a.properties #> '{consent,categoryPreferences}',
                        a.context #> '{consent,categoryPreferences}') ->> %(purpose)s = 'false')
)
SELECT (SELECT count(DISTINCT w.profile_id) FROM away w WHERE EXISTS (
            SELECT FROM said a WHERE a.send_id = w.send_id)
         OR EXISTS (
            SELECT FROM said a WHERE a.profile_id = w.profile_id AND a.send_id IS NULL
              AND a.occurred_at >= w.wire_at AND a.occurred_at < w.until)),
       (SELECT count(DISTINCT w.profile_id) FROM away w JOIN store_contact_point k
          ON k.channel = w.channel AND k.address_key = w.contact_point
        WHERE k.suppression = 'complaint'
          AND k.suppressed_at >= w.wire_at AND k.suppressed_at < w.until)

-- name: measure_tracked
SELECT count(DISTINCT s.profile_id) FROM broadcast_send s JOIN store_profile p ON p.id = s.profile_id
LEFT JOIN store_purpose u ON u.key = 'tracking.email'
WHERE s.run_kind = 'campaign' AND s.run_id = %s AND s.state = 'sent'
  AND store_use_reason(p.consents, 'tracking.email', u.needs_consent, u.expiry_months, now()) = ''

-- name: measure_prove
-- A second time changes nothing: only what is doubtful is resolved.
UPDATE broadcast_send SET state = 'sent', reason = 'proved'
WHERE id = ANY (%s::uuid[]) AND state = 'unknown'
RETURNING id, run_kind, run_id, profile_id, subject, test_address <> '', wire_at
