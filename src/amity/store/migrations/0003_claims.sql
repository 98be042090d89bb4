-- What every source said of every trait, and what is shown of it.

-- Projection: one row a claim: this source said this value of this trait, in this manner. A value
-- of null says that there is none: it takes back what the same source said before it.
CREATE TABLE store_claim (
    origin_id bigint NOT NULL,
    trait text NOT NULL,
    source_id integer NOT NULL,
    how text NOT NULL CHECK (how IN ('stated', 'inferred', 'observed', 'verified')),
    value jsonb NOT NULL,
    value_key text NOT NULL GENERATED ALWAYS AS (md5(value::text)) STORED,
    -- when it was said first and last, by the source's clock, and when it first reached us
    claimed_at timestamptz NOT NULL,
    last_confirmed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- of the event that said it last; what follows is as that one had it
    event_id bigint NOT NULL,
    confidence real CHECK (confidence BETWEEN 0 AND 1),
    lawful_basis text NOT NULL DEFAULT '',
    expires_at timestamptz,
    provenance text NOT NULL DEFAULT '',
    -- whether the log says that its time is over
    is_over boolean NOT NULL DEFAULT false,
    PRIMARY KEY (origin_id, trait, source_id, how, value_key)
);
CREATE INDEX store_claim_due ON store_claim (expires_at) WHERE expires_at IS NOT NULL AND NOT is_over;
COMMENT ON TABLE store_claim IS '{"holds": "what each source said of each trait, with confidence, lawful basis and expiry", "subject": "origin_id", "personal": ["origin_id", "trait", "value", "value_key", "provenance"], "erase": "delete", "keep_days": null}';

-- Each source's latest word on the traits more than one of them speaks of, for the rules to choose
-- from: {"words": {trait: [[source_id, how, value, at, event_id, since, confidence, expires_at]]},
-- "until": instant up to which words are over}.
ALTER TABLE store_profile ADD COLUMN trait_words jsonb NOT NULL DEFAULT '{}';
CREATE INDEX store_profile_words ON store_profile (id) WHERE trait_words <> '{}';

-- Which claim is shown, by the name of the trait or a pattern with `*` in it.
CREATE TABLE store_survivorship (
    pattern text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('latest', 'most_trusted_source', 'highest_confidence',
        'stated_over_inferred', 'longest_known', 'greatest', 'least')),
    -- the most trusted first
    sources integer[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL DEFAULT ''
);
COMMENT ON TABLE store_survivorship IS '{"holds": "which claim is shown of a trait", "subject": "", "personal": ["updated_by"], "erase": "keep: about no customer", "keep_days": null}';

-- How far the profiles have been looked through after the rules were changed: one row.
CREATE TABLE store_survivorship_turn (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    -- raised with each change of the rules
    version bigint NOT NULL DEFAULT 0,
    settled_version bigint NOT NULL DEFAULT 0,
    after_profile_id bigint NOT NULL DEFAULT 0
);
INSERT INTO store_survivorship_turn DEFAULT VALUES;
COMMENT ON TABLE store_survivorship_turn IS '{"holds": "how far profiles follow the changed rules", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
