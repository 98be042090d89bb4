-- name: lock_contact_point
INSERT INTO store_contact_point AS p (channel, address_key) VALUES (%s, %s)
ON CONFLICT (channel, address_key) DO UPDATE SET updated_at = clock_timestamp()
RETURNING p.objections::text, p.statements::text, p.suppression

-- name: read_contact_point
SELECT objections::text, statements::text, suppression FROM store_contact_point
WHERE channel = %s AND address_key = %s

-- name: write_choices
UPDATE store_contact_point
SET objections = %(objections)s::jsonb, statements = %(statements)s::jsonb,
    suppression = CASE WHEN %(lift)s THEN '' ELSE suppression END,
    suppressed_at = CASE WHEN %(lift)s THEN NULL ELSE suppressed_at END,
    updated_at = clock_timestamp()
WHERE channel = %(channel)s AND address_key = %(address_key)s

-- name: ensure_contact_points
INSERT INTO store_contact_point (channel, address_key)
SELECT %s, k FROM unnest(%s::text[]) AS k ORDER BY k
ON CONFLICT (channel, address_key) DO NOTHING

-- name: suppress_contact_points
INSERT INTO store_contact_point AS p (channel, address_key, suppression, suppressed_at)
SELECT c, k, %(reason)s, %(now)s FROM unnest(%(channels)s::text[], %(keys)s::text[]) AS t (c, k)
ORDER BY c, k
ON CONFLICT (channel, address_key) DO UPDATE
SET suppression = excluded.suppression, suppressed_at = excluded.suppressed_at,
    updated_at = clock_timestamp()
WHERE p.suppression = ANY (%(weaker)s::text[])

-- name: erase_contact_points
INSERT INTO store_contact_point (channel, address_key, suppression, suppressed_at)
SELECT c, k, 'erased', %(now)s FROM unnest(%(channels)s::text[], %(keys)s::text[]) AS t (c, k)
ORDER BY c, k
ON CONFLICT (channel, address_key) DO UPDATE
SET suppression = 'erased', suppressed_at = excluded.suppressed_at, statements = '{}',
    soft_bounces = 0, first_soft_bounce_at = NULL, updated_at = clock_timestamp()

-- name: lift_suppression
UPDATE store_contact_point
SET suppression = '', suppressed_at = NULL, soft_bounces = 0, first_soft_bounce_at = NULL,
    updated_at = clock_timestamp()
WHERE channel = %s AND address_key = %s AND suppression <> ''

-- name: count_soft_bounce
INSERT INTO store_contact_point AS p (channel, address_key, soft_bounces, first_soft_bounce_at)
VALUES (%s, %s, 1, %s)
ON CONFLICT (channel, address_key) DO UPDATE
SET soft_bounces = p.soft_bounces + 1,
    first_soft_bounce_at = coalesce(p.first_soft_bounce_at, excluded.first_soft_bounce_at),
    updated_at = clock_timestamp()
RETURNING p.soft_bounces, p.first_soft_bounce_at

-- name: forget_soft_bounces
UPDATE store_contact_point SET soft_bounces = 0, first_soft_bounce_at = NULL
WHERE channel = %s AND address_key = ANY (%s::text[]) AND soft_bounces > 0

-- name: find_contact_points
SELECT channel, address_key, suppression, suppressed_at, objections::text, soft_bounces
FROM store_contact_point
WHERE (channel, address_key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))

-- name: read_consents
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = %s
    UNION ALL
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
) SELECT p.id, p.consents::text FROM up JOIN store_profile p USING (id) WHERE up.merged_into IS NULL

-- name: list_statements
SELECT a.event_id, a.source_id, s.kind, a.occurred_at, a.name, a.properties, a.context
FROM store_activity a JOIN store_source s ON s.id = a.source_id
WHERE a.profile_id = %s AND a.name = ANY (%s) AND a.type = 'track'
ORDER BY a.occurred_at DESC, a.position DESC LIMIT %s

-- name: read_agreeing
WITH RECURSIVE up AS (
    SELECT id AS asked, id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION ALL
    SELECT u.asked, p.id, p.merged_into FROM up u JOIN store_profile p ON p.id = u.merged_into
)
SELECT u.asked, coalesce(c.said ->> 'at', '0001-01-01T00:00:00Z'),
       ARRAY(SELECT i.value FROM store_identifier i WHERE i.profile_id = u.id AND i.kind = 'email')
FROM up u JOIN store_profile p ON p.id = u.id
CROSS JOIN LATERAL (SELECT p.consents -> 'tracking.email' AS said) AS c
LEFT JOIN store_purpose q ON q.key = 'tracking.email'
WHERE u.merged_into IS NULL AND store_use_reason(
    p.consents, 'tracking.email', q.needs_consent, q.expiry_months, %s::timestamptz) = ''

-- name: read_objections
SELECT address_key, objections ->> %(purpose)s FROM store_contact_point
WHERE channel = 'email' AND address_key = ANY (%(keys)s::text[]) AND objections ? %(purpose)s

-- name: pause_contact_point
-- One row when it is not so already.
UPDATE store_contact_point
SET objections = CASE WHEN %(until)s::text IS NULL THEN objections - %(name)s::text
                      ELSE objections || jsonb_build_object(%(name)s::text, %(until)s::text) END,
    updated_at = clock_timestamp()
WHERE channel = %(channel)s AND address_key = %(key)s
  AND objections ->> %(name)s::text IS DISTINCT FROM %(until)s::text

-- name: last_signal
-- When her browser last asked by Global Privacy Control, and what it said no to.
SELECT occurred_at, properties -> 'categoryPreferences' FROM store_activity
WHERE profile_id = %s AND name = 'Segment Consent Preference Updated'
  AND properties ->> 'method' = 'GPC'
ORDER BY occurred_at DESC LIMIT 1
