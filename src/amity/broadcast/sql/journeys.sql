-- Journeys: their drawings, who is under way, what is due, and what was counted.

-- name: journeys_begin
INSERT INTO broadcast_journey (name, description, state, created_by, created_at, updated_at)
VALUES (%(name)s, %(description)s, 'draft', %(by)s, %(now)s, %(now)s) RETURNING id

-- name: journeys_add_version
INSERT INTO broadcast_journey_version (journey_id, version, definition, created_by, created_at)
VALUES (%(journey_id)s, %(version)s, %(definition)s, %(by)s, %(now)s)

-- name: journeys_change
UPDATE broadcast_journey
SET name = %(name)s, description = %(description)s, version = %(version)s, updated_at = %(now)s
WHERE id = %(journey_id)s

-- name: journeys_set_state
UPDATE broadcast_journey SET state = %(state)s, updated_at = %(now)s WHERE id = %(journey_id)s

-- name: journeys_lock
SELECT state FROM broadcast_journey WHERE id = %s FOR UPDATE

-- name: journeys_read
SELECT j.id, j.name, j.description, j.version, j.state, v.definition, j.created_by, j.created_at,
       j.updated_at
FROM broadcast_journey j
JOIN broadcast_journey_version v ON v.journey_id = j.id AND v.version = j.version
WHERE (%(ids)s::integer[] IS NULL OR j.id = ANY (%(ids)s::integer[]))
  AND (%(is_archived)s::boolean IS NULL OR (j.state = 'archived') = %(is_archived)s)
  AND (%(name)s::text IS NULL OR lower(j.name) = lower(%(name)s))
ORDER BY lower(j.name), j.id

-- name: journeys_end_all
-- Everybody under way, counted where they stand; a version's own row in the counts has node ''.
WITH ended AS (
    UPDATE broadcast_enrolment SET ended_at = %(now)s, due_at = NULL, ending = %(ending)s
    WHERE journey_id = %(journey_id)s AND ended_at IS NULL
    RETURNING version, node
), counted AS (
    SELECT version, node, count(*) AS count FROM ended GROUP BY version, node
    UNION ALL SELECT version, '', count(*) FROM ended GROUP BY version
)
INSERT INTO broadcast_step_count AS c (journey_id, version, node, edge, count)
SELECT %(journey_id)s, version, node, '!' || %(ending)s, count FROM counted
ON CONFLICT (journey_id, version, node, edge) DO UPDATE SET count = c.count + excluded.count

-- name: journeys_cancel_sends
UPDATE broadcast_send SET state = 'cancelled', reason = 'stopped', settled_at = %(now)s
WHERE run_kind = 'journey' AND run_id = %(journey_id)s AND state = 'queued'

-- name: journeys_templates
SELECT id, name FROM broadcast_template WHERE NOT is_archived

-- name: journeys_counts
SELECT version, node, edge, count FROM broadcast_step_count WHERE journey_id = %s

-- name: journeys_here
SELECT node, count(*) FROM broadcast_enrolment
WHERE journey_id = %s AND ended_at IS NULL GROUP BY node

-- name: journeys_sends
SELECT state, count(*) FROM broadcast_send
WHERE run_kind = 'journey' AND run_id = %s GROUP BY state

-- name: journeys_enrolments
SELECT e.id, e.journey_id, j.name, e.version, e.profile_id, e.node, e.entered_at, e.due_at,
       e.ended_at, e.ending
FROM broadcast_enrolment e JOIN broadcast_journey j ON j.id = e.journey_id
WHERE (%(journey_id)s::integer IS NULL OR e.journey_id = %(journey_id)s)
  AND (%(profile_ids)s::bigint[] IS NULL OR e.profile_id = ANY (%(profile_ids)s::bigint[]))
  AND (%(node)s::text IS NULL OR (e.node = %(node)s AND e.ended_at IS NULL))
  AND (%(after)s::bigint IS NULL OR e.id < %(after)s)
ORDER BY e.id DESC LIMIT %(limit)s

-- Taking turns

-- name: journeys_under_way
-- All drawings somebody can stand in. Locked, so that archiving waits for the turn and the turn
-- for it: nobody begins a journey that has ended.
SELECT j.id, j.state, j.version, v.version FROM broadcast_journey j
JOIN broadcast_journey_version v ON v.journey_id = j.id
WHERE j.state IN ('live', 'paused') ORDER BY j.id, v.version FOR SHARE OF j

-- name: journeys_definitions
SELECT journey_id, version, definition FROM broadcast_journey_version
WHERE (journey_id, version) IN (SELECT * FROM unnest(%s::integer[], %s::integer[]))

-- name: journeys_due
-- By journey, so that what waits in a paused one is never looked at.
SELECT d.profile_id, d.due_at FROM broadcast_journey j CROSS JOIN LATERAL (
    SELECT e.profile_id, e.due_at FROM broadcast_enrolment e
    WHERE e.journey_id = j.id AND e.ended_at IS NULL AND e.due_at <= %(until)s
    ORDER BY e.due_at LIMIT %(limit)s
) AS d
WHERE j.state = 'live' ORDER BY d.due_at LIMIT %(limit)s

