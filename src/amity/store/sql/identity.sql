-- name: find_edges
SELECT e.edge_key, e.first_seen_at, e.last_seen_on, e.is_proof, e.cut
FROM unnest(%s::uuid[]) AS k (edge_key) JOIN store_evidence e ON e.edge_key = k.edge_key

-- name: load_places
SELECT kind, value FROM store_place

-- name: upsert_edges
INSERT INTO store_evidence AS e (edge_key, hub_kind, hub_value, kind, value, origin_id, event_id, way,
    is_proof, source_id, first_seen_at, last_seen_on, recorded_at, cut)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
    %s::bigint[], %s::text[], %s::boolean[], %s::integer[], %s::timestamptz[], %s::date[],
    %s::timestamptz[], %s::text[])
ON CONFLICT (edge_key) DO UPDATE SET
    is_proof = e.is_proof OR excluded.is_proof,
    first_seen_at = least(e.first_seen_at, excluded.first_seen_at),
    last_seen_on = greatest(e.last_seen_on, excluded.last_seen_on)

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
WHERE event_id = %s AND way = 'manual' AND cut = '' RETURNING origin_id
