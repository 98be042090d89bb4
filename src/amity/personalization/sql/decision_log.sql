-- name: copy_decisions
COPY personalization_decision (id, decided_at, profile_id, placement_id, channel, snapshot_id, seed,
                               policy, fallback, request, facts, result) FROM STDIN (FORMAT BINARY)
