-- What a campaign is measured by beside its goal event, by names of the catalogue of metrics.
ALTER TABLE broadcast_campaign
    -- what it is to move; '' = none is named
    ADD COLUMN goal_metric text NOT NULL DEFAULT '',
    -- what it is not to harm
    ADD COLUMN guardrail_metrics text[] NOT NULL DEFAULT '{}';
