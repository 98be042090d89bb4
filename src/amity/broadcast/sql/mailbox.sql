-- The local catch-all mailbox.

-- name: mailbox_insert
INSERT INTO broadcast_mailbox (envelope_from, recipient, subject, send_id, raw)
VALUES (%(sender)s, %(recipient)s, %(subject)s, %(send_id)s, %(raw)s)

-- name: mailbox_list
SELECT id, received_at, envelope_from, recipient, subject, send_id, raw
FROM broadcast_mailbox
WHERE (%(search)s = '' OR recipient ILIKE %(pattern)s OR subject ILIKE %(pattern)s)
  AND (%(after)s::bigint IS NULL OR id < %(after)s)
ORDER BY id DESC LIMIT %(limit)s

-- name: mailbox_get
SELECT id, received_at, envelope_from, recipient, subject, send_id, raw
FROM broadcast_mailbox WHERE id = %s

-- name: mailbox_find
SELECT id, received_at, envelope_from, recipient, subject, send_id, raw
FROM broadcast_mailbox WHERE send_id = %s ORDER BY id LIMIT 1

-- name: mailbox_forget
DELETE FROM broadcast_mailbox m USING broadcast_send s
WHERE s.id = m.send_id AND s.profile_id = ANY (%s)

-- name: mailbox_forget_addresses
DELETE FROM broadcast_mailbox m
WHERE EXISTS (SELECT FROM unnest(%s::text[]) AS a (address)
              WHERE position(a.address IN lower(m.recipient || ' ' || m.envelope_from || ' ' || m.subject)) > 0
                 OR position(a.address IN lower(encode(m.raw, 'escape'))) > 0)
