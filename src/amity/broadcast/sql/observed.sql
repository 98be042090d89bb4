-- name: observed_campaigns
-- Campaigns of others, from what was told of them: whom they reached, whose coupons came back, and
-- what those reached bought while they ran. None of it says what the campaign caused.
WITH received AS (
    SELECT properties ->> 'campaign_id' AS campaign, profile_id,
           min(occurred_at) AS at,
           min(coalesce(properties ->> 'campaign_name', '')) AS name,
           min(coalesce(properties ->> 'campaign_type', '')) AS kind,
           min(amity_instant(properties ->> 'starts_on')) AS starts_at,
           max(amity_instant(properties ->> 'ends_on')) AS ends_at
    FROM store_activity
    WHERE name = 'Campaign Received' AND source_id <> 1
      AND coalesce(properties ->> 'campaign_id', '') <> ''
    GROUP BY campaign, profile_id
), campaign AS (
    SELECT campaign, max(name) AS name, max(kind) AS kind, count(*) AS received,
           least(min(starts_at), min(at)) AS began_at,
           -- its last day counts whole; one that does not say when it ends is its own day
           coalesce(max(ends_at), max(at)) + interval '1 day' AS ended_at
    FROM received GROUP BY campaign
), redeemed AS (
    SELECT properties ->> 'campaign_id' AS campaign, count(DISTINCT profile_id) AS people
    FROM store_activity WHERE name = 'Coupon Applied' AND source_id <> 1
    GROUP BY campaign
), bought AS (
    SELECT c.campaign, count(DISTINCT r.profile_id) AS people,
           sum(CASE WHEN o.is_refunded OR o.currency <> %(currency)s THEN 0
                    ELSE greatest(o.total_minor - o.refunded_minor, 0) END)::bigint AS minor
    FROM campaign c JOIN received r USING (campaign)
    JOIN store_order o ON o.profile_id = r.profile_id AND NOT o.is_cancelled
     AND o.placed_at >= c.began_at AND o.placed_at < c.ended_at
    GROUP BY c.campaign
)
SELECT c.campaign, c.name, c.kind, c.began_at, c.ended_at, c.received, coalesce(r.people, 0),
       coalesce(b.people, 0), coalesce(b.minor, 0)
FROM campaign c LEFT JOIN redeemed r USING (campaign) LEFT JOIN bought b USING (campaign)
ORDER BY c.began_at DESC, c.campaign
