-- name: subject_keys_read
SELECT origin_id, wrapped FROM store_subject_key WHERE origin_id = ANY (%s::bigint[])

-- name: subject_keys_add
INSERT INTO store_subject_key (origin_id, wrapped) SELECT * FROM unnest(%s::bigint[], %s::bytea[])
ON CONFLICT (origin_id) DO NOTHING

-- name: subject_keys_destroy
DELETE FROM store_subject_key WHERE origin_id = ANY (%s::bigint[])
