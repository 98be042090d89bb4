-- name: find_edges
SELECT k.number, e.first_seen_at, e.last_seen_on, e.is_proof, e.cut
FROM unnest(string_to_array(%s, ',')::uuid[]) WITH ORDINALITY AS k (edge_key, number)
JOIN store_evidence e ON e.edge_key = k.edge_key

-- name: load_places
SELECT kind, value FROM store_place

-- name: copy_edges
COPY store_evidence (edge_key, hub_kind, hub_value, kind, value, origin_id, event_id, way, is_proof,
    source_id, first_seen_at, last_seen_on, recorded_at, cut) FROM STDIN (FORMAT binary)

-- name: upsert_edges
INSERT INTO store_evidence AS e (edge_key, hub_kind, hub_value, kind, value, origin_id, event_id, way,
    is_proof, source_id, first_seen_at, last_seen_on, recorded_at, cut)
SELECT r.edge_key, r.hub_kind, r.hub_value, r.kind, r.value, r.origin_id, r.event_id, r.way,
    r.is_proof, r.source_id, r.first_seen_at, r.last_seen_on, r.recorded_at, r.cut
FROM jsonb_to_recordset(%s::jsonb) AS r (edge_key uuid, hub_kind text, hub_value text, kind text,
    value text, origin_id bigint, event_id bigint, way text, is_proof boolean, source_id integer,
    first_seen_at timestamptz, last_seen_on date, recorded_at timestamptz, cut text)
ON CONFLICT (edge_key) DO UPDATE SET
    is_proof = e.is_proof OR excluded.is_proof,
    first_seen_at = least(e.first_seen_at, excluded.first_seen_at),
    last_seen_on = greatest(e.last_seen_on, excluded.last_seen_on),
    -- What is decided by hand takes the place of what was undone before.
    (way, origin_id, event_id, source_id, recorded_at, cut, retracted_at, retracted_by) =
        (SELECT excluded.way, excluded.origin_id, excluded.event_id, excluded.source_id,
                excluded.recorded_at, excluded.cut, NULL::timestamptz, NULL::bigint
         WHERE excluded.way NOT IN ('event', 'alias')
         UNION ALL
         SELECT e.way, e.origin_id, e.event_id, e.source_id, e.recorded_at, e.cut, e.retracted_at,
                e.retracted_by
         WHERE excluded.way IN ('event', 'alias'))

-- name: touch_edges
UPDATE store_evidence e SET
    is_proof = e.is_proof OR r.is_proof,
    first_seen_at = least(e.first_seen_at, r.first_seen_at),
    last_seen_on = greatest(e.last_seen_on, r.last_seen_on)
FROM unnest(string_to_array(%s, ',')::uuid[], string_to_array(%s, ',')::boolean[],
            string_to_array(%s, ',')::timestamptz[], string_to_array(%s, ',')::date[])
    AS r (edge_key, is_proof, first_seen_at, last_seen_on)
WHERE e.edge_key = r.edge_key

-- name: raise_identifiers
UPDATE store_identifier i SET is_stated = false
FROM unnest(%s::text[], %s::text[]) AS k (kind, value) WHERE i.kind = k.kind AND i.value = k.value

-- name: read_area
SELECT e.edge_key, e.hub_kind, e.hub_value, e.kind, e.value, e.is_proof, e.first_seen_at, e.way, e.cut,
       e.origin_id
FROM store_evidence e WHERE e.origin_id = ANY (%(ids)s::bigint[])
UNION
SELECT e.edge_key, e.hub_kind, e.hub_value, e.kind, e.value, e.is_proof, e.first_seen_at, e.way, e.cut,
       e.origin_id
FROM store_identifier i
JOIN store_evidence e ON e.kind = i.kind AND e.value = i.value AND e.cut <> ''
WHERE i.profile_id = ANY (%(ids)s::bigint[])

-- name: find_contested
SELECT DISTINCT k.kind, k.value FROM unnest(%s::text[], %s::text[]) AS k (kind, value)
JOIN store_evidence e ON e.kind = k.kind AND e.value = k.value AND e.cut <> ''
WHERE e.cut NOT IN ('undone', 'place')

