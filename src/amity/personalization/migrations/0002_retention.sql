-- What retention asks: which snapshots kept decisions name, and what kept snapshots hold. Both
-- rise with time, so new entries go to the end of the index, and it holds each value once.
CREATE INDEX personalization_decision_snapshot ON personalization_decision (snapshot_id);
CREATE INDEX personalization_snapshot_holds ON personalization_snapshot (definition_id, models);
