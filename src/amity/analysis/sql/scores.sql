-- Scores: read the store's orders, keep runs and scores.

-- name: scores_lock
SELECT pg_advisory_xact_lock(hashtext(%s))

-- name: scores_try_lock
SELECT pg_try_advisory_xact_lock(hashtext(%s))

-- name: scores_orders
-- A cancelled order is no purchase; a refunded one is, of what was not given back.
SELECT profile_id,
       ((placed_at AT TIME ZONE 'UTC')::date - date '1970-01-01')::bigint,
       CASE WHEN is_refunded OR currency <> %s THEN 0
            ELSE greatest(total_minor - refunded_minor, 0) END,
       (currency <> %s)::int::bigint
FROM store_order
WHERE placed_at <= %s AND NOT is_cancelled

-- name: scores_orders_of
SELECT profile_id,
       ((placed_at AT TIME ZONE 'UTC')::date - date '1970-01-01')::bigint,
       CASE WHEN is_refunded OR currency <> %s THEN 0
            ELSE greatest(total_minor - refunded_minor, 0) END,
       (currency <> %s)::int::bigint
FROM store_order
WHERE placed_at <= %s AND NOT is_cancelled AND profile_id = ANY (%s)

-- name: scores_record
INSERT INTO analysis_model_run (estimator, computed_at, customers, parameters, report)
VALUES (%s, %s, %s, %s::jsonb, %s::jsonb)
RETURNING id

-- name: scores_list
SELECT s.name, s.value, s.label, s.low, s.high, s.percentile, coalesce(s.scored_at, r.computed_at)
FROM analysis_score s
JOIN analysis_model_run r ON r.id = s.model_run_id
WHERE s.profile_id = %s
ORDER BY s.name

-- name: scores_latest
-- A kept model is read by who follows it alone.
SELECT id, computed_at, customers, parameters, report - 'kept'
FROM analysis_model_run
WHERE estimator = %s
ORDER BY id DESC
LIMIT 1

-- name: scores_of
-- In millionths, since columns are read as whole numbers.
SELECT profile_id, round(value * 1000000)::bigint FROM analysis_score
WHERE name = %s AND value IS NOT NULL
ORDER BY profile_id
