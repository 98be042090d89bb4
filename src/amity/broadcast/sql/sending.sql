-- What a sender needs to know of the people it writes to, for many at once.

-- name: sending_people
-- The profile that lives on, its address, and whether its opens and clicks may be counted.
WITH RECURSIVE up AS (
    SELECT id AS asked, id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION ALL
    SELECT up.asked, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT up.asked, p.id, coalesce(p.email, ''),
       store_use_reason(p.consents, 'tracking.email', u.needs_consent, u.expiry_months, now()) = ''
FROM up JOIN store_profile p ON p.id = up.id
LEFT JOIN store_purpose u ON u.key = 'tracking.email'
WHERE up.merged_into IS NULL

-- name: sending_objectors
-- Who said no at the contact point itself, which counts before the log is folded.
SELECT address_key FROM store_contact_point
WHERE channel = 'email' AND address_key = ANY (%s::text[]) AND objections ? 'tracking.email'

-- name: sending_runs
SELECT 'campaign', id::bigint, name FROM broadcast_campaign WHERE id = ANY (%(campaigns)s::bigint[])
UNION ALL
SELECT 'journey', id, name FROM broadcast_journey WHERE id = ANY (%(journeys)s::bigint[])

-- name: sending_now
SELECT clock_timestamp()

-- name: sending_points
-- The contact point each of these messages was planned for, and the addresses of whom it is for.
SELECT s.id, s.contact_point, ARRAY(SELECT i.value FROM store_identifier i
                                    WHERE i.profile_id = g.root AND i.kind = 'email')
FROM unnest(%s::uuid[], %s::bigint[]) AS g (id, root) JOIN broadcast_send s USING (id)
