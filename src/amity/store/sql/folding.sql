-- name: has_unread
SELECT EXISTS (
    SELECT FROM store_event_log l
    WHERE (l.xid, l.id) > (SELECT c.xid, c.event_id FROM store_consumer c WHERE c.name = 'profiles')
      AND l.xid < pg_snapshot_xmin(pg_current_snapshot()))

-- name: read_log
SELECT l.id, l.xid::text, l.received_at, l.source_id, l.type, l.message_id, l.sent_at, l.body
FROM store_event_log l
WHERE (l.xid, l.id) > (%s::text::xid8, %s::bigint)
  AND l.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY l.xid, l.id LIMIT %s

-- name: read_source_kinds
SELECT id, kind FROM store_source

-- name: find_owners
SELECT i.kind, i.value, i.profile_id, i.origin_id, i.event_id, i.is_stated
FROM unnest(%s::text[], %s::text[]) AS k (kind, value)
JOIN store_identifier i ON i.kind = k.kind AND i.value = k.value

-- name: load_states
SELECT p.id, p.merged_into, p.user_id, p.traits::text, p.trait_origins::text, p.consents::text,
       p.first_seen_at, p.last_seen_at, p.event_count, p.event_counts::text, p.order_count,
       p.revenue_minor, p.first_order_at, p.last_order_at, p.last_orders::text,
       p.identifier_count, p.version, p.email_count, p.phone_count, p.is_known, p.is_contested,
       p.trait_words::text
FROM store_profile p WHERE p.id = ANY (%s::bigint[])

-- name: load_blocks
-- A join made by hand and taken back was never made: it keeps nobody apart. One that evidence made
-- and somebody took back does, whatever was known by then.
SELECT m.winner_id, m.loser_id,
       CASE WHEN EXISTS (
           SELECT FROM store_evidence e
           WHERE e.kind = m.kind AND e.value = m.value AND e.cut <> '' AND e.cut = 'undone'
             AND e.way NOT IN ('event', 'alias') AND e.event_id = m.event_id)
       THEN 0 ELSE m.undone_by END, m.id
FROM store_merge m WHERE m.undone_by IS NOT NULL ORDER BY m.id

-- name: load_orders
SELECT profile_id, order_id, placed_at, event_id, total_minor, currency, items, refunds,
       is_refunded, is_cancelled
FROM store_order WHERE profile_id = ANY (%s::bigint[])

-- name: find_orders
SELECT o.profile_id, o.order_id, o.placed_at, o.event_id, o.total_minor, o.currency, o.items,
       o.refunded_minor, o.is_refunded, o.is_cancelled
FROM unnest(%s::bigint[], %s::text[]) AS k (profile_id, order_id)
JOIN store_order o ON o.profile_id = k.profile_id AND o.order_id = k.order_id

-- name: delete_orders
DELETE FROM store_order WHERE profile_id = ANY (%s::bigint[])

-- name: make_stage
CREATE TEMPORARY TABLE IF NOT EXISTS fold_profile (LIKE store_profile INCLUDING DEFAULTS) ON COMMIT DELETE ROWS

-- name: copy_stage
COPY fold_profile (id, merged_into, user_id, name, email, phone, traits, trait_origins,
    trait_words, consents,
    first_seen_at, last_seen_at, event_count, event_counts, order_count, revenue_minor,
    first_order_at, last_order_at, last_orders, identifier_count, version,
    email_count, phone_count, is_known, is_contested) FROM STDIN (FORMAT binary)

-- name: copy_profiles
COPY store_profile (id, merged_into, user_id, name, email, phone, traits, trait_origins,
    trait_words, consents,
    first_seen_at, last_seen_at, event_count, event_counts, order_count, revenue_minor,
    first_order_at, last_order_at, last_orders, identifier_count, version,
    email_count, phone_count, is_known, is_contested) FROM STDIN (FORMAT binary)

-- name: apply_stage
UPDATE store_profile p SET
    merged_into = s.merged_into, user_id = s.user_id, name = s.name, email = s.email,
    phone = s.phone, traits = s.traits, trait_origins = s.trait_origins,
    trait_words = s.trait_words, consents = s.consents,
    first_seen_at = s.first_seen_at, last_seen_at = s.last_seen_at, event_count = s.event_count,
    event_counts = s.event_counts, order_count = s.order_count, revenue_minor = s.revenue_minor,
    first_order_at = s.first_order_at, last_order_at = s.last_order_at,
    last_orders = s.last_orders, identifier_count = s.identifier_count, version = s.version,
    email_count = s.email_count, phone_count = s.phone_count, is_known = s.is_known,
    is_contested = s.is_contested
FROM fold_profile s WHERE p.id = s.id

