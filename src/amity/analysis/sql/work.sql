-- Work that takes long: wanted, taken, told of, ended. Who does it and is silent for so many
-- seconds (`lost`) is gone. Its age is by the database's clock, which all share.

-- name: work_want
-- Who asks for what is under way waits for that.
INSERT INTO analysis_work AS w (kind, asked, parameters, title, wanted_by, is_waited_for, wanted_at)
VALUES (%(kind)s, %(asked)s, %(parameters)s, %(title)s, %(by)s, %(by_person)s, %(now)s)
ON CONFLICT (kind, asked) DO UPDATE
SET title = CASE WHEN w.wanted_at IS NULL THEN excluded.title ELSE w.title END,
    parameters = CASE WHEN w.wanted_at IS NULL THEN excluded.parameters ELSE w.parameters END,
    wanted_by = CASE WHEN w.wanted_at IS NULL THEN excluded.wanted_by ELSE w.wanted_by END,
    is_waited_for = excluded.is_waited_for OR w.wanted_at IS NOT NULL AND w.is_waited_for,
    wanted_at = coalesce(w.wanted_at, excluded.wanted_at),
    is_cancelled = w.is_cancelled AND w.started_at IS NOT NULL,
    tries = CASE WHEN w.started_at IS NULL
                   OR w.seen_at < clock_timestamp() - make_interval(secs => %(lost)s)
                 THEN 0 ELSE w.tries END,
    started_at = CASE WHEN w.seen_at < clock_timestamp() - make_interval(secs => %(lost)s)
                      THEN NULL ELSE w.started_at END,
    error = CASE WHEN w.is_cancelled AND w.started_at IS NOT NULL THEN w.error ELSE '' END
RETURNING id

-- name: work_find
SELECT id, kind, title, wanted_by, wanted_at, started_at, step, steps, doing, is_cancelled, error,
       started_at IS NOT NULL AND seen_at < clock_timestamp() - make_interval(secs => %(lost)s),
       tries, seen_at < clock_timestamp() - make_interval(secs => %(forsaken)s)
FROM analysis_work WHERE kind = %(kind)s AND asked = %(asked)s

-- name: work_list
SELECT id, kind, title, wanted_by, wanted_at, started_at, step, steps, doing, is_cancelled, error,
       started_at IS NOT NULL AND seen_at < clock_timestamp() - make_interval(secs => %(lost)s),
       tries, seen_at < clock_timestamp() - make_interval(secs => %(forsaken)s)
FROM analysis_work
WHERE %(id)s::bigint IS NULL AND (wanted_at IS NOT NULL OR error <> '') OR id = %(id)s
ORDER BY wanted_at IS NULL, started_at IS NULL, coalesce(wanted_at, ended_at), id LIMIT 200

-- name: work_take
-- The one that waits longest, those that people wait for first; one whose doer is gone is done once
-- more.
UPDATE analysis_work
SET started_at = %(now)s, seen_at = clock_timestamp(), tries = tries + 1,
    step = 0, steps = 0, doing = '', is_cancelled = false, error = ''
WHERE id = (
    SELECT w.id FROM analysis_work w
    WHERE w.wanted_at IS NOT NULL AND w.kind = ANY (%(kinds)s)
      AND (%(id)s::bigint IS NULL OR w.id = %(id)s)
      AND (w.started_at IS NULL
           OR w.seen_at < clock_timestamp() - make_interval(secs => %(lost)s) AND w.tries < %(tries)s)
    ORDER BY NOT w.is_waited_for, w.wanted_at, w.id
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, kind, parameters, wanted_by

-- name: work_end_lost
UPDATE analysis_work
SET wanted_at = NULL, started_at = NULL, step = 0, steps = 0, doing = '', ended_at = %(now)s,
    error = CASE WHEN is_cancelled THEN coalesce(nullif(error, ''), %(error)s) ELSE %(error)s END
WHERE started_at IS NOT NULL AND seen_at < clock_timestamp() - make_interval(secs => %(lost)s)
  AND (is_cancelled OR tries >= %(tries)s)

-- name: work_step
UPDATE analysis_work SET step = %(step)s, steps = %(steps)s, doing = %(doing)s
WHERE id = %(id)s
RETURNING CASE WHEN is_cancelled THEN error END

-- name: work_seen
WITH beat AS (
    UPDATE analysis_work SET seen_at = clock_timestamp()
    WHERE id = %(id)s AND seen_at < clock_timestamp() - interval '2 seconds'
)
SELECT CASE WHEN is_cancelled THEN error END FROM analysis_work WHERE id = %(id)s

-- name: work_finish
DELETE FROM analysis_work WHERE id = %(id)s

-- name: work_give_up
UPDATE analysis_work
SET wanted_at = NULL, started_at = NULL, step = 0, steps = 0, doing = '', error = %(error)s,
    ended_at = clock_timestamp()
WHERE id = %(id)s

-- name: work_cancel
-- What nobody does (yet, or any more) ends at once. Who was first to stop it is kept.
UPDATE analysis_work AS w
SET is_cancelled = true,
    wanted_at = CASE WHEN each.is_done THEN w.wanted_at END,
    started_at = CASE WHEN each.is_done THEN w.started_at END,
    ended_at = CASE WHEN each.is_done THEN w.ended_at ELSE clock_timestamp() END,
    error = CASE WHEN w.is_cancelled AND w.error <> '' THEN w.error ELSE %(error)s END
FROM (SELECT id, started_at IS NOT NULL
             AND seen_at >= clock_timestamp() - make_interval(secs => %(lost)s) AS is_done
      FROM analysis_work WHERE id = %(id)s) AS each
WHERE w.id = each.id AND w.wanted_at IS NOT NULL

-- name: row_list_keep
INSERT INTO analysis_row_list (asked, customers, computed_at)
VALUES (%(asked)s, %(customers)s, %(now)s)
ON CONFLICT (asked) DO UPDATE
SET customers = excluded.customers, computed_at = excluded.computed_at
RETURNING id

-- name: row_list_empty
DELETE FROM analysis_row_customer WHERE list_id = %(id)s

-- name: row_list_fill
INSERT INTO analysis_row_customer (list_id, profile_id)
SELECT %(id)s, unnest(%(profile_ids)s::bigint[])

-- name: row_list_find
SELECT id, customers, computed_at FROM analysis_row_list WHERE asked = %(asked)s

-- name: row_list_customers
SELECT profile_id FROM analysis_row_customer WHERE list_id = %(id)s
ORDER BY profile_id LIMIT %(limit)s OFFSET %(offset)s

-- name: forget_row_customers
DELETE FROM analysis_row_customer WHERE profile_id = ANY(%s)
