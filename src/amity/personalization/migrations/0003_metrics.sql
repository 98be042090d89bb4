ALTER TABLE personalization_placement
    DROP CONSTRAINT personalization_placement_goal_check,
    ADD CONSTRAINT personalization_placement_goal_check CHECK (goal IN ('click', 'order', 'metric')),
    -- with the goal `metric`: its name in the catalogue, and the version that what is learnt is about
    ADD COLUMN goal_metric text NOT NULL DEFAULT '',
    ADD COLUMN goal_version integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT personalization_placement_goal_metric CHECK ((goal = 'metric') = (goal_metric <> ''));
ALTER TABLE personalization_outcome
    DROP CONSTRAINT personalization_outcome_kind_check,
    ADD CONSTRAINT personalization_outcome_kind_check
        CHECK (kind IN ('impression', 'click', 'order', 'unsubscribe', 'metric'));
