-- name: list_linkable
SELECT p.id, p.user_id IS NOT NULL, p.last_seen_at,
       coalesce(p.traits ->> 'firstName', p.traits ->> 'first_name', ''),
       coalesce(p.traits ->> 'lastName', p.traits ->> 'last_name', ''),
       coalesce(p.name, ''), coalesce(p.email, ''), coalesce(p.phone, ''),
       coalesce(p.traits ->> 'birthday', ''),
       coalesce(p.traits #>> '{address,street}', ''),
       coalesce(p.traits #>> '{address,city}', ''),
       coalesce(p.traits #>> '{address,postalCode}', p.traits #>> '{address,postal_code}', '')
FROM store_profile p
WHERE p.merged_into IS NULL AND (p.user_id IS NOT NULL OR p.email IS NOT NULL
    OR p.phone IS NOT NULL OR p.name IS NOT NULL)
ORDER BY p.id
