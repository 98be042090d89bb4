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

-- name: enrichment_insert
INSERT INTO store_enrichment (name, source_id, plan, position, created_by)
VALUES (%(name)s, %(source_id)s, %(plan)s,
        (SELECT position FROM store_consumer WHERE name = 'profiles'), %(by)s)
ON CONFLICT (lower(name)) DO NOTHING RETURNING id

-- name: enrichment_update
UPDATE store_enrichment SET name = %(name)s, plan = %(plan)s, failure = '', failures = 0,
       open_until = NULL,
       position = CASE WHEN (plan->>'is_automatic')::boolean THEN position ELSE
           (SELECT position FROM store_consumer WHERE name = 'profiles') END
WHERE id = %(id)s RETURNING id

-- name: enrichment_set_secret
UPDATE store_enrichment SET secret = %s WHERE id = %s

-- name: enrichment_switch
UPDATE store_enrichment SET is_enabled = %(on)s, failure = '', failures = 0, open_until = NULL,
       position = CASE WHEN is_enabled THEN position ELSE
           (SELECT position FROM store_consumer WHERE name = 'profiles') END
WHERE id = %(id)s RETURNING id

-- name: enrichment_delete
DELETE FROM store_enrichment WHERE id = %s RETURNING id

-- name: enrichment_read
SELECT e.id, e.source_id, e.plan, e.secret IS NOT NULL, e.is_enabled,
       count(a.*) FILTER (WHERE a.state = 'waiting'), count(a.*) FILTER (WHERE a.state = 'answered'),
       count(a.*) FILTER (WHERE a.state = 'unknown'), count(a.*) FILTER (WHERE a.state = 'withheld'),
       count(a.*) FILTER (WHERE a.state = 'failed'),
       e.failure, e.failed_at, e.last_success_at, e.created_by, e.created_at
FROM store_enrichment e LEFT JOIN store_enrichment_ask a ON a.enrichment_id = e.id
WHERE %(id)s::bigint IS NULL OR e.id = %(id)s
GROUP BY e.id ORDER BY lower(e.name)

-- name: enrichment_ask
-- Who was answered about is asked about anew once that is too old; who refused, after a day.
INSERT INTO store_enrichment_ask AS a (enrichment_id, origin_id)
SELECT %(id)s, p FROM unnest(%(profiles)s::bigint[]) AS p ORDER BY p
ON CONFLICT (enrichment_id, origin_id) DO UPDATE SET
    state = 'waiting', attempts = 0, next_at = now(), reason = ''
WHERE a.state <> 'waiting' AND (%(anew)s OR a.asked_at <
      now() - CASE WHEN a.state = 'withheld' THEN interval '1 day'
                   ELSE make_interval(days => %(ttl_days)s) END)

-- name: enrichment_lock
SELECT plan, position, secret FROM store_enrichment
WHERE id = %s AND is_enabled AND coalesce(open_until < now(), true)
  AND pg_try_advisory_xact_lock(hashtext('store_enrichment'), id::integer)

-- name: enrichment_secret
SELECT secret FROM store_enrichment WHERE id = %s

-- name: enrichment_advance
UPDATE store_enrichment SET position = %s WHERE id = %s

-- name: enrichment_claim
-- As many as the rate allows, for two minutes: who died with some of them leaves them to others.
UPDATE store_enrichment_ask a
SET asked_at = now(), next_at = now() + interval '2 minutes', attempts = attempts + 1
FROM (
    SELECT origin_id FROM store_enrichment_ask
    WHERE enrichment_id = %(id)s AND state = 'waiting' AND next_at <= now()
    ORDER BY next_at, origin_id
    LIMIT greatest(0, least(%(most)s, %(per_minute)s - (
        SELECT count(*) FROM store_enrichment_ask
        WHERE enrichment_id = %(id)s AND asked_at > now() - interval '1 minute')))
) due
WHERE a.enrichment_id = %(id)s AND a.origin_id = due.origin_id
RETURNING a.origin_id, a.attempts

-- name: enrichment_settle
UPDATE store_enrichment_ask SET state = %(state)s, reason = %(reason)s, next_at = coalesce(%(next_at)s, next_at)
WHERE enrichment_id = %(id)s AND origin_id = %(profile_id)s AND state = 'waiting'

