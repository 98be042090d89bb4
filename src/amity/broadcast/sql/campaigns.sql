-- Campaigns as people define them, and the moves between their states.

-- name: campaign_insert
INSERT INTO broadcast_campaign (name, description, channel, purpose, segment_id, template_id,
    placement_key, holdout_rate, salt, goal_event, goal_metric, guardrail_metrics, window_days,
    state, expires_hours, created_by, created_at, updated_at)
VALUES (%(name)s, %(description)s, %(channel)s, %(purpose)s, %(segment_id)s, %(template_id)s,
    %(placement_key)s, %(holdout_rate)s, %(salt)s, %(goal_event)s, %(goal_metric)s,
    %(guardrail_metrics)s::text[], %(window_days)s, 'draft', %(expires_hours)s, %(by)s, %(now)s, %(now)s)
RETURNING id

-- name: campaign_update
-- Only before it begins; what has been promised to those drawn stays as it was.
UPDATE broadcast_campaign
SET name = %(name)s, description = %(description)s, purpose = %(purpose)s,
    segment_id = %(segment_id)s, template_id = %(template_id)s, placement_key = %(placement_key)s,
    holdout_rate = %(holdout_rate)s, goal_event = %(goal_event)s, goal_metric = %(goal_metric)s,
    guardrail_metrics = %(guardrail_metrics)s::text[], window_days = %(window_days)s,
    expires_hours = %(expires_hours)s, content_id = %(content_id)s, updated_at = %(now)s
WHERE id = %(campaign_id)s AND state IN ('draft', 'scheduled')

-- name: campaign_select
SELECT c.id, c.name, c.description, c.channel, c.purpose, c.segment_id,
       coalesce((SELECT s.name FROM analysis_segment s WHERE s.id = c.segment_id), ''),
       c.template_id,
       coalesce((SELECT t.name FROM broadcast_template t WHERE t.id = c.template_id), ''),
       c.content_id, c.placement_key, c.holdout_rate, c.goal_event, c.goal_metric,
       c.guardrail_metrics, c.window_days, c.state, c.scheduled_at, c.expires_hours, c.began_at, c.targeted_at, c.finished_at, c.note,
       c.created_by, c.created_at, c.updated_at
FROM broadcast_campaign c
WHERE (%(campaign_id)s::bigint IS NULL OR c.id = %(campaign_id)s)
  AND (%(name)s::text IS NULL OR (lower(c.name) = lower(%(name)s) AND c.state <> 'archived'))
  AND (%(state)s::text IS NULL AND (c.state <> 'archived' OR %(is_any)s) OR c.state = %(state)s)
  AND strpos(lower(c.name), lower(%(search)s)) > 0
  AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
ORDER BY c.id DESC LIMIT %(limit)s

-- name: campaigns_measured_by
SELECT c.name, c.id, c.window_days FROM broadcast_campaign c
WHERE c.state <> 'archived' AND (c.goal_metric = ANY (%(names)s) OR c.guardrail_metrics && %(names)s)
ORDER BY c.id DESC

-- name: campaign_template
SELECT t.content_id, t.is_archived, k.class, k.channel
FROM broadcast_template t JOIN broadcast_content k ON k.id = t.content_id WHERE t.id = %s

-- name: campaign_launch
UPDATE broadcast_campaign
SET state = 'scheduled', scheduled_at = %(at)s, content_id = %(content_id)s, note = '',
    updated_at = %(now)s
WHERE id = %(campaign_id)s AND state IN ('draft', 'scheduled')

-- name: campaign_pause
UPDATE broadcast_campaign SET state = 'paused', updated_at = %(now)s
WHERE id = %(campaign_id)s AND state IN ('targeting', 'sending')

-- name: campaign_resume
UPDATE broadcast_campaign
SET state = CASE WHEN targeted_at IS NULL THEN 'targeting' ELSE 'sending' END, note = '',
    updated_at = %(now)s
WHERE id = %(campaign_id)s AND state = 'paused'

-- name: campaign_stop
UPDATE broadcast_campaign SET state = 'stopped', note = %(note)s, updated_at = %(now)s
WHERE id = %(campaign_id)s AND state IN ('scheduled', 'targeting', 'sending', 'paused')

-- name: campaign_archive
UPDATE broadcast_campaign SET state = 'archived', updated_at = %(now)s
WHERE id = %(campaign_id)s AND (state IN ('draft', 'finished')
   OR (state = 'stopped' AND finished_at IS NOT NULL))

-- name: campaign_counts
-- The ledger of those drawn for treatment, by campaign. The excluded stand under 'profile:ID'.
SELECT run_id, state, count(*) FROM broadcast_send
WHERE run_kind = 'campaign' AND run_id = ANY (%s::bigint[]) AND contact_point NOT LIKE 'profile:%%'
GROUP BY run_id, state

-- name: campaign_names
SELECT id, name FROM broadcast_campaign
WHERE %(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[])
