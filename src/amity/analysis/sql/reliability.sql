-- Predictions as they were made, and what then came of them.

-- name: reliability_last
SELECT max(predicted_at) FROM analysis_reliability WHERE score = %s

-- name: reliability_open
INSERT INTO analysis_reliability
    (score, predicted_at, place, due_at, model_run_id, customers, expected)
VALUES (%s, %s, %s, %s, %s, %s, %s)

-- name: predictions_copy
COPY analysis_prediction (score, predicted_at, profile_id, place) FROM STDIN (FORMAT binary)

-- name: reliability_due
SELECT DISTINCT predicted_at, due_at FROM analysis_reliability
WHERE score = %s AND due_at <= %s AND observed_customers IS NULL
ORDER BY predicted_at

-- name: predictions_of
SELECT profile_id, place FROM analysis_prediction
WHERE score = %s AND predicted_at = %s
ORDER BY profile_id

-- name: reliability_places
SELECT place FROM analysis_reliability WHERE score = %s AND predicted_at = %s ORDER BY place

-- name: reliability_settle
UPDATE analysis_reliability
SET observed_customers = %s, observed_sum = %s, observed_squares = %s
WHERE score = %s AND predicted_at = %s AND place = %s

-- name: predictions_drop
DELETE FROM analysis_prediction WHERE score = %s AND predicted_at = %s

-- name: predictions_drop_all
DELETE FROM analysis_prediction WHERE score = %s

-- name: reliability_drop_open
DELETE FROM analysis_reliability WHERE score = %s AND observed_customers IS NULL

-- name: forget_predictions
DELETE FROM analysis_prediction WHERE profile_id = ANY(%s)

-- name: reliability_list
SELECT score, predicted_at, due_at, place, model_run_id, customers, expected,
       observed_customers, observed_sum, observed_squares
FROM analysis_reliability
WHERE predicted_at > %s
ORDER BY score, predicted_at DESC, place
