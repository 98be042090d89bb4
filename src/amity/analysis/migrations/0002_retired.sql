-- Whether a stay ended because its profile was merged into another, which can be undone.
ALTER TABLE analysis_membership ADD COLUMN is_retired boolean NOT NULL DEFAULT false;
