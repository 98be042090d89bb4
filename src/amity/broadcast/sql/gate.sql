-- The gate (rules D19, D21): whether a message may be sent, asked in the transaction that puts it
-- on the wire. Everything that can say no is locked first, each in a statement of its own, so that
-- the judgement sees whatever was committed before.

-- name: gate_lock_people
-- Two messages to one person are judged one after the other, in whichever process.
SELECT pg_advisory_xact_lock(hashtext('broadcast_gate'), h.key)
FROM (SELECT DISTINCT hashint8(k) AS key FROM unnest(%s::bigint[]) AS k ORDER BY 1) AS h

-- name: gate_lock_fence
-- Whoever stops everything waits for the groups that are just going out, and no longer.
SELECT is_stopped FROM broadcast_fence FOR SHARE

-- name: gate_lock_points
SELECT 1 FROM store_contact_point
WHERE channel = %(channel)s AND address_key = ANY (%(keys)s::text[])
ORDER BY channel, address_key FOR SHARE

-- name: gate_judge
-- One row a message that is still this sender's: what becomes of it and why. With `to_wire` those
-- that may be sent are on the wire when this commits; without, they are only asked about.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS at
), held AS MATERIALIZED (
    SELECT s.id, s.run_kind, s.run_id, s.profile_id, s.channel, s.class, s.priority, s.planned_at,
           s.not_after, s.test_address <> '' AS is_test, g.address_key, g.problem,
           CASE s.class WHEN 'marketing' THEN s.purpose ELSE '' END AS purpose
    FROM unnest(%(ids)s::uuid[], %(tokens)s::integer[], %(keys)s::text[], %(problems)s::text[])
         AS g (id, token, address_key, problem)
    JOIN broadcast_send s ON s.id = g.id
    WHERE s.owner = %(owner)s AND s.token = g.token AND s.state = 'claimed'
      AND s.lease_until > clock_timestamp()
), person AS MATERIALIZED (
    SELECT h.*, r.root,
           -- whose data may only be kept is still answered: what she asked for herself is `service`
           CASE WHEN h.class = 'service' AND h.run_kind = 'service' THEN p.consents - '~restricted'
                ELSE p.consents END AS consents, p.traits ->> 'timezone' AS zone,
           coalesce(k.suppression, '') AS suppression, coalesce(k.objections, '{}') AS objections,
           u.needs_consent, u.expiry_months,
           ARRAY(WITH RECURSIVE down AS (
                     SELECT r.root AS id
                     UNION ALL
                     SELECT m.id FROM down JOIN store_profile m ON m.merged_into = down.id
                 ) SELECT id FROM down) AS parts,
           CASE h.run_kind
               WHEN 'campaign' THEN (SELECT CASE WHEN c.state IN ('targeting', 'sending') THEN ''
                                                 WHEN c.state = 'paused' THEN 'paused' END
                                     FROM broadcast_campaign c WHERE c.id = h.run_id)
               WHEN 'journey' THEN (SELECT CASE j.state WHEN 'live' THEN '' WHEN 'paused' THEN 'paused' END
                                    FROM broadcast_journey j WHERE j.id = h.run_id)
               ELSE '' END AS run
    FROM held h
    LEFT JOIN LATERAL (
        WITH RECURSIVE up AS (
            SELECT u.id, u.merged_into FROM store_profile u WHERE u.id = h.profile_id
            UNION ALL
            SELECT u.id, u.merged_into FROM up JOIN store_profile u ON u.id = up.merged_into
        ) SELECT up.id AS root FROM up WHERE up.merged_into IS NULL
    ) AS r ON true
    LEFT JOIN store_profile p ON p.id = r.root
    LEFT JOIN store_contact_point k ON k.channel = h.channel AND k.address_key = h.address_key
    LEFT JOIN store_purpose u ON u.key = h.purpose
), asked AS MATERIALIZED (
    SELECT p.*, o.lately,
           p.class = 'marketing' AND p.run_kind <> 'test' AND %(cap_count)s > 0 AS is_capped,
           CASE
               WHEN f.is_stopped THEN 'stopped_all'
               WHEN f.epoch <> %(epoch)s OR q.last_value < %(progress)s THEN 'not_armed'
               WHEN p.run IS NULL THEN 'stopped'
               WHEN p.run <> '' THEN p.run
               WHEN p.not_after <= m.at THEN 'expired'
               WHEN p.is_test AND p.suppression <> '' THEN 'suppressed'
               WHEN p.is_test THEN p.problem
               WHEN p.root IS NULL THEN 'erased'
               WHEN p.address_key = '' THEN 'no_address'
               WHEN store_contact_reason(p.suppression, p.objections, p.consents, p.purpose,
                                         p.needs_consent, p.expiry_months, m.at) <> ''
                   THEN store_contact_reason(p.suppression, p.objections, p.consents, p.purpose,
                                             p.needs_consent, p.expiry_months, m.at)
               WHEN p.problem <> '' THEN p.problem
               WHEN p.run_kind = 'campaign' AND o.has_had_it THEN 'same_person'
               WHEN p.class = 'marketing' AND broadcast_quiet_until(
                   m.at, p.zone, %(time_zone)s, %(quiet_from)s, %(quiet_until)s) IS NOT NULL
                   THEN 'quiet_hours'
               ELSE '' END AS first_reason
    FROM person p CROSS JOIN moment m CROSS JOIN broadcast_fence f CROSS JOIN broadcast_progress q
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE s.class = 'marketing' AND s.run_kind <> 'test'
                                AND s.wire_at > m.at - %(cap_days)s * interval '1 day') AS lately,
               coalesce(bool_or(s.run_kind = p.run_kind AND s.run_id = p.run_id
                                AND s.id <> p.id), false) AS has_had_it
        -- by person alone: any other index would go through all that was ever sent
        FROM (SELECT * FROM broadcast_send WHERE profile_id = ANY (p.parts) OFFSET 0) AS s
        WHERE s.state IN ('wire', 'sent', 'unknown')
    ) AS o
), counted AS MATERIALIZED (
    SELECT a.*,
           -- those of one person in this group, in their order
           row_number() OVER (PARTITION BY a.root, a.first_reason, a.is_capped
                              ORDER BY a.priority, a.planned_at, a.id) AS place,
           row_number() OVER (PARTITION BY a.root, a.first_reason, a.run_kind, a.run_id
                              ORDER BY a.priority, a.planned_at, a.id) AS place_in_run
    FROM asked a
), verdict AS MATERIALIZED (
    SELECT c.id, c.class, c.zone, CASE
        WHEN c.first_reason <> '' THEN c.first_reason
        WHEN c.run_kind = 'campaign' AND c.place_in_run > 1 THEN 'same_person'
        WHEN c.is_capped AND c.lately + c.place > %(cap_count)s THEN 'frequency_cap'
        ELSE '' END AS reason
    FROM counted c
), ruled AS MATERIALIZED (
    SELECT v.id, v.reason, v.zone, CASE
        WHEN v.reason = '' THEN CASE WHEN %(to_wire)s THEN 'wire' ELSE 'claimed' END
        WHEN v.reason IN ('stopped_all', 'not_armed', 'paused', 'quiet_hours') THEN 'queued'
        WHEN v.reason = 'stopped' THEN 'cancelled'
        WHEN v.reason = 'expired' THEN 'expired'
        ELSE 'suppressed' END AS state
    FROM verdict v
), written AS (
    UPDATE broadcast_send s
    SET state = r.state, reason = r.reason,
        wire_at = CASE WHEN r.state = 'wire' THEN clock_timestamp() END,
        lease_until = CASE WHEN r.state = 'wire'
            THEN clock_timestamp() + %(lease_seconds)s * interval '1 second' END,
        settled_at = CASE WHEN r.state NOT IN ('wire', 'queued') THEN clock_timestamp() END,
        attempts = s.attempts - (r.state = 'queued')::integer,
        not_before = CASE WHEN r.state <> 'queued' THEN s.not_before
            WHEN r.reason = 'quiet_hours' THEN broadcast_quiet_until(
                m.at, r.zone, %(time_zone)s, %(quiet_from)s, %(quiet_until)s)
            ELSE clock_timestamp() + interval '1 second' END
    FROM ruled r CROSS JOIN moment m
    WHERE s.id = r.id AND r.state <> 'claimed' AND s.owner = %(owner)s AND s.state = 'claimed'
      AND s.lease_until > clock_timestamp()
    RETURNING s.id
)
SELECT r.id, r.state, r.reason, CASE WHEN %(to_wire)s THEN nextval('broadcast_progress') ELSE 0 END
FROM ruled r WHERE r.state = 'claimed' OR r.id IN (SELECT id FROM written)

-- name: gate_enter_staff
-- A message to staff that may go on the wire: one that never was there, or that was put off.
INSERT INTO broadcast_staff_mail AS m (key, id, staff_id, subject, state, wire_at)
VALUES (%(key)s, %(mail_id)s, %(staff_id)s, %(subject)s, 'wire', %(now)s)
ON CONFLICT (key) DO UPDATE
SET id = excluded.id, state = 'wire', wire_at = excluded.wire_at, settled_at = NULL, reply = ''
WHERE m.state = 'deferred'
RETURNING nextval('broadcast_progress')