-- name: copy_identifiers
COPY store_identifier (kind, value, profile_id, origin_id, source_id, event_id, first_seen_at,
    is_stated) FROM STDIN (FORMAT binary)

-- name: repoint_identifiers
UPDATE store_identifier i SET profile_id = m.winner_id
FROM unnest(%s::bigint[], %s::bigint[]) AS m (loser_id, winner_id) WHERE i.profile_id = m.loser_id

-- name: copy_activities
COPY store_activity (position, profile_id, origin_id, event_id, xid, source_id, occurred_at,
    received_at, type, name, properties, context) FROM STDIN (FORMAT binary)

-- name: repoint_activities
UPDATE store_activity a SET profile_id = m.winner_id
FROM unnest(%s::bigint[], %s::bigint[]) AS m (loser_id, winner_id) WHERE a.profile_id = m.loser_id

-- name: insert_merges
INSERT INTO store_merge (id, event_id, winner_id, loser_id, kind, value, occurred_at, source_id,
    before, refusal)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
    %s::text[], %s::timestamptz[], %s::integer[], %s::jsonb[], %s::text[])
ON CONFLICT DO NOTHING

-- name: upsert_orders
INSERT INTO store_order (profile_id, order_id, placed_at, event_id, total_minor, currency, items,
    refunds, is_refunded, is_cancelled, refunded_minor)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[],
    %s::text[], %s::integer[], %s::jsonb[], %s::boolean[], %s::boolean[], %s::bigint[])
ON CONFLICT (profile_id, order_id) DO UPDATE SET
    placed_at = excluded.placed_at, event_id = excluded.event_id,
    total_minor = excluded.total_minor, currency = excluded.currency, items = excluded.items,
    refunds = excluded.refunds, refunded_minor = excluded.refunded_minor,
    is_refunded = excluded.is_refunded, is_cancelled = excluded.is_cancelled

-- name: add_tallies
INSERT INTO store_tally AS t (kind, name, amount)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
ON CONFLICT (kind, name) DO UPDATE SET amount = t.amount + excluded.amount

-- name: move_profiles
UPDATE store_consumer SET xid = %(xid)s::text::xid8, event_id = %(event_id)s,
    position = %(position)s, epoch = epoch + 1, failures = 0, updated_at = now()
WHERE name = 'profiles' AND epoch = %(epoch)s

-- name: find_undoable
SELECT id, event_id, winner_id, loser_id, kind, value FROM store_merge
WHERE id = %s AND refusal = '' AND undone_by IS NULL FOR UPDATE

-- name: set_undone
UPDATE store_merge SET undone_by = %s WHERE id = %s

-- name: find_component
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM store_profile WHERE id = %(profile_id)s
    UNION ALL
    SELECT p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into
), down AS (
    SELECT id FROM up WHERE merged_into IS NULL
    UNION ALL
    SELECT p.id FROM down JOIN store_profile p ON p.merged_into = down.id
)
SELECT down.id, (SELECT up.id FROM up WHERE up.merged_into IS NULL) FROM down ORDER BY down.id

-- name: read_component
SELECT a.position, l.id, l.xid::text, l.received_at, l.source_id, l.type, l.message_id, l.sent_at,
       l.body
FROM store_activity a JOIN store_event_log l ON l.xid = a.xid AND l.id = a.event_id
WHERE a.profile_id = %s AND a.type <> 'system'
ORDER BY a.position

-- name: delete_identifiers
DELETE FROM store_identifier WHERE profile_id = ANY (%s::bigint[])

-- name: delete_profiles
DELETE FROM store_profile WHERE id = ANY (%s::bigint[])

-- name: delete_merges_of
DELETE FROM store_merge m USING unnest(%s::bigint[]) AS e (event_id)
WHERE m.id >= e.event_id * 10 AND m.id < e.event_id * 10 + 10 AND m.undone_by IS NULL
RETURNING m.refusal

-- name: read_markers
SELECT position, origin_id FROM store_activity WHERE profile_id = %s AND type = 'system'

-- name: reassign_activities
UPDATE store_activity a SET profile_id = n.profile_id, origin_id = n.origin_id
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS n (position, profile_id, origin_id)
WHERE a.position = n.position AND (a.profile_id, a.origin_id) <> (n.profile_id, n.origin_id)

-- name: count_put_aside
INSERT INTO store_counter AS c (day, source_id, slot, stored, quarantined)
SELECT (now() AT TIME ZONE 'UTC')::date, source_id, pg_backend_pid() & 63, -amount, amount
FROM unnest(%s::integer[], %s::bigint[]) AS n (source_id, amount)
ON CONFLICT (day, source_id, slot) DO UPDATE SET
    stored = c.stored + excluded.stored, quarantined = c.quarantined + excluded.quarantined
