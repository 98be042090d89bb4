-- name: site_read
SELECT is_enabled, start_urls, max_pages, max_depth, every_days FROM store_site

-- name: site_write
UPDATE store_site SET is_enabled = %s, start_urls = %s::text[], max_pages = %s, max_depth = %s,
    every_days = %s, updated_by = %s

-- name: crawl_ask
INSERT INTO store_crawl (state, created_at, created_by) VALUES ('waiting', %s, %s)
ON CONFLICT ((true)) WHERE state IN ('waiting', 'running') DO NOTHING RETURNING id

-- name: crawl_ask_due
INSERT INTO store_crawl (state, created_at)
SELECT 'waiting', %(now)s FROM store_site s
WHERE s.is_enabled AND s.start_urls <> '{}' AND NOT EXISTS (
    SELECT FROM store_crawl c WHERE c.created_at > %(now)s - make_interval(days => s.every_days))
ON CONFLICT ((true)) WHERE state IN ('waiting', 'running') DO NOTHING

-- name: crawl_stop
UPDATE store_crawl SET is_stop_wanted = true,
    state = CASE state WHEN 'waiting' THEN 'stopped' ELSE state END,
    finished_at = CASE state WHEN 'waiting' THEN %s ELSE finished_at END
WHERE state IN ('waiting', 'running')

-- name: crawl_lock
SELECT pg_try_advisory_lock(hashtext('store_crawl'))

-- name: crawl_unlock
SELECT pg_advisory_unlock(hashtext('store_crawl'))

-- name: crawl_take
UPDATE store_crawl SET state = 'running', started_at = %s, fetched = 0, unchanged = 0, failed = 0,
    refused = 0, bytes = 0, waiting = 0, note = ''
WHERE state IN ('waiting', 'running') RETURNING id

-- name: crawl_note
UPDATE store_crawl SET fetched = %(fetched)s, unchanged = %(unchanged)s, failed = %(failed)s,
    refused = %(refused)s, bytes = %(bytes)s, waiting = %(waiting)s, seen_at = %(now)s
WHERE id = %(crawl_id)s RETURNING is_stop_wanted

-- name: crawl_end
UPDATE store_crawl SET state = %s, note = %s, finished_at = %s, waiting = %s WHERE id = %s

-- name: crawl_list
SELECT id, state, is_stop_wanted, created_at, created_by, started_at, finished_at, fetched,
       unchanged, failed, refused, bytes, waiting, note
FROM store_crawl ORDER BY id DESC LIMIT %s

-- name: page_known
SELECT url, etag, last_modified FROM store_page WHERE url = %s AND status = 200

-- name: page_urls
SELECT url FROM store_page WHERE status = 200 ORDER BY fetched_at, url LIMIT %s

-- name: page_write
INSERT INTO store_page AS p (url, status, title, description, kind, product_id, headings, facts,
    topics, etag, last_modified, fetched_at, changed_at)
VALUES (%(url)s, %(status)s, %(title)s, %(description)s, %(kind)s, %(product_id)s,
    %(headings)s::text[], %(facts)s::jsonb, %(topics)s::jsonb, %(etag)s, %(last_modified)s,
    %(now)s, %(now)s)
ON CONFLICT (url) DO UPDATE SET status = excluded.status, title = excluded.title,
    description = excluded.description, kind = excluded.kind, product_id = excluded.product_id,
    headings = excluded.headings, facts = excluded.facts, topics = excluded.topics,
    etag = excluded.etag, last_modified = excluded.last_modified, fetched_at = excluded.fetched_at,
    changed_at = CASE WHEN (p.title, p.facts, p.topics, p.headings)
        IS DISTINCT FROM (excluded.title, excluded.facts, excluded.topics, excluded.headings)
        THEN excluded.changed_at ELSE p.changed_at END

-- name: page_seen
UPDATE store_page SET fetched_at = %s WHERE url = %s

-- name: page_gone
UPDATE store_page SET status = %s, fetched_at = %s WHERE url = %s

-- name: page_forget
DELETE FROM store_page WHERE url = %s

-- name: page_list
SELECT url, status, title, description, kind, product_id, headings, facts, topics, fetched_at,
       changed_at
FROM store_page
WHERE (%(search)s = '' OR strpos(lower(url || ' ' || title || ' ' || product_id), %(search)s) > 0
       OR topics ? %(search)s)
  AND (%(kind)s = '' OR kind = %(kind)s)
  AND (%(after)s = '' OR url > %(after)s)
ORDER BY url LIMIT %(limit)s

-- name: page_one
SELECT url, status, title, description, kind, product_id, headings, facts, topics, fetched_at,
       changed_at
FROM store_page WHERE url = %s

-- name: page_counts
SELECT kind, count(*) FROM store_page WHERE status = 200 GROUP BY 1 ORDER BY 1
