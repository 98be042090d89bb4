-- Scores follow what customers do: when each was made, and how far the log was followed.
-- NULL where it was made with its run.
ALTER TABLE analysis_score ADD COLUMN scored_at timestamptz;

INSERT INTO store_consumer (name, position)
SELECT 'scores', position FROM store_consumer WHERE name = 'profiles';
