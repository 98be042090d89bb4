-- name: load_customers
SELECT p.id, p.user_id, p.name, p.email, p.phone, p.traits, p.order_count, p.revenue_minor,
       p.first_order_at, p.last_order_at
FROM store_profile p WHERE p.id = ANY (%s::bigint[])

-- name: load_contents
SELECT c.id, c.class, c.subject, c.preheader, c.html, c.text
FROM broadcast_content c WHERE c.id = ANY (%s::bigint[])

-- name: insert_content
INSERT INTO broadcast_content (class, subject, preheader, source, html, text, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id

-- name: find_content
SELECT c.id FROM broadcast_content c
WHERE c.class = %s AND c.subject = %s AND c.source = %s ORDER BY c.id DESC LIMIT 1

-- name: insert_template
INSERT INTO broadcast_template (name, content_id, created_by, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (lower(name)) WHERE NOT is_archived DO NOTHING RETURNING id

-- name: update_template
UPDATE broadcast_template SET name = %s, content_id = %s, updated_at = %s WHERE id = %s

-- name: archive_template
UPDATE broadcast_template SET is_archived = true, updated_at = %s
WHERE id = %s AND NOT is_archived

-- name: lock_template
SELECT t.content_id, t.is_archived FROM broadcast_template t WHERE t.id = %s FOR UPDATE

-- name: get_template
SELECT t.id, t.name, t.content_id, c.class, c.subject, c.preheader, c.source, c.html, c.text,
       t.is_archived, t.created_by, t.created_at, t.updated_at
FROM broadcast_template t JOIN broadcast_content c ON c.id = t.content_id
WHERE t.id = %s

-- name: list_templates
SELECT t.id, t.name, t.content_id, c.class, c.subject, c.preheader, c.source, c.html, c.text,
       t.is_archived, t.created_by, t.created_at, t.updated_at
FROM broadcast_template t JOIN broadcast_content c ON c.id = t.content_id
WHERE (%(archived)s OR NOT t.is_archived)
ORDER BY t.is_archived, lower(t.name), t.id