-- name: set_cuts
UPDATE store_evidence e SET cut = n.cut, retracted_at = n.at, retracted_by = n.by
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::bigint[]) AS n (edge_key, cut, at, by)
WHERE e.edge_key = n.edge_key

-- name: insert_places
INSERT INTO store_place (kind, value, logins, event_id, since)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::timestamptz[])
ON CONFLICT DO NOTHING

-- name: reassign_edges
UPDATE store_evidence e SET origin_id = n.origin_id
FROM unnest(%s::bigint[], %s::bigint[]) AS n (event_id, origin_id)
WHERE e.origin_id = ANY (%s::bigint[]) AND e.event_id = n.event_id AND e.origin_id <> n.origin_id

-- name: erase_evidence
DELETE FROM store_evidence e WHERE e.origin_id = ANY (%(ids)s::bigint[])
    OR (e.cut <> '' AND (e.kind, e.value) IN
        (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[])))

-- name: erase_candidates
DELETE FROM store_link_candidate
WHERE one_id = ANY (%(ids)s::bigint[]) OR other_id = ANY (%(ids)s::bigint[])

-- name: erase_links
DELETE FROM store_link WHERE profile_id = ANY (%(ids)s::bigint[])

-- name: insert_split
INSERT INTO store_merge (id, event_id, winner_id, loser_id, kind, value, occurred_at, source_id,
    undone_by)
VALUES (%(id)s, %(event_id)s, %(winner_id)s, %(loser_id)s, %(kind)s, %(value)s, %(at)s,
    %(source_id)s, %(event_id)s)
ON CONFLICT DO NOTHING

-- name: delete_split
DELETE FROM store_merge WHERE id = %s AND undone_by = %s RETURNING winner_id, loser_id

-- name: restore_edges
UPDATE store_evidence SET cut = '', retracted_at = NULL, retracted_by = NULL
WHERE retracted_by = %s AND cut = 'undone' RETURNING origin_id

-- name: retract_ties
UPDATE store_evidence SET cut = 'undone', retracted_at = %s, retracted_by = %s
WHERE event_id = %s AND way NOT IN ('event', 'alias') AND cut = '' RETURNING origin_id

-- name: list_telling
SELECT kind, value FROM store_identifier WHERE profile_id = %s
ORDER BY array_position('{user_id,email,phone,anonymous_id}', kind), is_stated, first_seen_at, value

-- name: list_telling_of
SELECT kind, value FROM store_identifier WHERE origin_id = %s

-- name: find_join
SELECT a.event_id, a.profile_id FROM store_activity a
WHERE a.name = %s AND a.properties ->> 'join_id' = %s

-- name: has_split
SELECT FROM store_evidence WHERE retracted_by = %s LIMIT 1

-- name: list_evidence
SELECT e.hub_kind, e.hub_value, e.kind, e.value, e.way, e.is_proof, e.source_id, e.first_seen_at,
       e.last_seen_on, e.recorded_at, e.event_id, e.cut, e.retracted_at, e.retracted_by
FROM store_evidence e
WHERE e.edge_key IN (
    SELECT edge_key FROM store_evidence WHERE origin_id = ANY (%(ids)s::bigint[])
    UNION
    SELECT c.edge_key FROM store_identifier i
    JOIN store_evidence c ON c.kind = i.kind AND c.value = i.value AND c.cut <> ''
    WHERE i.profile_id = ANY (%(ids)s::bigint[]))
ORDER BY e.first_seen_at, e.edge_key LIMIT 1000

-- name: list_places
SELECT DISTINCT p.kind, p.value, p.logins, p.since
FROM store_evidence e JOIN store_place p ON p.kind = e.kind AND p.value = e.value
WHERE e.origin_id = ANY (%(ids)s::bigint[])
UNION
SELECT p.kind, p.value, p.logins, p.since
FROM store_identifier i JOIN store_place p ON p.kind = i.kind AND p.value = i.value
WHERE i.profile_id = ANY (%(ids)s::bigint[])
ORDER BY 4, 2

