-- Models may be about the first time only: learnt from and scored are those who never did it.
ALTER TABLE analysis_model ADD COLUMN is_first boolean NOT NULL DEFAULT false;

-- The lead score: who will order for the first time. It can be archived like any other.
INSERT INTO analysis_model (key, name, event, horizon_days, created_by, created_at, is_first)
VALUES ('lead', 'Lead score', 'Order Completed', 30, 'amity', now(), true)
ON CONFLICT (key) WHERE archived_at IS NULL DO NOTHING;
