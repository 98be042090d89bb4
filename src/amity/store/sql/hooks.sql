-- name: hook_secrets
SELECT source_id, dialect, secret, CASE WHEN former_until > now() THEN former_secret END
FROM store_source_secret

-- name: list_source_secrets
SELECT dialect, CASE WHEN former_until > now() THEN former_until END, updated_at, updated_by
FROM store_source_secret WHERE source_id = %s ORDER BY dialect

-- name: lock_source_secret
SELECT secret FROM store_source_secret WHERE source_id = %s AND dialect = %s FOR UPDATE

-- name: write_source_secret
INSERT INTO store_source_secret (source_id, dialect, secret, updated_by)
VALUES (%(source_id)s, %(dialect)s, %(secret)s, %(by)s)
ON CONFLICT (source_id, dialect) DO UPDATE SET
    former_secret = CASE WHEN %(overlap_seconds)s > 0 THEN store_source_secret.secret END,
    former_until = CASE WHEN %(overlap_seconds)s > 0
                        THEN now() + make_interval(secs => %(overlap_seconds)s) END,
    secret = excluded.secret, updated_by = excluded.updated_by, updated_at = now()

-- name: delete_source_secret
DELETE FROM store_source_secret WHERE source_id = %s AND dialect = %s RETURNING dialect

-- name: find_phones
SELECT value, profile_id FROM store_identifier
WHERE kind = 'phone' AND right(value, 8) = %s
ORDER BY first_seen_at, value LIMIT 50
