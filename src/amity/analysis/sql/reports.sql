-- Answers of reports: kept, wanted, computed. Saved views. What the company has entered.

-- name: report_find
SELECT parameters, answer, currency, as_of, took_ms, wanted_at, started_at, step, steps,
       is_cancelled, error
FROM analysis_report_run WHERE report = %(report)s AND asked = %(asked)s

-- name: report_want
-- Who asks while it is being computed waits for that.
INSERT INTO analysis_report_run (report, asked, parameters, wanted_at, wanted_last_at)
VALUES (%(report)s, %(asked)s, %(parameters)s, %(now)s, %(now)s)
ON CONFLICT (report, asked) DO UPDATE
SET wanted_at = coalesce(analysis_report_run.wanted_at, excluded.wanted_at),
    is_cancelled = analysis_report_run.is_cancelled AND analysis_report_run.started_at IS NOT NULL,
    error = '', wanted_last_at = CASE WHEN %(by_person)s THEN excluded.wanted_last_at
                                      ELSE analysis_report_run.wanted_last_at END

-- name: report_take
-- The one that waits longest, those that people wait for before those that are to be ready when
-- they come; one that a worker was at for too long has lost its worker.
UPDATE analysis_report_run SET started_at = %(now)s, step = 0, steps = 0, is_cancelled = false
WHERE (report, asked) = (
    SELECT r.report, r.asked FROM analysis_report_run r
    WHERE r.wanted_at IS NOT NULL AND (r.started_at IS NULL OR r.started_at < %(lost)s)
    ORDER BY r.wanted_last_at < r.wanted_at, r.wanted_at, r.report, r.asked
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING report, asked, parameters

-- name: report_step
UPDATE analysis_report_run SET step = %(step)s, steps = %(steps)s
WHERE report = %(report)s AND asked = %(asked)s
RETURNING is_cancelled

-- name: report_is_cancelled
SELECT is_cancelled FROM analysis_report_run WHERE report = %(report)s AND asked = %(asked)s

-- name: report_keep
INSERT INTO analysis_report_run
    (report, asked, parameters, answer, currency, as_of, took_ms, wanted_last_at)
VALUES (%(report)s, %(asked)s, %(parameters)s, %(answer)s, %(currency)s, %(as_of)s, %(took_ms)s, %(now)s)
ON CONFLICT (report, asked) DO UPDATE
SET answer = excluded.answer, currency = excluded.currency, as_of = excluded.as_of,
    took_ms = excluded.took_ms, wanted_at = NULL, started_at = NULL, step = 0, steps = 0,
    is_cancelled = false, error = ''

-- name: report_give_up
UPDATE analysis_report_run
SET wanted_at = NULL, started_at = NULL, step = 0, steps = 0, is_cancelled = false, error = %(error)s
WHERE report = %(report)s AND asked = %(asked)s

-- name: report_cancel
UPDATE analysis_report_run
SET is_cancelled = started_at IS NOT NULL,
    wanted_at = CASE WHEN started_at IS NULL THEN NULL ELSE wanted_at END,
    error = CASE WHEN started_at IS NULL THEN %(error)s ELSE error END
WHERE report = %(report)s AND asked = %(asked)s AND wanted_at IS NOT NULL

-- name: report_release
-- Of a worker that was ended in the middle: at its next start.
UPDATE analysis_report_run SET started_at = NULL WHERE started_at IS NOT NULL AND started_at < %(now)s

-- name: report_sweep
DELETE FROM analysis_report_run WHERE wanted_last_at < %(before)s AND wanted_at IS NULL

-- name: report_lately
-- Questions people wanted answered lately, to be answered before they are asked again.
SELECT report, parameters FROM analysis_report_run
WHERE wanted_last_at >= %(since)s AND answer IS NOT NULL ORDER BY report, asked

-- name: report_ages
SELECT report, as_of, took_ms, answer ->> 'sentence', wanted_at IS NOT NULL
FROM analysis_report_run WHERE asked = '{}'

-- name: row_customers_now
SELECT DISTINCT p.id FROM store_profile AS was
JOIN store_profile AS p ON p.id = coalesce(was.merged_into, was.id) AND p.merged_into IS NULL
WHERE was.id = ANY(%s) ORDER BY p.id

-- name: views_list
SELECT id, name, report, parameters, owner, is_shared, created_at
FROM analysis_report_view ORDER BY lower(name), id

-- name: view_get
SELECT id, name, report, parameters, owner, is_shared, created_at
FROM analysis_report_view WHERE id = %(view_id)s

-- name: view_insert
INSERT INTO analysis_report_view
    (name, report, parameters, owner, is_shared, created_at)
VALUES (%(name)s, %(report)s, %(parameters)s, %(owner)s, %(is_shared)s, %(now)s)
RETURNING id

-- name: view_delete
DELETE FROM analysis_report_view WHERE id = %(view_id)s

-- name: facts_list
SELECT id, kind, fact, entered_by, entered_at FROM analysis_company_fact WHERE kind = %(kind)s ORDER BY id

-- name: fact_insert
INSERT INTO analysis_company_fact (kind, fact, entered_by, entered_at)
VALUES (%(kind)s, %(fact)s, %(by)s, %(now)s) RETURNING id

-- name: fact_delete
DELETE FROM analysis_company_fact WHERE id = %(fact_id)s

-- name: metrics_latest
SELECT DISTINCT ON (name) name, version, definition, is_retired, changed_by, changed_at
FROM analysis_metric ORDER BY name, version DESC

-- name: metric_versions
SELECT name, version, definition, is_retired, changed_by, changed_at
FROM analysis_metric WHERE name = %(name)s ORDER BY version DESC

-- name: metric_insert
INSERT INTO analysis_metric (name, version, definition, is_retired, changed_by, changed_at)
SELECT %(name)s, coalesce(max(m.version), 0) + 1, %(definition)s, %(is_retired)s, %(by)s, %(now)s
FROM analysis_metric m WHERE m.name = %(name)s
RETURNING name, version, definition, is_retired, changed_by, changed_at