-- name: list_groups
-- The households and companies of some profiles, with everybody in them.
SELECT m.kind, m.link_key, m.label, m.evidence, m.probability, array_agg(m.profile_id)
FROM store_link m JOIN store_profile p ON p.id = m.profile_id AND p.merged_into IS NULL
WHERE (m.kind, m.link_key) IN (
    SELECT l.kind, l.link_key FROM store_link l WHERE l.profile_id = ANY (%s::bigint[]))
GROUP BY m.kind, m.link_key, m.label, m.evidence, m.probability ORDER BY m.kind, m.link_key

-- name: list_link_decisions
-- What was decided about pairs, by the customers they are now.
WITH RECURSIVE near AS (
    SELECT id, id AS root FROM store_profile WHERE id = ANY (%(ids)s::bigint[])
    UNION ALL
    SELECT p.id, n.root FROM near n JOIN store_profile p ON p.merged_into = n.id)
SELECT c.id, c.kind, c.state, c.one_id, c.other_id, c.probability
FROM store_link_candidate c
WHERE c.kind <> 'person' AND c.state <> 'open'
  AND (c.one_id IN (SELECT id FROM near) OR c.other_id IN (SELECT id FROM near))
ORDER BY c.id

-- name: name_of
SELECT name, email FROM store_profile WHERE id = %s

-- name: find_roots
WITH RECURSIVE up AS (
    SELECT id AS start, id, merged_into FROM store_profile WHERE id = ANY (%s::bigint[])
    UNION ALL
    SELECT up.start, p.id, p.merged_into FROM up JOIN store_profile p ON p.id = up.merged_into)
SELECT start, id FROM up WHERE merged_into IS NULL

-- name: reject_links
INSERT INTO store_link_candidate (one_id, other_id, kind, origin, found_at, state, decided_at,
    decided_by)
SELECT least(%(id)s, o.id), greatest(%(id)s, o.id), %(kind)s, 'told', %(now)s, 'rejected', %(now)s,
    %(by)s
FROM unnest(%(others)s::bigint[]) AS o (id) WHERE o.id <> %(id)s
ON CONFLICT (one_id, other_id, kind) DO UPDATE SET state = 'rejected', decided_at = %(now)s,
    decided_by = %(by)s

-- name: restore_links
UPDATE store_link_candidate SET state = 'open', decided_at = %(now)s, decided_by = %(by)s
WHERE origin <> 'told' AND id = ANY (%(ids)s::bigint[])

-- name: forget_told_links
WITH gone AS (
    DELETE FROM store_link_candidate WHERE origin = 'told' AND id = ANY (%(ids)s::bigint[])
    RETURNING id, one_id)
INSERT INTO warehouse_gone (export, key, profile_id)
SELECT 'link_reviews', id::text, one_id FROM gone
WHERE EXISTS (SELECT FROM warehouse_export w WHERE w.name = 'link_reviews')
ON CONFLICT (export, key) DO UPDATE SET gone_at = now()

-- name: insert_candidates
INSERT INTO store_link_candidate (one_id, other_id, kind, origin, probability, explanation, found_at)
SELECT n.* FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::float8[], %s::jsonb[],
    %s::timestamptz[]) AS n (one_id, other_id, kind, origin, probability, explanation, found_at)
WHERE NOT EXISTS (
    SELECT FROM store_link a JOIN store_link b ON b.kind = a.kind AND b.link_key = a.link_key
    WHERE a.kind = n.kind AND a.profile_id = n.one_id AND b.profile_id = n.other_id)
ON CONFLICT (one_id, other_id, kind) DO NOTHING

-- name: gather_candidates
INSERT INTO store_link_candidate (one_id, other_id, origin, explanation, found_at)
SELECT least(w.id, l.id), greatest(w.id, l.id), 'conflict',
       jsonb_build_object('kind', min(m.kind), 'value', min(m.value), 'refusal', min(m.refusal)),
       %(now)s
FROM store_merge m
JOIN store_profile w ON w.id = m.winner_id AND w.merged_into IS NULL
JOIN store_profile l ON l.id = m.loser_id AND l.merged_into IS NULL
WHERE m.refusal IN ('unproven', 'too_many_identifiers') AND w.id <> l.id
  AND (w.user_id IS NULL OR l.user_id IS NULL)
