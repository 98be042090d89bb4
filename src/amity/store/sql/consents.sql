-- The consent ledger, its purposes and notices, and the gate asked about many at once.

-- name: consents_until
-- How far the ledger may read now, and from where.
SELECT least(coalesce(max(position), 0), %(after)s::bigint + %(limit)s) FROM store_activity

-- name: consents_activity
SELECT a.position, a.profile_id, a.event_id, a.source_id, a.occurred_at, a.received_at, a.type,
       a.name, a.properties, a.context, a.origin_id, s.kind
FROM store_activity a JOIN store_source s ON s.id = a.source_id
WHERE a.position > %(after)s AND a.position <= %(until)s AND a.name = ANY (%(names)s)
  AND a.type = 'track'
ORDER BY a.position

-- name: consents_known
SELECT DISTINCT event_id FROM store_consent WHERE event_id = ANY (%s::bigint[])

-- name: consents_head
SELECT record_id, hash FROM store_consent ORDER BY record_id DESC LIMIT 1

-- name: consents_hash
SELECT hash FROM store_consent WHERE record_id = %s

-- name: consents_copy
COPY store_consent (record_id, origin_id, subject, event_id, purpose, channel, basis, jurisdiction,
    status, event_time, recorded_time, method, notice, notice_sha256, source_id, evidence,
    evidence_sha256, expires_at, recipients, prev_hash, hash, seal) FROM STDIN

-- name: consents_blank
SELECT about, amount FROM store_blank_consents(%s::bigint[])

-- name: consents_last_head
SELECT record_id, signed_at FROM store_consent_head ORDER BY record_id DESC LIMIT 1

-- name: consents_add_head
INSERT INTO store_consent_head (record_id, hash, signed_at, signature) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING

-- name: consents_heads
SELECT record_id, encode(hash, 'hex'), signed_at, encode(signature, 'base64')
FROM store_consent_head ORDER BY record_id

-- name: consents_page
SELECT record_id, origin_id, subject, event_id, purpose, channel, basis, jurisdiction, status,
       event_time, recorded_time, method, notice, notice_sha256, source_id, evidence,
       evidence_sha256, expires_at, recipients, prev_hash, hash, seal
FROM store_consent
WHERE (%(before)s::bigint IS NULL OR record_id < %(before)s)
  AND (%(purpose)s = '' OR purpose = %(purpose)s)
  AND (%(status)s = '' OR status = %(status)s)
  AND (%(method)s = '' OR method = %(method)s)
  AND (%(source_id)s::integer IS NULL OR source_id = %(source_id)s)
  AND (%(origins)s::bigint[] IS NULL OR origin_id = ANY (%(origins)s))
ORDER BY record_id DESC LIMIT %(limit)s

-- name: consents_chain
SELECT record_id, origin_id, subject, event_id, purpose, channel, basis, jurisdiction, status,
       event_time, recorded_time, method, notice, notice_sha256, source_id, evidence,
       evidence_sha256, expires_at, recipients, prev_hash, hash, seal
FROM store_consent WHERE record_id > %s ORDER BY record_id LIMIT %s

-- name: consents_lapsed
-- Yeses that have ended since this was looked at last, with nothing said about the purpose after.
SELECT c.origin_id, c.purpose, c.channel, c.basis, c.jurisdiction, c.expires_at
FROM store_consent c
WHERE c.status = 'given' AND c.expires_at <= %(now)s AND c.origin_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM store_consent n WHERE n.origin_id = c.origin_id
                  AND n.purpose = c.purpose AND n.record_id > c.record_id)
  AND c.expires_at >= coalesce(
      (SELECT max(e.event_time) FROM store_consent e WHERE e.status = 'expired'), '-infinity')
ORDER BY c.expires_at, c.record_id LIMIT %(limit)s

-- name: consents_methods
SELECT method FROM store_consent GROUP BY method ORDER BY method

-- name: purposes_list
SELECT key, title, covers, channels, basis, needs_consent, expiry_months, is_shown, place,
       updated_at, updated_by
FROM store_purpose ORDER BY place, key

-- name: purposes_save
INSERT INTO store_purpose AS p (key, title, covers, channels, basis, needs_consent, expiry_months,
                                is_shown, place, updated_at, updated_by)
VALUES (%(key)s, %(title)s, %(covers)s, %(channels)s, %(basis)s, %(needs_consent)s,
        %(expiry_months)s, %(is_shown)s, %(place)s, %(now)s, %(by)s)
