-- Saved views that are mailed to staff.

-- name: schedules_list
SELECT s.id, v.id, v.name, v.report, v.parameters, v.owner, v.is_shared, v.created_at,
       s.owner, s.recipients, s.declined, s.every, s.day, s.at, s.zone, s.has_files, s.is_paused,
       s.slot_at, s.last_at, s.last_result
FROM analysis_report_schedule s JOIN analysis_report_view v ON v.id = s.view_id
ORDER BY lower(v.name), s.id

-- name: schedule_get
SELECT s.id, v.id, v.name, v.report, v.parameters, v.owner, v.is_shared, v.created_at,
       s.owner, s.recipients, s.declined, s.every, s.day, s.at, s.zone, s.has_files, s.is_paused,
       s.slot_at, s.last_at, s.last_result
FROM analysis_report_schedule s JOIN analysis_report_view v ON v.id = s.view_id
WHERE s.id = %s

-- name: schedule_insert
INSERT INTO analysis_report_schedule
    (view_id, owner, recipients, every, day, at, zone, has_files, slot_at, due_at, created_at)
VALUES (%(view_id)s, %(owner)s, %(recipients)s, %(every)s, %(day)s, %(at)s::time, %(zone)s,
        %(has_files)s, %(slot)s, %(slot)s, %(now)s)
RETURNING id

-- name: schedule_update
UPDATE analysis_report_schedule
SET view_id = %(view_id)s, recipients = %(recipients)s, every = %(every)s, day = %(day)s,
    at = %(at)s::time, zone = %(zone)s, has_files = %(has_files)s, slot_at = %(slot)s,
    due_at = %(slot)s
WHERE id = %(schedule_id)s RETURNING id

-- name: schedule_pause
-- What came due while it was paused is not made up for.
UPDATE analysis_report_schedule
SET is_paused = %(is_paused)s, slot_at = %(slot)s, due_at = %(slot)s
WHERE id = %(schedule_id)s AND is_paused <> %(is_paused)s

-- name: schedule_delete
DELETE FROM analysis_report_schedule WHERE id = %s

-- name: schedule_wanted
UPDATE analysis_report_schedule
SET declined = CASE WHEN %(is_wanted)s THEN array_remove(declined, %(who)s)
                    ELSE array_append(array_remove(declined, %(who)s), %(who)s) END
WHERE id = %(schedule_id)s AND %(who)s = ANY (recipients)

-- name: schedule_take
-- The one that is due longest; whoever has taken one and is gone loses it after a while.
UPDATE analysis_report_schedule SET due_at = %(until)s
WHERE id = (SELECT id FROM analysis_report_schedule WHERE NOT is_paused AND due_at <= %(now)s
            ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id

-- name: schedule_settle
-- Unless it was changed meanwhile: then its new slot stands.
UPDATE analysis_report_schedule
SET last_at = %(now)s, last_result = %(result)s, slot_at = %(next)s, due_at = %(due)s
WHERE id = %(schedule_id)s AND slot_at = %(slot)s
