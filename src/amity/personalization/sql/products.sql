-- Products and recommenders: read order lines, keep what is learnt.

-- name: products_lock
SELECT pg_advisory_xact_lock(hashtext('amity.personalization.recommenders'))

-- name: products_lines
CREATE TEMP TABLE product_line ON COMMIT DROP AS
SELECT l.*, row_number() OVER (PARTITION BY product_id ORDER BY occurred_at DESC, event_id DESC) = 1
       AS is_latest
FROM (
    SELECT a.event_id, a.profile_id, a.occurred_at,
           left(coalesce(nullif(p.line ->> 'product_id', ''), p.line ->> 'sku'), 200) AS product_id,
           p.line, a.properties ->> 'currency' AS currency
    FROM store_activity a
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(a.properties -> 'products')
             WHEN 'array' THEN a.properties -> 'products' ELSE '[]' END) AS p (line)
    WHERE a.name = 'Order Completed' AND jsonb_typeof(p.line) = 'object') AS l
WHERE l.product_id <> ''

-- name: products_upsert
INSERT INTO personalization_product AS p
    (product_id, name, category, image_url, price_minor, currency, buyers, last_sold_at)
SELECT l.product_id, left(coalesce(l.line ->> 'name', ''), 300),
       left(coalesce(l.line ->> 'category', ''), 300), left(coalesce(l.line ->> 'image_url', ''), 2000),
       CASE WHEN jsonb_typeof(l.line -> 'price') = 'number'
             AND abs((l.line ->> 'price')::numeric) < 1e12
            THEN round((l.line ->> 'price')::numeric * %(units)s) END,
       coalesce(l.currency, %(currency)s), b.buyers, l.occurred_at
FROM product_line l
JOIN (SELECT product_id, count(DISTINCT profile_id) AS buyers FROM product_line GROUP BY product_id) b
    USING (product_id)
WHERE l.is_latest
ON CONFLICT (product_id) DO UPDATE SET
    name = excluded.name, category = excluded.category, image_url = excluded.image_url,
    price_minor = excluded.price_minor, currency = excluded.currency, buyers = excluded.buyers,
    last_sold_at = excluded.last_sold_at

-- name: products_forget
DELETE FROM personalization_product p
WHERE NOT EXISTS (SELECT FROM product_line l WHERE l.product_id = p.product_id)

-- name: products_ids
SELECT product_id FROM personalization_product ORDER BY product_id COLLATE "C"

-- name: products_baskets
SELECT l.event_id, p.number, l.profile_id,
       extract(epoch FROM greatest(%s - l.occurred_at, interval '0'))::bigint
FROM product_line l
JOIN (SELECT product_id, row_number() OVER (ORDER BY product_id COLLATE "C") - 1 AS number
      FROM personalization_product) p USING (product_id)

-- name: models_insert
INSERT INTO personalization_model (recommender, made_at, items, baskets, body, report)
VALUES (%s, %s, %s, %s, %s, %s::jsonb) RETURNING id

-- name: models_latest
SELECT id, recommender, made_at, items, baskets, report FROM personalization_model
WHERE recommender = %s ORDER BY id DESC LIMIT 1

-- name: models_latest_body
SELECT body FROM personalization_model WHERE recommender = %s ORDER BY id DESC LIMIT 1

-- name: products_list
SELECT product_id, name, category, image_url, price_minor, currency, buyers, last_sold_at
FROM personalization_product
WHERE (%(search)s = '' OR name ILIKE %(pattern)s OR category ILIKE %(pattern)s
       OR product_id = %(search)s)
  AND (%(buyers)s::bigint IS NULL OR (buyers, product_id) < (%(buyers)s, %(after)s))
ORDER BY buyers DESC, product_id DESC LIMIT %(limit)s

-- name: products_get
SELECT product_id, name, category, image_url, price_minor, currency, buyers, last_sold_at
FROM personalization_product WHERE product_id = ANY (%s)
