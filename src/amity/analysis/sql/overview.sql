-- The overview's figures, from the store's projections.

-- name: overview_orders
-- Purchases by day (UTC), with the revenue of our own currency; of other currencies -1.
SELECT profile_id,
       ((placed_at AT TIME ZONE 'UTC')::date - date '1970-01-01')::bigint,
       CASE WHEN currency <> %s THEN -1 WHEN is_refunded THEN 0
            ELSE greatest(total_minor - refunded_minor, 0) END
FROM store_order
WHERE placed_at >= %s AND placed_at <= %s AND NOT is_cancelled

-- name: overview_first_orders
SELECT ((first_order_at AT TIME ZONE 'UTC')::date - date '1970-01-01')::bigint AS day,
       count(*)
FROM store_profile
WHERE first_order_at <= %s AND merged_into IS NULL
GROUP BY day

-- name: overview_revenues
SELECT revenue_minor
FROM store_profile
WHERE merged_into IS NULL AND order_count > 0
ORDER BY revenue_minor DESC
