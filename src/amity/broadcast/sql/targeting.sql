-- From a segment to a ledger: whom a campaign draws, in slices, and how it comes to its end.

-- name: target_due
-- Campaigns with something to do now. A segment that is being built is waited for.
SELECT c.id FROM broadcast_campaign c
WHERE c.state = 'targeting'
   OR (c.state = 'scheduled' AND c.scheduled_at <= %(now)s AND NOT EXISTS (
       SELECT FROM analysis_segment s WHERE s.id = c.segment_id AND s.state = 'building'))
   OR (c.state = 'sending' AND NOT EXISTS (
       SELECT FROM broadcast_send s WHERE s.run_kind = 'campaign' AND s.run_id = c.id
         AND s.state IN ('queued', 'claimed', 'wire')))
   OR (c.state = 'stopped' AND c.finished_at IS NULL AND NOT EXISTS (
       SELECT FROM broadcast_send s WHERE s.run_kind = 'campaign' AND s.run_id = c.id
         AND s.state = 'wire'))
ORDER BY c.id

-- name: target_claim
-- One worker at a time; whoever stops or pauses the campaign waits for the slice under way.
SELECT c.state, c.segment_id, c.channel, c.purpose, c.began_at, c.target_cursor,
       (SELECT s.state FROM analysis_segment s WHERE s.id = c.segment_id)
FROM broadcast_campaign c WHERE c.id = %s FOR UPDATE SKIP LOCKED

-- name: target_begin
UPDATE broadcast_campaign SET state = 'targeting', began_at = %(now)s, target_cursor = 0,
    updated_at = %(now)s
WHERE id = %(campaign_id)s

-- name: target_audience
-- The next members in order of profile id, as of one moment: whoever enters or leaves while the
-- slices are cut changes nothing.
SELECT profile_id FROM (
    (SELECT profile_id FROM analysis_membership
     WHERE segment_id = %(segment_id)s AND left_at IS NULL AND entered_at <= %(at)s
       AND profile_id > %(after)s
     ORDER BY profile_id LIMIT %(limit)s)
    UNION
    (SELECT profile_id FROM analysis_membership
     WHERE segment_id = %(segment_id)s AND left_at > %(at)s AND entered_at <= %(at)s
       AND profile_id > %(after)s
     ORDER BY profile_id LIMIT %(limit)s)
) AS member ORDER BY profile_id LIMIT %(limit)s

-- name: target_people
-- Who they are by now: a member that was merged since stands for the profile that lives on.
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT p.id, p.email FROM up JOIN store_profile p ON p.id = up.id
WHERE up.merged_into IS NULL ORDER BY p.id

-- name: target_reasons
-- Why each cannot be reached, '' when they can. Asked again when the message is on its way.
-- One person at a time, by index: a plan for all of them at once reads the whole ledger.
SELECT g.profile_id, CASE
    WHEN contact.reason <> '' THEN contact.reason
    WHEN %(cap_count)s > 0 AND (
        SELECT count(*) FROM broadcast_send s
        WHERE s.profile_id = ANY (ARRAY(
                  WITH RECURSIVE down AS (
                      SELECT g.profile_id AS id
                      UNION ALL
                      SELECT m.id FROM down JOIN store_profile m ON m.merged_into = down.id
                  ) SELECT id FROM down))
          AND s.class = 'marketing' AND s.run_kind <> 'test' AND s.state IN ('wire', 'sent', 'unknown')
          AND s.wire_at > %(now)s - %(cap_days)s * interval '1 day') >= %(cap_count)s
        THEN 'frequency_cap'
    ELSE '' END
FROM unnest(%(profile_ids)s::bigint[], %(keys)s::text[]) AS g (profile_id, address_key)
JOIN store_profile p ON p.id = g.profile_id
LEFT JOIN store_contact_point k ON k.channel = %(channel)s AND k.address_key = g.address_key
LEFT JOIN store_purpose u ON u.key = %(purpose)s
CROSS JOIN LATERAL (SELECT store_contact_reason(
    coalesce(k.suppression, ''), coalesce(k.objections, '{}'), p.consents, %(purpose)s,
    u.needs_consent, u.expiry_months, %(now)s::timestamptz) AS reason
) AS contact