GROUP BY 1, 2
ON CONFLICT (one_id, other_id, kind) DO NOTHING

-- name: list_candidates
SELECT c.id, c.one_id, c.other_id, c.kind, c.origin, c.probability, c.explanation, c.state,
       c.found_at, c.decided_at, c.decided_by, c.batch
FROM store_link_candidate c
WHERE c.state = %(state)s AND (%(origin)s = '' OR c.origin = %(origin)s)
  AND (%(kind)s = '' OR c.kind = %(kind)s)
  AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
  AND (c.state <> 'open' OR 2 = (SELECT count(*) FROM store_profile p
        WHERE p.id IN (c.one_id, c.other_id) AND p.merged_into IS NULL))
ORDER BY c.id DESC LIMIT %(limit)s

-- name: find_candidates_by_chance
SELECT c.id, c.one_id, c.other_id, c.kind, c.origin, c.probability, c.explanation, c.state,
       c.found_at, c.decided_at, c.decided_by, c.batch
FROM store_link_candidate c
WHERE c.state = 'open' AND c.kind = %(kind)s AND c.probability >= %(lowest)s
  AND c.probability <= %(highest)s
  AND 2 = (SELECT count(*) FROM store_profile p
        WHERE p.id IN (c.one_id, c.other_id) AND p.merged_into IS NULL)
ORDER BY c.probability DESC, c.id LIMIT %(limit)s

-- name: find_batch
SELECT c.id FROM store_link_candidate c WHERE c.batch = %s AND c.state <> 'open' ORDER BY c.id DESC

-- name: list_batches
SELECT c.batch, c.state, max(c.decided_at), max(c.decided_by), count(*)
FROM store_link_candidate c WHERE c.batch <> '' AND c.state <> 'open'
GROUP BY c.batch, c.state ORDER BY 3 DESC LIMIT 10

-- name: get_candidate
SELECT c.id, c.one_id, c.other_id, c.kind, c.origin, c.probability, c.explanation, c.state,
       c.found_at, c.decided_at, c.decided_by, c.batch
FROM store_link_candidate c WHERE c.id = %s

-- name: count_candidates
SELECT count(*) FROM (SELECT FROM store_link_candidate WHERE state = 'open' LIMIT 100) AS c

-- name: lock_candidate
SELECT one_id, other_id, kind, state, join_id FROM store_link_candidate WHERE id = %s FOR UPDATE

-- name: set_candidate
UPDATE store_link_candidate SET state = %(state)s, join_id = %(join_id)s, decided_by = %(by)s,
    decided_at = %(now)s, batch = %(batch)s
WHERE id = %(id)s

-- name: stage_links
CREATE TEMPORARY TABLE link_found (LIKE store_link) ON COMMIT DROP

-- name: note_gone_links
-- The warehouse, if there is one, is told of those that are no more.
INSERT INTO warehouse_gone (export, key, profile_id)
SELECT 'links', l.kind || ':' || l.link_key || ':' || l.profile_id, l.profile_id
FROM store_link l WHERE NOT EXISTS (
    SELECT FROM link_found f
    WHERE f.kind = l.kind AND f.link_key = l.link_key AND f.profile_id = l.profile_id)
  AND EXISTS (SELECT FROM warehouse_export w WHERE w.name = 'links')
ON CONFLICT (export, key) DO UPDATE SET gone_at = now()

-- name: delete_gone_links
DELETE FROM store_link l WHERE NOT EXISTS (
    SELECT FROM link_found f
    WHERE f.kind = l.kind AND f.link_key = l.link_key AND f.profile_id = l.profile_id)

-- name: keep_links
-- What was found before stays as it is, so that nobody need hear of it again.
INSERT INTO store_link AS l (kind, link_key, profile_id, label, evidence, probability, found_at)
SELECT kind, link_key, profile_id, label, evidence, probability, found_at FROM link_found
ON CONFLICT (kind, link_key, profile_id) DO UPDATE
SET label = excluded.label, evidence = excluded.evidence, probability = excluded.probability
WHERE (l.label, l.evidence, l.probability)
    IS DISTINCT FROM (excluded.label, excluded.evidence, excluded.probability)

