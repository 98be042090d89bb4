-- name: upsert_claims
INSERT INTO store_claim AS c (origin_id, trait, source_id, how, value, claimed_at,
    last_confirmed_at, recorded_at, event_id, confidence, lawful_basis, expires_at, provenance)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::integer[], %s::text[], %s::jsonb[],
    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::real[], %s::text[],
    %s::timestamptz[], %s::text[])
ON CONFLICT (origin_id, trait, source_id, how, value_key) DO UPDATE SET
    claimed_at = least(c.claimed_at, excluded.claimed_at),
    recorded_at = least(c.recorded_at, excluded.recorded_at),
    (last_confirmed_at, event_id, confidence, lawful_basis, expires_at, provenance, is_over) = (
        SELECT CASE WHEN n.is_newer THEN excluded.last_confirmed_at ELSE c.last_confirmed_at END,
               CASE WHEN n.is_newer THEN excluded.event_id ELSE c.event_id END,
               CASE WHEN n.is_newer THEN excluded.confidence ELSE c.confidence END,
               CASE WHEN n.is_newer THEN excluded.lawful_basis ELSE c.lawful_basis END,
               CASE WHEN n.is_newer THEN excluded.expires_at ELSE c.expires_at END,
               CASE WHEN n.is_newer THEN excluded.provenance ELSE c.provenance END,
               CASE WHEN n.is_newer THEN false ELSE c.is_over END
        FROM (SELECT (excluded.last_confirmed_at, excluded.event_id)
                   > (c.last_confirmed_at, c.event_id) AS is_newer) AS n)

-- name: end_claims
UPDATE store_claim c SET is_over = true
FROM unnest(%s::bigint[], %s::timestamptz[]) AS e (origin_id, until)
WHERE c.origin_id = e.origin_id AND c.expires_at <= e.until AND NOT c.is_over

-- name: due_claims
SELECT origin_id, max(expires_at), array_agg(DISTINCT trait ORDER BY trait), max(event_id)
FROM (
    SELECT origin_id, expires_at, trait, event_id FROM store_claim
    WHERE expires_at <= %s AND NOT is_over ORDER BY expires_at LIMIT %s) AS due
GROUP BY origin_id ORDER BY origin_id

-- name: list_survivorship
SELECT pattern, kind, sources, updated_at, updated_by FROM store_survivorship ORDER BY pattern

-- name: set_survivorship
INSERT INTO store_survivorship (pattern, kind, sources, updated_at, updated_by)
VALUES (%s, %s, %s::integer[], %s, %s)
ON CONFLICT (pattern) DO UPDATE SET kind = excluded.kind, sources = excluded.sources,
    updated_at = excluded.updated_at, updated_by = excluded.updated_by

-- name: remove_survivorship
DELETE FROM store_survivorship WHERE pattern = %s

-- name: begin_settling
UPDATE store_survivorship_turn SET version = version + 1, after_profile_id = 0

-- name: read_settling
SELECT version, settled_version, after_profile_id FROM store_survivorship_turn

-- name: note_settling
UPDATE store_survivorship_turn SET settled_version = %s, after_profile_id = %s WHERE version = %s

-- name: list_choices
SELECT id, trait_origins::text, trait_words::text FROM store_profile
WHERE trait_words <> '{}' AND merged_into IS NULL AND id > %s ORDER BY id LIMIT %s

-- name: list_claims
WITH RECURSIVE joined AS (
    SELECT id FROM store_profile WHERE id = %(profile_id)s
    UNION ALL
    SELECT p.id FROM joined JOIN store_profile p ON p.merged_into = joined.id
)
SELECT c.trait, c.source_id, c.how, c.value, c.claimed_at, c.last_confirmed_at, c.recorded_at,
       c.event_id, c.confidence::float8, c.lawful_basis, c.expires_at, c.provenance, c.origin_id
FROM store_claim c JOIN joined ON joined.id = c.origin_id
ORDER BY c.trait, c.last_confirmed_at DESC, c.event_id DESC

-- name: read_activity_of_all
SELECT position, profile_id, event_id, source_id, occurred_at, received_at, type, name,
       properties, context, origin_id
FROM store_activity WHERE profile_id = ANY (%s::bigint[]) ORDER BY position

-- name: list_identifiers_of
SELECT i.kind, i.value, i.profile_id, i.origin_id, i.source_id, i.event_id, i.first_seen_at
FROM store_identifier i WHERE i.profile_id = ANY (%s::bigint[])
ORDER BY i.first_seen_at, i.event_id, i.kind, i.value

-- name: list_merges_among
SELECT id, event_id, winner_id, loser_id, undone_by FROM store_merge
WHERE refusal = '' AND (winner_id = ANY (%s::bigint[]) OR loser_id = ANY (%s::bigint[]))
