-- name: export_insert
INSERT INTO store_export (name, segment_id, destination, settings, columns, purpose, every_hours, next_at, created_by)
SELECT %(name)s, %(segment_id)s, %(destination)s, %(settings)s, %(columns)s, %(purpose)s, %(every_hours)s,
       CASE WHEN %(every_hours)s::integer IS NOT NULL THEN now() END, %(by)s
ON CONFLICT DO NOTHING RETURNING id

-- name: export_set_secret
UPDATE store_export SET secret = %s WHERE id = %s

-- name: export_read
SELECT id, name, segment_id, destination, settings, columns, purpose, every_hours, next_at,
       is_enabled, created_by, created_at
FROM store_export WHERE %(id)s::bigint IS NULL OR id = %(id)s ORDER BY lower(name)

-- name: export_update
-- With another rhythm the next run is at once; a secret of NULL is that of before.
UPDATE store_export
SET next_at = CASE WHEN %(every_hours)s::integer IS NULL OR NOT is_enabled THEN NULL
                   WHEN every_hours IS DISTINCT FROM %(every_hours)s THEN now() ELSE next_at END,
    name = %(name)s, segment_id = %(segment_id)s, destination = %(destination)s,
    settings = %(settings)s, columns = %(columns)s, purpose = %(purpose)s,
    every_hours = %(every_hours)s, secret = %(sealed)s
WHERE id = %(id)s RETURNING id

-- name: export_secret
SELECT secret FROM store_export WHERE id = %s

-- name: export_switch
UPDATE store_export
SET is_enabled = %(is_enabled)s,
    next_at = CASE WHEN %(is_enabled)s AND every_hours IS NOT NULL THEN coalesce(next_at, now()) END
WHERE id = %(id)s RETURNING id

-- name: export_delete
DELETE FROM store_export WHERE id = %s RETURNING id

-- name: export_ask
-- One that waits or runs already is enough.
INSERT INTO store_export_run (export_id, asked_by)
SELECT e.id, %(by)s FROM store_export e
WHERE e.id = %(id)s AND NOT EXISTS (
    SELECT FROM store_export_run r WHERE r.export_id = e.id AND r.state IN ('waiting', 'running'))
RETURNING id

-- name: export_ask_due
WITH due AS (
    UPDATE store_export SET next_at = now() + every_hours * interval '1 hour'
    WHERE is_enabled AND next_at <= now() AND every_hours IS NOT NULL RETURNING id
)
INSERT INTO store_export_run (export_id, asked_by)
SELECT d.id, 'schedule' FROM due d
WHERE NOT EXISTS (
    SELECT FROM store_export_run r WHERE r.export_id = d.id AND r.state IN ('waiting', 'running'))

-- name: export_claim
UPDATE store_export_run r
SET state = 'running', token = token + 1, attempts = attempts + 1, done = 0, written = 0,
    left_out = '{}', started_at = now(), leased_until = now() + interval '2 minutes'
FROM store_export e
WHERE e.id = r.export_id AND r.id = (
    SELECT id FROM store_export_run
    WHERE (%(id)s::bigint IS NULL OR id = %(id)s)
      AND (state = 'waiting' AND coalesce(leased_until <= now(), true)
           OR state = 'running' AND leased_until <= now())
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING r.id, r.export_id, r.token, r.attempts, r.created_at, e.name, e.segment_id, e.destination,
          e.settings, e.secret, e.columns, e.purpose

-- name: export_progress
UPDATE store_export_run
SET members = %(members)s, done = %(done)s, written = %(written)s, left_out = %(left_out)s,
    leased_until = now() + interval '2 minutes'
WHERE id = %(id)s AND token = %(token)s AND state = 'running' RETURNING id

-- name: export_end
-- Back to waiting when it may work later: then not before the pause is over.
UPDATE store_export_run
SET state = %(state)s, failure = %(failure)s, file_name = %(file_name)s,
    leased_until = CASE WHEN %(state)s = 'waiting' THEN now() + interval '1 minute' END,
    finished_at = CASE WHEN %(state)s <> 'waiting' THEN now() END
WHERE id = %(id)s AND token = %(token)s AND state = 'running' RETURNING id

-- name: export_runs
SELECT id, export_id, state, members, done, written, left_out, file_name, failure, asked_by,
       created_at, started_at, finished_at
FROM store_export_run
WHERE (%(export_id)s::bigint IS NULL OR export_id = %(export_id)s)
  AND (%(id)s::bigint IS NULL OR id = %(id)s)
ORDER BY id DESC LIMIT %(limit)s
