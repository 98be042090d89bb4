-- name: together_memberships
SELECT profile_id, segment_id FROM analysis_membership
WHERE profile_id = ANY (%s::bigint[]) AND segment_id = ANY (%s::integer[]) AND left_at IS NULL

-- name: note_links
-- Once is enough: whoever follows asks for everybody.
INSERT INTO analysis_recheck (kind, name, profile_id)
SELECT 'links', '', 0 WHERE EXISTS (
    SELECT FROM analysis_segment
    WHERE state <> 'archived' AND jsonb_path_exists(rule, '$.** ? (@.node == "together")'))
ON CONFLICT DO NOTHING