-- name: unstage_links
DROP TABLE link_found

-- name: gather_households
INSERT INTO link_found (kind, link_key, profile_id, label, evidence, probability, found_at)
SELECT 'household', md5('household ' || n.shared)::uuid, n.id, initcap(n.surname),
       '{"shared": ["surname", "address"]}', %(probability)s, %(now)s
FROM (
    SELECT s.id, s.surname, s.shared, count(*) OVER (PARTITION BY s.shared) AS members
    FROM (
        SELECT p.id, a.surname,
               a.surname || '|' || regexp_replace(lower(a.street || ' ' || a.town), '\W+', '', 'g')
                   AS shared
        FROM store_profile p
        CROSS JOIN LATERAL (
            SELECT lower(coalesce(p.traits ->> 'lastName', p.traits ->> 'last_name',
                       substring(p.name FROM '[^ ]+$'))) AS surname,
                   coalesce(p.traits -> 'address' ->> 'street', p.traits ->> 'street') AS street,
                   coalesce(p.traits -> 'address' ->> 'postalCode',
                       p.traits -> 'address' ->> 'postal_code', p.traits ->> 'postal_code',
                       p.traits -> 'address' ->> 'city', p.traits ->> 'city') AS town) AS a
        WHERE p.merged_into IS NULL AND p.name IS NOT NULL AND a.surname <> '' AND a.street <> ''
          AND a.town <> '') AS s) AS n
WHERE n.members BETWEEN 2 AND %(most)s

-- name: gather_companies
INSERT INTO link_found (kind, link_key, profile_id, label, evidence, probability, found_at)
SELECT 'company', md5('company ' || n.domain)::uuid, n.id, n.domain,
       '{"shared": ["email domain"]}', %(probability)s, %(now)s
FROM (
    SELECT p.id, split_part(p.email, '@', 2) AS domain,
           count(*) OVER (PARTITION BY split_part(p.email, '@', 2)) AS members
    FROM store_profile p
    WHERE p.merged_into IS NULL AND p.email IS NOT NULL
      AND split_part(p.email, '@', 2) <> ALL (%(free)s::text[])) AS n
WHERE n.members BETWEEN 2 AND %(most)s

-- name: gather_employers
INSERT INTO link_found (kind, link_key, profile_id, label, evidence, probability, found_at)
SELECT 'company', md5('company ' || n.how || ' ' || n.shared)::uuid, n.id,
       first_value(n.label) OVER (PARTITION BY n.how, n.shared ORDER BY n.id),
       jsonb_build_object('shared', jsonb_build_array(n.how)), n.probability, %(now)s
FROM (
    SELECT e.id, e.how, e.shared, e.label, e.probability,
           count(*) OVER (PARTITION BY e.how, e.shared) AS members
    FROM (
        SELECT p.id, w.how, w.shared, c.name AS label, w.probability
        FROM store_profile p
        CROSS JOIN LATERAL (
            SELECT coalesce(p.traits #>> '{company,name}', p.traits ->> 'company_name',
                       CASE WHEN jsonb_typeof(p.traits -> 'company') = 'string'
                           THEN p.traits ->> 'company' END, '') AS name,
                   coalesce(p.traits #>> '{company,vat}', p.traits ->> 'vat_number',
                       p.traits ->> 'vatNumber', p.traits ->> 'vat_id', p.traits ->> 'vatId',
                       p.traits ->> 'vat', '') AS vat) AS c
        CROSS JOIN LATERAL (VALUES
            ('VAT number', upper(regexp_replace(c.vat, '\W+', '', 'g')), 0.95::float8),
            ('company name', regexp_replace(regexp_replace(lower(c.name),
                '\m(gmbh|mbh|ag|kg|ohg|ug|e\.?u|inc|llc|ltd|limited|corp|co|plc|bv|nv|sarl|sas|srl|spa|oy|ab|as|aps)\M\.?',
                '', 'g'), '\W+', '', 'g'), 0.8::float8)) AS w (how, shared, probability)
        WHERE p.merged_into IS NULL AND length(w.shared) >= 4) AS e) AS n
WHERE n.members BETWEEN 2 AND %(most)s
