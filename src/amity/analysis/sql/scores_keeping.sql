-- Scores as they are kept, with where each stands among all, and what rules read of them.

-- name: score_names_in_rules
SELECT DISTINCT jsonb_path_query(rule, '$.** ? (@.node == "score").score') #>> '{}'
FROM analysis_segment WHERE state <> 'archived'

-- name: scores_stage
CREATE TEMPORARY TABLE score_new (
    profile_id bigint, name text, value double precision, label text, low double precision,
    high double precision, model_run_id bigint) ON COMMIT DROP

-- name: scores_copy
COPY score_new (profile_id, name, value, label, low, high, model_run_id)
FROM STDIN (FORMAT binary)

-- name: scores_remember
CREATE TEMPORARY TABLE score_old ON COMMIT DROP AS
SELECT profile_id, name, value, label, percentile FROM analysis_score WHERE name = ANY (%s)

-- name: scores_note_gone
-- The warehouse, if there is one, is told of scores that nothing comes in the place of.
INSERT INTO warehouse_gone (export, key, profile_id)
SELECT 'scores', o.profile_id || ':' || o.name, o.profile_id
FROM analysis_score o
WHERE o.name = ANY (%s) AND NOT EXISTS (
    SELECT FROM score_new n WHERE n.profile_id = o.profile_id AND n.name = o.name)
  AND EXISTS (SELECT FROM warehouse_export w WHERE w.name = 'scores')
ON CONFLICT (export, key) DO UPDATE SET gone_at = now()

-- name: scores_clear
DELETE FROM analysis_score WHERE name = ANY (%s)

-- name: scores_rank
-- The percentile: the share of those with less, and half of those with as much, in hundredths.
INSERT INTO analysis_score (profile_id, name, value, label, low, high, model_run_id, percentile)
SELECT profile_id, name, value, label, low, high, model_run_id,
       CASE WHEN value IS NOT NULL THEN
           100.0 * (rank() OVER (PARTITION BY name ORDER BY value) - 1
               + count(*) OVER (PARTITION BY name, value) / 2.0)
               / count(value) OVER (PARTITION BY name) END
FROM score_new

-- name: scores_ask_again
INSERT INTO analysis_recheck (kind, name, profile_id)
SELECT 'scores', name, profile_id
FROM (SELECT profile_id, name, value, label, percentile FROM analysis_score
      WHERE name = ANY (%s)) AS n
FULL JOIN score_old AS o USING (profile_id, name)
WHERE (n.value, n.label, n.percentile) IS DISTINCT FROM (o.value, o.label, o.percentile)
ON CONFLICT DO NOTHING

-- name: scores_unstage
DROP TABLE score_new, score_old

-- name: scores_renew
-- Until all are ranked again a score stands where the next lower one does. Who is among the
-- customers and has no new score of a name has none any more; the warehouse, if there is one, and
-- the segments that mention it are told.
WITH n AS MATERIALIZED (
    SELECT * FROM unnest(
        %(profiles)s::bigint[], %(names)s::text[], %(values)s::float8[], %(labels)s::text[],
        %(lows)s::float8[], %(highs)s::float8[], %(runs)s::bigint[])
        AS n (profile_id, name, value, label, low, high, model_run_id)
), old AS MATERIALIZED (
    SELECT profile_id, name, value, label, percentile FROM analysis_score
    WHERE profile_id = ANY (%(about)s) AND name = ANY (%(made)s)
), put AS (
    INSERT INTO analysis_score AS s
        (profile_id, name, value, label, low, high, model_run_id, percentile, scored_at)
    SELECT n.profile_id, n.name, n.value, n.label, n.low, n.high, n.model_run_id,
           coalesce((SELECT o.percentile FROM analysis_score o
                     WHERE o.name = n.name AND o.value <= n.value
                     ORDER BY o.value DESC LIMIT 1), 0), %(now)s
    FROM n
    ON CONFLICT (profile_id, name) DO UPDATE
    SET value = excluded.value, label = excluded.label, low = excluded.low,
        high = excluded.high, model_run_id = excluded.model_run_id,
        percentile = excluded.percentile, scored_at = excluded.scored_at
    RETURNING profile_id, name, value, label, percentile
), gone AS (
    DELETE FROM analysis_score s USING old o
    WHERE s.profile_id = o.profile_id AND s.name = o.name AND NOT EXISTS (
        SELECT FROM n WHERE n.profile_id = s.profile_id AND n.name = s.name)
    RETURNING s.profile_id, s.name
), told AS (
    INSERT INTO warehouse_gone (export, key, profile_id)
    SELECT 'scores', profile_id || ':' || name, profile_id FROM gone
    WHERE EXISTS (SELECT FROM warehouse_export w WHERE w.name = 'scores')
    ON CONFLICT (export, key) DO UPDATE SET gone_at = now()
), changed AS MATERIALIZED (
    SELECT profile_id, name FROM put LEFT JOIN old AS o USING (profile_id, name)
    WHERE (put.value, put.label, put.percentile)
        IS DISTINCT FROM (o.value, o.label, o.percentile)
    UNION ALL SELECT profile_id, name FROM gone
), asked AS (
    INSERT INTO analysis_recheck (kind, name, profile_id)
    SELECT 'scores', name, profile_id FROM changed WHERE name = ANY (%(mentioned)s)
    ON CONFLICT DO NOTHING
)
SELECT count(DISTINCT profile_id) FROM changed

-- name: scores_ratings
SELECT profile_id, name, value, label, percentile FROM analysis_score
WHERE profile_id = ANY (%s) AND name = ANY (%s)

-- name: scores_all_ratings
SELECT profile_id, name, value, label, percentile FROM analysis_score WHERE profile_id = ANY (%s)

-- name: take_rechecks
DELETE FROM analysis_recheck WHERE (kind, name, profile_id) IN (
    SELECT kind, name, profile_id FROM analysis_recheck ORDER BY profile_id LIMIT %s)
RETURNING kind, name, profile_id

-- name: forget_rechecks
DELETE FROM analysis_recheck WHERE profile_id = ANY (%s)

-- name: unknown_scores
SELECT wanted FROM unnest(%s::text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM analysis_score s WHERE s.name = wanted)