-- name: target_taken
SELECT contact_point FROM broadcast_participant
WHERE campaign_id = %s AND contact_point = ANY (%s::text[])

-- name: target_draw
-- The draw: the first 52 bits of SHA-256 of salt:profile, as a share of one. Nobody is drawn twice,
-- and the held out get no row in the ledger.
WITH given AS (
    SELECT g.*, (('x' || left(encode(sha256(convert_to(c.salt || ':' || g.profile_id, 'UTF8')),
                              'hex'), 13))::bit(52)::bigint / 4503599627370496.0)::float8 AS draw
    FROM unnest(%(profile_ids)s::bigint[], %(contact_points)s::text[], %(reasons)s::text[])
         AS g (profile_id, contact_point, reason)
    JOIN broadcast_campaign c ON c.id = %(campaign_id)s
), drawn AS (
    INSERT INTO broadcast_participant (campaign_id, profile_id, arm, contact_point, assigned_at)
    SELECT c.id, g.profile_id,
           CASE WHEN g.reason <> '' THEN 'excluded'
                WHEN g.draw < c.holdout_rate THEN 'holdout' ELSE 'treatment' END,
           g.contact_point, %(now)s
    FROM given g JOIN broadcast_campaign c ON c.id = %(campaign_id)s
    ORDER BY g.profile_id
    ON CONFLICT DO NOTHING RETURNING profile_id, arm, contact_point
)
INSERT INTO broadcast_send (run_kind, run_id, contact_point, profile_id, channel, class, purpose,
    content_id, variables, state, reason, planned_at, not_before, not_after, settled_at)
SELECT 'campaign', c.id, d.contact_point, d.profile_id, c.channel, k.class,
       c.purpose, c.content_id,
       CASE WHEN c.placement_key = '' THEN '{}'::jsonb
            ELSE jsonb_build_object('placement', c.placement_key) END,
       CASE d.arm WHEN 'treatment' THEN 'queued' ELSE 'suppressed' END, g.reason,
       %(now)s, %(now)s, c.began_at + c.expires_hours * interval '1 hour',
       CASE d.arm WHEN 'excluded' THEN %(now)s END
FROM drawn d JOIN given g USING (profile_id)
JOIN broadcast_campaign c ON c.id = %(campaign_id)s
JOIN broadcast_content k ON k.id = c.content_id
WHERE d.arm <> 'holdout'
ON CONFLICT DO NOTHING

-- name: target_held_out
SELECT p.profile_id, c.name FROM broadcast_participant p
JOIN broadcast_campaign c ON c.id = p.campaign_id
WHERE p.campaign_id = %s AND p.profile_id = ANY (%s::bigint[]) AND p.arm = 'holdout'

-- name: target_advance
UPDATE broadcast_campaign SET target_cursor = %(cursor)s WHERE id = %(campaign_id)s

-- name: target_done
UPDATE broadcast_campaign SET state = 'sending', targeted_at = %(now)s, updated_at = %(now)s
WHERE id = %(campaign_id)s

-- name: target_cancel
-- What a sender holds at this moment is left: its gate will see that the run was stopped.
UPDATE broadcast_send SET state = 'cancelled', reason = 'stopped', settled_at = %(now)s
WHERE id IN (
    SELECT id FROM broadcast_send
    WHERE run_kind = 'campaign' AND run_id = %(campaign_id)s AND state IN ('queued', 'claimed')
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED)

-- name: target_close
-- Over when nothing is on its way any more.
UPDATE broadcast_campaign c
SET state = CASE WHEN c.state = 'sending' THEN 'finished' ELSE c.state END,
    finished_at = %(now)s, updated_at = %(now)s
WHERE c.id = %(campaign_id)s AND c.state IN ('sending', 'stopped') AND c.finished_at IS NULL
  AND NOT EXISTS (
      SELECT FROM broadcast_send s WHERE s.run_kind = 'campaign' AND s.run_id = c.id
        AND s.state IN ('queued', 'claimed', 'wire'))

-- name: target_segment
SELECT state FROM analysis_segment WHERE id = %s
