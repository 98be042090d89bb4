-- name: list_linkable
-- Customers of whom something is known to compare; whether anything came about them since.
SELECT p.id, p.user_id IS NOT NULL,
       %(after)s::bigint IS NULL
           OR p.id IN (SELECT profile_id FROM store_activity WHERE position > %(after)s),
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

-- name: list_employers
-- Companies by how customers write them; each is called after the first customer who did.
SELECT min(e.id), false, bool_or(e.fresh), min(e.name), e.domain, e.vat, max(e.town), max(e.code)
FROM (
    SELECT p.id, coalesce(p.traits #>> '{company,name}', p.traits ->> 'company_name',
               CASE WHEN jsonb_typeof(p.traits -> 'company') = 'string'
                   THEN p.traits ->> 'company' END, '') AS name,
           CASE WHEN split_part(coalesce(p.email, ''), '@', 2) <> ALL (%(free)s::text[])
               THEN split_part(coalesce(p.email, ''), '@', 2) ELSE '' END AS domain,
           coalesce(p.traits #>> '{company,vat}', p.traits ->> 'vat_number',
               p.traits ->> 'vatNumber', p.traits ->> 'vat_id', p.traits ->> 'vatId',
               p.traits ->> 'vat', '') AS vat,
           coalesce(p.traits #>> '{company,city}', '') AS town,
           coalesce(p.traits #>> '{company,postalCode}', '') AS code,
           %(after)s::bigint IS NULL OR p.id IN (
               SELECT profile_id FROM store_activity WHERE position > %(after)s) AS fresh
    FROM store_profile p WHERE p.merged_into IS NULL) AS e
WHERE e.name <> ''
GROUP BY lower(e.name), e.domain, e.vat ORDER BY 1

-- name: latest_position
SELECT coalesce(max(position), 0) FROM store_activity

-- name: latest_link_model
SELECT id, subject, learnt_at, why, learnt_by, records, model::text, quality::text, compared_to,
       compared_at, asked_at, asked_by
FROM store_link_model WHERE subject = %s ORDER BY id DESC LIMIT 1

-- name: list_link_models
SELECT id, subject, learnt_at, why, learnt_by, records, model::text, quality::text, compared_to,
       compared_at, asked_at, asked_by
FROM store_link_model WHERE subject = %s ORDER BY id DESC LIMIT %s

-- name: insert_link_model
INSERT INTO store_link_model (subject, learnt_at, why, learnt_by, records, model, quality)
VALUES (%(subject)s, %(now)s, %(why)s, %(by)s, %(records)s, %(model)s, %(quality)s)

-- name: set_compared
UPDATE store_link_model SET compared_to = %(to)s, compared_at = %(now)s WHERE id = (
    SELECT max(id) FROM store_link_model WHERE subject = %(subject)s)

-- name: ask_to_learn
UPDATE store_link_model SET asked_at = %(now)s, asked_by = %(by)s WHERE asked_at IS NULL AND id = (
    SELECT max(id) FROM store_link_model WHERE subject = %(subject)s)

-- name: find_asked
SELECT m.subject, m.asked_by FROM store_link_model m
WHERE m.asked_at IS NOT NULL
  AND m.id = (SELECT max(id) FROM store_link_model l WHERE l.subject = m.subject)

-- name: lock_linkage
SELECT pg_advisory_xact_lock(hashtext('amity linkage ' || %s))
