-- Forgetting what is too old, in slices: a statement takes as much as does not hold up traffic.

-- name: retain_longest_cap
-- Caps count impressions, so these must be there as long as any cap looks back.
SELECT coalesce(max(o.cap_days), 0) FROM personalization_offer o WHERE o.state <> 'archived'

-- name: retain_decisions
WITH old AS MATERIALIZED (
    SELECT d.id FROM personalization_decision d WHERE d.decided_at < %(before)s
    ORDER BY d.decided_at, d.id LIMIT %(limit)s
), outcomes AS (
    DELETE FROM personalization_outcome o USING old WHERE o.decision_id = old.id RETURNING 1
), decisions AS (
    DELETE FROM personalization_decision d USING old WHERE d.id = old.id
    RETURNING d.decided_at AS at, pg_column_size(d.*) AS size
)
SELECT count(*), (SELECT count(*) FROM outcomes), coalesce(sum(size), 0)::bigint, min(at), max(at)
FROM decisions

-- name: retain_decisions_count
SELECT count(*), coalesce(sum(pg_column_size(d.*)), 0)::bigint, min(d.decided_at), max(d.decided_at)
FROM personalization_decision d WHERE d.decided_at < %s

-- name: retain_current_snapshot
-- The one that was in use at that moment: whoever decides by an older one has been silent since.
SELECT s.id FROM personalization_snapshot s WHERE s.made_at < %s ORDER BY s.id DESC LIMIT 1

-- name: retain_snapshots
-- The next slice after `after`: how far it went, and how many no decision names.
WITH slice AS MATERIALIZED (
    SELECT s.id FROM personalization_snapshot s
    WHERE s.id > %(after)s AND s.id < %(current)s ORDER BY s.id LIMIT %(limit)s
), gone AS (
    DELETE FROM personalization_snapshot s USING slice
    WHERE s.id = slice.id AND NOT EXISTS (
        SELECT FROM personalization_decision d WHERE d.snapshot_id = slice.id)
    RETURNING 1
)
SELECT (SELECT max(id) FROM slice), (SELECT count(*) FROM gone)

-- name: retain_definitions
-- What kept snapshots hold is found by leaps from one value to the
-- next, since snapshots are many and these are few. The latest always stay.
WITH RECURSIVE held AS (
    (SELECT s.definition_id, s.models FROM personalization_snapshot s
     ORDER BY s.definition_id, s.models LIMIT 1)
    UNION ALL
    SELECT n.definition_id, n.models FROM held h CROSS JOIN LATERAL (
        SELECT s.definition_id, s.models FROM personalization_snapshot s
        WHERE (s.definition_id, s.models) > (h.definition_id, h.models)
        ORDER BY s.definition_id, s.models LIMIT 1) AS n
), definitions AS (
    DELETE FROM personalization_definition d
    WHERE d.id < (SELECT max(id) FROM personalization_definition)
      AND d.id NOT IN (SELECT definition_id FROM held) RETURNING 1
), models AS (
    DELETE FROM personalization_model m
    WHERE m.id < (SELECT min(id) FROM (
            SELECT id FROM personalization_model WHERE recommender = m.recommender
            ORDER BY id DESC LIMIT 3) AS latest)
      AND NOT EXISTS (SELECT FROM held WHERE (held.models ->> m.recommender)::integer = m.id)
    RETURNING 1
)
SELECT (SELECT count(*) FROM definitions), (SELECT count(*) FROM models)