ON CONFLICT (key) DO UPDATE SET title = excluded.title, covers = excluded.covers,
    channels = excluded.channels, basis = excluded.basis, needs_consent = excluded.needs_consent,
    expiry_months = excluded.expiry_months, is_shown = excluded.is_shown, place = excluded.place,
    updated_at = excluded.updated_at, updated_by = excluded.updated_by

-- name: notices_list
SELECT key, version, language, wording, sha256, created_at, created_by
FROM store_notice WHERE %(key)s = '' OR key = %(key)s
ORDER BY key, version DESC, language

-- name: notices_latest
SELECT DISTINCT ON (key) key, version, language, wording, sha256, created_at, created_by
FROM store_notice WHERE language = 'en' ORDER BY key, version DESC

-- name: notices_get
SELECT key, version, language, wording, sha256, created_at, created_by
FROM store_notice WHERE key = %s AND version = %s AND language = %s

-- name: notices_add
INSERT INTO store_notice (key, version, language, wording, sha256, created_at, created_by)
SELECT %(key)s, coalesce(max(version), 0) + 1, %(language)s, %(wording)s,
       encode(sha256(convert_to(%(wording)s, 'UTF8')), 'hex'), %(now)s, %(by)s
FROM store_notice WHERE key = %(key)s
RETURNING key, version, language, wording, sha256, created_at, created_by

-- name: may_use
-- Why each of these may not be used for a purpose, '' when they may; those merged into others are
-- answered for by the one that lives on.
WITH RECURSIVE up AS (
    SELECT id AS asked, id, merged_into FROM store_profile WHERE id = ANY (%(ids)s::bigint[])
    UNION ALL
    SELECT up.asked, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT up.asked, store_use_reason(p.consents, %(purpose)s, q.needs_consent, q.expiry_months, %(now)s)
FROM up JOIN store_profile p ON p.id = up.id
LEFT JOIN store_purpose q ON q.key = %(purpose)s
WHERE up.merged_into IS NULL

-- name: may_use_at
-- The same for messages: at the contact points that the caller worked out, whose own no counts too.
SELECT w.asked, store_contact_reason(coalesce(k.suppression, ''), coalesce(k.objections, '{}'),
           p.consents, %(purpose)s, q.needs_consent, q.expiry_months, %(now)s)
FROM unnest(%(asked)s::bigint[], %(roots)s::bigint[], %(keys)s::text[]) AS w (asked, root, address_key)
JOIN store_profile p ON p.id = w.root
LEFT JOIN store_contact_point k ON k.channel = %(channel)s AND k.address_key = w.address_key
LEFT JOIN store_purpose q ON q.key = %(purpose)s

-- name: may_use_addresses
WITH RECURSIVE up AS (
    SELECT id AS asked, id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION ALL
    SELECT up.asked, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
)
SELECT up.asked, p.id, p.email, p.phone FROM up JOIN store_profile p ON p.id = up.id
WHERE up.merged_into IS NULL

-- name: consents_joined
WITH RECURSIVE down AS (
    SELECT %s::bigint AS id
    UNION ALL
    SELECT m.id FROM down JOIN store_profile m ON m.merged_into = down.id
) SELECT id FROM down

-- name: carrying_merge
-- The two of a merge, and when it reached us: what was said later was said of both.
SELECT m.winner_id, m.loser_id, coalesce(
    (SELECT min(a.received_at) FROM store_activity a WHERE a.event_id = m.event_id), m.occurred_at)
FROM store_merge m WHERE m.id = %s

-- name: signup_count
INSERT INTO store_signup_pace AS p (key, hour, amount)
SELECT k, date_trunc('hour', %(now)s::timestamptz), 1 FROM unnest(%(keys)s::text[]) AS k ORDER BY k
ON CONFLICT (key, hour) DO UPDATE SET amount = p.amount + 1
RETURNING key, amount

-- name: signup_ask
-- One row when it may be asked now. Whoever waits for the row here sees what was done before.
UPDATE store_contact_point SET asked_at = %(now)s
WHERE channel = 'email' AND address_key = %(key)s AND suppression = ''
  AND (asked_at IS NULL OR asked_at <= %(now)s::timestamptz - interval '24 hours')
RETURNING 1

-- name: signup_request
SELECT a.properties, a.occurred_at, p.traits ? 'name'
FROM store_activity a JOIN store_profile p ON p.id = a.profile_id
WHERE a.event_id = %s AND a.name = 'Consent Requested'