-- name: journeys_roots
-- Who these profiles are by now; those who are gone are left out.
WITH RECURSIVE up AS (
    SELECT p.id AS asked, p.id, p.merged_into FROM store_profile p
    WHERE p.id = ANY (%(ids)s::bigint[])
    UNION ALL
    SELECT up.asked, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT asked, id FROM up WHERE merged_into IS NULL

-- name: journeys_joined
-- The profiles that were merged into these, however many times over.
WITH RECURSIVE down AS (
    SELECT p.id AS root, p.id FROM store_profile p WHERE p.id = ANY (%(ids)s::bigint[])
    UNION ALL
    SELECT down.root, p.id FROM down JOIN store_profile p ON p.merged_into = down.id
)
SELECT id, root FROM down WHERE id <> root

-- name: journeys_open
SELECT id, journey_id, version, profile_id, origin_id, entry_position, entered_at, entry, node,
       state, due_at
FROM broadcast_enrolment WHERE profile_id = ANY (%(ids)s::bigint[]) AND ended_at IS NULL
ORDER BY id FOR UPDATE

-- name: journeys_put_off
UPDATE broadcast_enrolment SET due_at = %(until)s
WHERE id = ANY (%(ids)s::bigint[]) AND due_at < %(until)s

-- name: journeys_last_entries
SELECT profile_id, journey_id, max(entered_at) FROM broadcast_enrolment
WHERE profile_id = ANY (%(ids)s::bigint[]) AND journey_id = ANY (%(journey_ids)s::integer[])
GROUP BY profile_id, journey_id

-- name: journeys_draw_ids
SELECT nextval('broadcast_enrolment_id') FROM generate_series(1, %s)

-- name: journeys_insert
-- One JSON document: that is far quicker to write than an array a column.
INSERT INTO broadcast_enrolment (id, journey_id, version, profile_id, origin_id, entry_position,
    entered_at, entry, node, state, due_at, ended_at, ending)
SELECT id, journey_id, version, profile_id, profile_id, entry_position, entered_at, entry, node,
       state, due_at, ended_at, ending
FROM jsonb_to_recordset(%s::text::jsonb)
     AS g (id bigint, journey_id integer, version integer, profile_id bigint,
           entry_position bigint, entered_at timestamptz, entry jsonb, node text, state jsonb,
           due_at timestamptz, ended_at timestamptz, ending text)

-- name: journeys_update
UPDATE broadcast_enrolment e
SET profile_id = g.profile_id, node = g.node, state = g.state, due_at = g.due_at,
    ended_at = g.ended_at, ending = g.ending
FROM jsonb_to_recordset(%s::text::jsonb)
     AS g (id bigint, profile_id bigint, node text, state jsonb, due_at timestamptz,
           ended_at timestamptz, ending text)
WHERE e.id = g.id

-- name: journeys_move_ended
-- What is over goes along too, so that nobody begins anew under another number.
UPDATE broadcast_enrolment e SET profile_id = g.root
FROM unnest(%(ids)s::bigint[], %(roots)s::bigint[]) AS g (id, root)
WHERE e.profile_id = g.id AND e.ended_at IS NOT NULL

-- name: journeys_move_back
-- A merge was undone: ways go back to whom they began with.
UPDATE broadcast_enrolment e SET profile_id = g.root
FROM unnest(%(ids)s::bigint[], %(roots)s::bigint[]) AS g (id, root)
WHERE e.origin_id = g.id AND e.profile_id <> g.root

-- name: journeys_strayed
-- Ways that stand with another person than the one they began with.
SELECT DISTINCT origin_id, profile_id FROM broadcast_enrolment
WHERE origin_id <> profile_id AND (profile_id = ANY (%(ids)s::bigint[])
                                   OR origin_id = ANY (%(ids)s::bigint[]))

-- name: journeys_count
INSERT INTO broadcast_step_count AS c (journey_id, version, node, edge, count)
SELECT * FROM unnest(%(journey_id)s::integer[], %(version)s::integer[], %(node)s::text[],
                     %(edge)s::text[], %(count)s::bigint[])
ON CONFLICT (journey_id, version, node, edge) DO UPDATE SET count = c.count + excluded.count

-- name: journeys_contents
SELECT t.id, c.id, c.class FROM broadcast_template t JOIN broadcast_content c ON c.id = t.content_id
WHERE t.id = ANY (%s::integer[])

-- name: journeys_addresses
SELECT id, email FROM store_profile WHERE id = ANY (%s::bigint[]) AND email IS NOT NULL

-- name: journeys_forget
WITH gone AS (
    DELETE FROM broadcast_enrolment
    WHERE profile_id = ANY (%(ids)s::bigint[]) OR origin_id = ANY (%(ids)s::bigint[])
    RETURNING journey_id, version, node, ended_at
), counted AS (
    SELECT journey_id, version, node, count(*) AS count FROM gone
    WHERE ended_at IS NULL GROUP BY journey_id, version, node
    UNION ALL
    SELECT journey_id, version, '', count(*) FROM gone
    WHERE ended_at IS NULL GROUP BY journey_id, version
), told AS (
    INSERT INTO broadcast_step_count AS c (journey_id, version, node, edge, count)
    SELECT journey_id, version, node, '!gone', count FROM counted
    ON CONFLICT (journey_id, version, node, edge) DO UPDATE SET count = c.count + excluded.count
)
SELECT count(*) FROM gone

-- name: journeys_done_already
-- Of those who are about to begin: what was heard before, and happened since what begins it.
SELECT g.place, a.occurred_at, a.properties
FROM unnest(%(place)s::integer[], %(profile_id)s::bigint[], %(name)s::text[],
            %(since)s::timestamptz[], %(position)s::bigint[])
     AS g (place, profile_id, name, since, position)
JOIN store_activity a ON a.profile_id = g.profile_id AND a.name = g.name
 AND a.occurred_at >= g.since AND a.position < g.position

-- name: journey_names
SELECT id, name FROM broadcast_journey
WHERE %(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[])
