-- What is told to others: webhooks (every delivery a row, claimed by lease) and exports of segments.

CREATE TABLE store_outbound (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    url text NOT NULL CHECK (length(url) <= 2000),
    format text NOT NULL
        CHECK (format IN ('standard_webhooks', 'cloudevents_structured', 'cloudevents_binary')),
    -- names of events; '*' is every event
    events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 100),
    -- of Segment Entered and Segment Left only those of these segments; empty = all
    segment_ids bigint[] NOT NULL DEFAULT '{}',
    -- '' = nothing personal is told: which event happened, and when, but not to whom
    purpose text NOT NULL DEFAULT '' CHECK (length(purpose) <= 100),
    -- encrypted; after a rotation both sign for a while
    secret bytea NOT NULL,
    former_secret bytea,
    former_until timestamptz,
    -- paused: deliveries wait; disabled: what happens meanwhile is not told later
    state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'paused', 'disabled')),
    state_reason text NOT NULL DEFAULT '',
    -- only what happened later is told
    since_event_id bigint NOT NULL,
    -- the circuit: after some failures in a row nothing is tried until then, and then one
    failures integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    last_success_at timestamptz,
    delivered bigint NOT NULL DEFAULT 0,
    -- events of customers who did not allow it
    withheld bigint NOT NULL DEFAULT 0,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX store_outbound_name ON store_outbound (lower(name));
COMMENT ON TABLE store_outbound IS '{"holds": "webhooks of others and what each is told", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

-- One row for each event that an endpoint is told. What it says is made anew from the activity at
-- each attempt, so nothing personal is kept here but whom it is about.
CREATE TABLE store_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES store_outbound ON DELETE CASCADE,
    event_id bigint NOT NULL,
    position bigint NOT NULL,
    origin_id bigint NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'delivered', 'failed', 'withheld')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    -- who is at it, until when, and which claim it was: a settlement of an older claim is void
    owner text NOT NULL DEFAULT '',
    leased_until timestamptz,
    token integer NOT NULL DEFAULT 0,
    last_status integer,
    last_error text NOT NULL DEFAULT '',
    last_reply text NOT NULL DEFAULT '' CHECK (length(last_reply) <= 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (endpoint_id, event_id)
);
CREATE INDEX store_delivery_due ON store_delivery (endpoint_id, next_at) WHERE state = 'waiting';
CREATE INDEX store_delivery_list ON store_delivery (endpoint_id, id DESC);
CREATE INDEX store_delivery_origin ON store_delivery (origin_id);
CREATE INDEX store_delivery_finished ON store_delivery (finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON TABLE store_delivery IS '{"holds": "which event was told to whom, and what came of it; not what was said", "subject": "origin_id", "personal": ["origin_id", "last_reply"], "erase": "delete", "keep_days": 30}';

-- What happened before a webhook can exist is told to none.
INSERT INTO store_consumer (name, position)
SELECT 'outbound', position FROM store_consumer WHERE name = 'profiles';

CREATE TABLE store_export (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    segment_id bigint NOT NULL,
    destination text NOT NULL,
    -- what the destination needs to know; a password in it is encrypted apart
    settings jsonb NOT NULL DEFAULT '{}',
    secret bytea,
    columns text[] NOT NULL CHECK (cardinality(columns) BETWEEN 1 AND 100),
    purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 100),
    -- NULL = only when asked
    every_hours integer CHECK (every_hours BETWEEN 1 AND 8760),
    next_at timestamptz,
    is_enabled boolean NOT NULL DEFAULT true,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX store_export_name ON store_export (lower(name));
COMMENT ON TABLE store_export IS '{"holds": "which segments are exported where", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';

CREATE TABLE store_export_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    export_id bigint NOT NULL REFERENCES store_export ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    leased_until timestamptz,
    token integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    members bigint,
    done bigint NOT NULL DEFAULT 0,
    written bigint NOT NULL DEFAULT 0,
    -- {reason: how many were left out}
    left_out jsonb NOT NULL DEFAULT '{}',
    file_name text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    asked_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX store_export_run_list ON store_export_run (export_id, id DESC);
CREATE INDEX store_export_run_waiting ON store_export_run (id) WHERE state IN ('waiting', 'running');
COMMENT ON TABLE store_export_run IS '{"holds": "when a segment was exported and how many it were", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": 750}';
