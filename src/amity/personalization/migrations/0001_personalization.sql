-- The personalization engine's schema.

-- A place where something can be shown: a slot of a page, of a mail, of an agent's screen.
CREATE TABLE personalization_placement (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '',
    kind text NOT NULL CHECK (kind IN ('offers', 'products')),
    -- how many things it shows
    slots smallint NOT NULL DEFAULT 1 CHECK (slots BETWEEN 1 AND 20),
    -- a policy (offers) or a recommender (products), by name
    policy text NOT NULL,
    -- what counts as success: click or order
    goal text NOT NULL DEFAULT 'click' CHECK (goal IN ('click', 'order')),
    is_enabled boolean NOT NULL DEFAULT true,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE personalization_offer (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    headline text NOT NULL DEFAULT '',
    body text NOT NULL DEFAULT '',
    image_url text NOT NULL DEFAULT '',
    action_label text NOT NULL DEFAULT '',
    action_url text NOT NULL DEFAULT '',
    placement_ids integer[] NOT NULL DEFAULT '{}',
    -- who may see it: a rule, or everybody
    rule jsonb,
    -- the consent needed to show it ('' = none)
    purpose text NOT NULL DEFAULT '',
    -- at most `cap_count` impressions a person in `cap_days` days
    cap_count integer CHECK (cap_count > 0),
    cap_days double precision CHECK (cap_days > 0),
    -- at most so many impressions in all
    budget_count bigint CHECK (budget_count > 0),
    starts_at timestamptz,
    ends_at timestamptz,
    state text NOT NULL CHECK (state IN ('draft', 'live', 'paused', 'archived')),
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((cap_count IS NULL) = (cap_days IS NULL))
);

-- What has been learnt of an offer in a placement: a Beta posterior of its success rate.
CREATE TABLE personalization_arm (
    placement_id integer NOT NULL,
    offer_id integer NOT NULL,
    alpha double precision NOT NULL DEFAULT 1,
    beta double precision NOT NULL DEFAULT 1,
    impressions bigint NOT NULL DEFAULT 0,
    clicks bigint NOT NULL DEFAULT 0,
    orders bigint NOT NULL DEFAULT 0,
    revenue_minor bigint NOT NULL DEFAULT 0,
    unsubscribes bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (placement_id, offer_id)
);

-- Products as learnt from order lines.
CREATE TABLE personalization_product (
    product_id text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    category text NOT NULL DEFAULT '',
    image_url text NOT NULL DEFAULT '',
    price_minor bigint,
    currency text NOT NULL DEFAULT '',
    buyers bigint NOT NULL DEFAULT 0,
    last_sold_at timestamptz
);

-- What recommenders learnt: `body` is theirs to read.
CREATE TABLE personalization_model (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recommender text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    items bigint NOT NULL,
    baskets bigint NOT NULL,
    body bytea NOT NULL,
    report jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX personalization_model_latest ON personalization_model (recommender, id DESC);

-- Placements and offers as they were; what `decide` knew is a definition, posteriors and models.
CREATE TABLE personalization_definition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    body bytea NOT NULL
);
CREATE TABLE personalization_snapshot (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    definition_id bigint NOT NULL,
    -- posteriors and impressions by placement and offer
    arms bytea NOT NULL,
    -- {recommender: model id}
    models jsonb NOT NULL DEFAULT '{}'
);

-- Every decision with all that is needed to make it again: append-only.
CREATE TABLE personalization_decision (
    id uuid PRIMARY KEY,
    decided_at timestamptz NOT NULL,
    -- NULL for somebody not known yet
    profile_id bigint,
    placement_id integer NOT NULL,
    channel text NOT NULL,
    snapshot_id bigint NOT NULL,
    seed bigint NOT NULL,
    -- the policy or recommender that chose; `fallback` names what stood in for it and why
    policy text NOT NULL,
    fallback text NOT NULL DEFAULT '',
    request jsonb NOT NULL,
    -- the profile as `decide` saw it
    facts bytea NOT NULL,
    -- what was chosen, with propensities, and the verdict on every candidate (msgpack); the words
    -- of the verdicts are in the snapshot's definition
    result bytea NOT NULL
);
CREATE INDEX personalization_decision_latest ON personalization_decision (decided_at DESC, id DESC);
CREATE INDEX personalization_decision_profile ON personalization_decision (profile_id, decided_at DESC, id DESC) WHERE profile_id IS NOT NULL;

-- What came of a decision; each kind counts once for each thing shown.
CREATE TABLE personalization_outcome (
    decision_id uuid NOT NULL,
    item text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('impression', 'click', 'order', 'unsubscribe')),
    occurred_at timestamptz NOT NULL,
    profile_id bigint NOT NULL,
    value_minor bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (decision_id, item, kind)
);
CREATE INDEX personalization_outcome_profile ON personalization_outcome (profile_id, kind, occurred_at DESC);

-- Counts of what went wrong on the way: policy_failed, reward_late, reward_unknown …
CREATE TABLE personalization_trouble (
    day date NOT NULL,
    kind text NOT NULL,
    name text NOT NULL DEFAULT '',
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, kind, name)
);

-- From now on: what happened before there were decisions rewards none.
INSERT INTO store_consumer (name, position)
SELECT 'rewards', position FROM store_consumer WHERE name = 'profiles';

-- What each table holds, for the data map (`amity data-map`).
COMMENT ON TABLE personalization_placement IS '{"holds": "places where something can be shown", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE personalization_offer IS '{"holds": "offers", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE personalization_arm IS '{"holds": "what was learnt of offers", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE personalization_product IS '{"holds": "products as learnt from orders", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE personalization_model IS '{"holds": "what recommenders learnt", "subject": "", "personal": [], "erase": "keep: about products, not about who bought them", "keep_days": null}';
COMMENT ON TABLE personalization_definition IS '{"holds": "offers and placements as they were", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE personalization_snapshot IS '{"holds": "what was learnt when decisions were made", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
COMMENT ON TABLE personalization_decision IS '{"holds": "what was decided for whom, with all it was decided from", "subject": "profile_id", "personal": ["request", "facts", "result"], "erase": "delete", "keep_days": 750}';
COMMENT ON TABLE personalization_outcome IS '{"holds": "what came of decisions", "subject": "profile_id", "personal": ["item"], "erase": "delete", "keep_days": 750}';
COMMENT ON TABLE personalization_trouble IS '{"holds": "counts of what went wrong", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