-- name: enrichment_succeeded
UPDATE store_enrichment SET failures = 0, open_until = NULL, last_success_at = now() WHERE id = %s

-- name: enrichment_failed
UPDATE store_enrichment SET failures = failures + 1, failure = %(reason)s, failed_at = now(),
       open_until = CASE WHEN failures >= 4 THEN now() + interval '5 minutes' END
WHERE id = %(id)s

-- name: enrichment_list_asks
SELECT origin_id, state, reason, asked_at FROM store_enrichment_ask
WHERE enrichment_id = %s AND state IN ('failed', 'withheld', 'unknown')
ORDER BY asked_at DESC NULLS LAST, origin_id LIMIT 50

-- name: enrichment_erase
DELETE FROM store_enrichment_ask WHERE origin_id = ANY (%s::bigint[])

-- name: mailbox_insert
INSERT INTO store_mailbox (name, source_id, host, port, security, username, password, folder,
                           interval_seconds, created_by)
VALUES (%(name)s, %(source_id)s, %(host)s, %(port)s, %(security)s, %(username)s, '',
        %(folder)s, %(interval_seconds)s, %(by)s)
ON CONFLICT (lower(name)) DO NOTHING RETURNING id

-- name: mailbox_set_password
UPDATE store_mailbox SET password = %s, next_at = now(), failure = '' WHERE id = %s RETURNING id

-- name: mailbox_update
-- Another folder or server has numbers of its own: it is read from its beginning, and what is in
-- already is known by its message ids.
UPDATE store_mailbox
SET uid_validity = CASE WHEN (lower(host), username, folder)
                           = (lower(%(host)s), %(username)s, %(folder)s) THEN uid_validity END,
    last_uid = CASE WHEN (lower(host), username, folder)
                       = (lower(%(host)s), %(username)s, %(folder)s) THEN last_uid ELSE 0 END,
    name = %(name)s, host = %(host)s, port = %(port)s, security = %(security)s,
    username = %(username)s, folder = %(folder)s, interval_seconds = %(interval_seconds)s,
    next_at = now(), failure = ''
WHERE id = %(id)s RETURNING id

-- name: mailbox_password
SELECT password FROM store_mailbox WHERE id = %s

-- name: mailbox_read
SELECT id, source_id, name, host, username, port, security, folder, interval_seconds, is_enabled,
       read, stored, left_out, failure, failed_at, last_success_at, created_at
FROM store_mailbox WHERE %(id)s::bigint IS NULL OR id = %(id)s ORDER BY lower(name)

-- name: mailbox_switch
UPDATE store_mailbox SET is_enabled = %s, next_at = now(), failure = '' WHERE id = %s RETURNING id

-- name: mailbox_delete
DELETE FROM store_mailbox WHERE id = %s RETURNING id

-- name: mailbox_due
SELECT id FROM store_mailbox WHERE is_enabled AND next_at <= now() ORDER BY next_at

-- name: mailbox_claim
-- For ten minutes it is this one's; who dies with it leaves it to others after that.
UPDATE store_mailbox SET next_at = now() + interval '10 minutes'
WHERE id = %(id)s AND (next_at <= now() OR %(at_once)s)
RETURNING password, uid_validity, last_uid

-- name: mailbox_advance
-- Only from where it was read: two who read the same slice add it once.
UPDATE store_mailbox SET uid_validity = %(validity)s, last_uid = %(to)s, read = read + %(read)s,
       stored = stored + %(stored)s, left_out = left_out + %(left_out)s
WHERE id = %(id)s AND uid_validity IS NOT DISTINCT FROM %(was_validity)s AND last_uid = %(was)s
RETURNING id

-- name: mailbox_done
UPDATE store_mailbox SET failure = '', last_success_at = now(),
       next_at = now() + make_interval(secs => CASE WHEN %(more)s THEN 0 ELSE interval_seconds END)
WHERE id = %(id)s

-- name: mailbox_failed
UPDATE store_mailbox SET failure = %(reason)s, failed_at = now(),
       next_at = now() + make_interval(secs => greatest(interval_seconds, 60))
WHERE id = %(id)s

-- name: mail_owner
SELECT profile_id FROM store_identifier WHERE kind = 'email' AND value = %s
