-- Answers of reports, kept. Saved views. What the company has entered.

-- name: report_find
SELECT parameters, answer, currency, as_of, took_ms
FROM analysis_report_run WHERE report = %(report)s AND asked = %(asked)s

-- name: report_want
INSERT INTO analysis_report_run (report, asked, parameters, wanted_last_at)
VALUES (%(report)s, %(asked)s, %(parameters)s, %(now)s)
ON CONFLICT (report, asked) DO UPDATE
SET wanted_last_at = CASE WHEN %(by_person)s THEN excluded.wanted_last_at
                          ELSE analysis_report_run.wanted_last_at END

-- name: report_keep
INSERT INTO analysis_report_run
    (report, asked, parameters, answer, currency, as_of, took_ms, wanted_last_at)
VALUES (%(report)s, %(asked)s, %(parameters)s, %(answer)s, %(currency)s, %(as_of)s, %(took_ms)s, %(now)s)
ON CONFLICT (report, asked) DO UPDATE
SET answer = excluded.answer, currency = excluded.currency, as_of = excluded.as_of,
    took_ms = excluded.took_ms

-- name: report_sweep
DELETE FROM analysis_report_run WHERE wanted_last_at < %(before)s

-- name: report_lately
-- Questions people wanted answered lately, to be answered before they are asked again.
SELECT report, parameters FROM analysis_report_run
WHERE wanted_last_at >= %(since)s AND answer IS NOT NULL ORDER BY report, asked

-- name: report_ages
SELECT r.report, r.as_of, r.took_ms, r.answer ->> 'sentence',
       EXISTS (SELECT FROM analysis_work w WHERE w.kind = 'report' AND w.wanted_at IS NOT NULL
               AND w.parameters = jsonb_build_object('report', r.report, 'given', '{}'::jsonb))
FROM analysis_report_run r WHERE r.asked = '{}'

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
