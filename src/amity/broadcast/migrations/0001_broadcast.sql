-- The broadcast engine's schema.

-- What is sent, never changed once written: a template that is edited gets a new content.
CREATE TABLE broadcast_content (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL DEFAULT 'email',
    -- marketing: consent, unsubscribe, caps; transactional and service: neither promotion nor caps
    class text NOT NULL CHECK (class IN ('marketing', 'transactional', 'service')),
    subject text NOT NULL,
    preheader text NOT NULL DEFAULT '',
    -- MJML (or HTML) with Liquid in it, as written
    source text NOT NULL,
    -- the same as HTML with Liquid in it: MJML and style sheets are resolved once
    html text NOT NULL,
    -- the text part with Liquid in it, written or made from the HTML
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE broadcast_template (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    content_id bigint NOT NULL,
    is_archived boolean NOT NULL DEFAULT false,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX broadcast_template_name ON broadcast_template (lower(name)) WHERE NOT is_archived;

CREATE TABLE broadcast_campaign (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '',
    channel text NOT NULL DEFAULT 'email',
    purpose text NOT NULL DEFAULT 'marketing.email',
    segment_id integer NOT NULL,
    template_id integer NOT NULL,
    -- fixed when it is launched
    content_id bigint,
    -- offers or products decided for each person while rendering
    placement_key text NOT NULL DEFAULT '',
    -- the share of those who could be reached that is held out to measure against
    holdout_rate double precision NOT NULL DEFAULT 0.1 CHECK (holdout_rate >= 0 AND holdout_rate < 1),
    -- draws who is held out; never changed
    salt text NOT NULL,
    goal_event text NOT NULL DEFAULT 'Order Completed',
    window_days double precision NOT NULL DEFAULT 7 CHECK (window_days > 0),
    -- draft → scheduled → targeting → sending ⇄ paused → finished | stopped; archived from any end
    state text NOT NULL CHECK (state IN ('draft', 'scheduled', 'targeting', 'sending', 'paused', 'finished', 'stopped', 'archived')),
    -- when it should begin; NULL = as soon as it is launched
    scheduled_at timestamptz,
    -- nothing is sent later than this many hours after it began (listmonk's lesson: D21)
    expires_hours double precision NOT NULL DEFAULT 24 CHECK (expires_hours > 0),
    began_at timestamptz,
    targeted_at timestamptz,
    finished_at timestamptz,
    -- targeting goes through the segment in order of profile id and can go on after a crash
    target_cursor bigint NOT NULL DEFAULT 0,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX broadcast_campaign_name ON broadcast_campaign (lower(name)) WHERE state <> 'archived';

-- Who a campaign drew, and into which group. `excluded` could not be reached when it was drawn, and
-- is in neither group: the comparison stays fair.
CREATE TABLE broadcast_participant (
    campaign_id integer NOT NULL,
    profile_id bigint NOT NULL,
    arm text NOT NULL CHECK (arm IN ('treatment', 'holdout', 'excluded')),
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, profile_id)
);
CREATE INDEX broadcast_participant_profile ON broadcast_participant (profile_id);

-- The send ledger (rule D18): nothing is sent without a row here, and a row is sent once.
CREATE TABLE broadcast_send (
    id uuid PRIMARY KEY,
    run_kind text NOT NULL CHECK (run_kind IN ('campaign', 'journey', 'test', 'service')),
    run_id bigint NOT NULL,
    -- the step, with its occurrence: '' for a campaign, 'enrolment:node:iteration' for a journey
    step_key text NOT NULL DEFAULT '',
    -- the address's key, or 'profile:ID' for somebody without an address
    contact_point text NOT NULL,
    profile_id bigint NOT NULL,
    channel text NOT NULL DEFAULT 'email',
    class text NOT NULL CHECK (class IN ('marketing', 'transactional', 'service')),
    purpose text NOT NULL DEFAULT '',
    content_id bigint NOT NULL,
    -- what the template may say besides the profile: {"event": {…}, "placement": "…"}
    variables jsonb NOT NULL DEFAULT '{}',
    -- only of a test: where it goes instead of to the customer
    test_address text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('queued', 'claimed', 'wire', 'sent', 'failed', 'unknown', 'suppressed', 'cancelled', 'expired')),
    -- why it is suppressed, failed, unknown, cancelled or put off, as a code
    reason text NOT NULL DEFAULT '',
    -- the receiving server's words, at most 500 characters
    reply text NOT NULL DEFAULT '',
    owner text NOT NULL DEFAULT '',
    token integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    priority smallint NOT NULL DEFAULT 5,
    planned_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    wire_at timestamptz,
    settled_at timestamptz,
    -- the subject as rendered and a digest of the body: what was said can be shown and proved
    subject text NOT NULL DEFAULT '',
    body_hash bytea,
    UNIQUE (run_kind, run_id, step_key, contact_point)
);
CREATE INDEX broadcast_send_due ON broadcast_send (priority, not_before) WHERE state = 'queued';
CREATE INDEX broadcast_send_leased ON broadcast_send (lease_until) WHERE state IN ('claimed', 'wire');
CREATE INDEX broadcast_send_run ON broadcast_send (run_kind, run_id, state);
CREATE INDEX broadcast_send_profile ON broadcast_send (profile_id, planned_at DESC);
CREATE INDEX broadcast_send_latest ON broadcast_send (planned_at DESC, id DESC);

-- Whether this installation may send at all (rule D53). `epoch` also lies in a file outside the
-- database: they differ in a restored copy, and then nothing leaves until an operator says so.
CREATE TABLE broadcast_fence (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch bigint NOT NULL DEFAULT 0,
    -- the panic stop
    is_stopped boolean NOT NULL DEFAULT false,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO broadcast_fence DEFAULT VALUES;

-- The local catch-all mailbox, where everything goes while no mail server is set.
CREATE TABLE broadcast_mailbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    envelope_from text NOT NULL DEFAULT '',
    recipient text NOT NULL,
    subject text NOT NULL DEFAULT '',
    send_id uuid,
    raw bytea NOT NULL
);
CREATE INDEX broadcast_mailbox_recipient ON broadcast_mailbox (recipient, id DESC);
CREATE INDEX broadcast_mailbox_send ON broadcast_mailbox (send_id) WHERE send_id IS NOT NULL;

-- A journey's drawing; a change makes a new version, and whoever is under way stays on theirs.
CREATE TABLE broadcast_journey (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1,
    -- draft → live ⇄ paused → archived
    state text NOT NULL CHECK (state IN ('draft', 'live', 'paused', 'archived')),
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX broadcast_journey_name ON broadcast_journey (lower(name)) WHERE state <> 'archived';
CREATE TABLE broadcast_journey_version (
    journey_id integer NOT NULL,
    version integer NOT NULL,
    definition jsonb NOT NULL,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (journey_id, version)
);
-- One person's way through a journey. At most one way at a time.
CREATE TABLE broadcast_enrolment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journey_id integer NOT NULL,
    version integer NOT NULL,
    profile_id bigint NOT NULL,
    -- the position of the event that began it
    entry_position bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    -- where it stands and since when; '' when it has ended
    node text NOT NULL,
    -- the whole state of the step function, as it wrote it
    state jsonb NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    -- finished, or why it ended before: goal, exit, merged, archived, failed
    ending text NOT NULL DEFAULT '',
    UNIQUE (journey_id, profile_id, entry_position)
);
CREATE UNIQUE INDEX broadcast_enrolment_one ON broadcast_enrolment (journey_id, profile_id) WHERE ended_at IS NULL;
CREATE INDEX broadcast_enrolment_due ON broadcast_enrolment (due_at) WHERE ended_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX broadcast_enrolment_node ON broadcast_enrolment (journey_id, node) WHERE ended_at IS NULL;
CREATE INDEX broadcast_enrolment_profile ON broadcast_enrolment (profile_id);
-- How many came to each node and by which edge they left, kept while stepping.
CREATE TABLE broadcast_step_count (
    journey_id integer NOT NULL,
    version integer NOT NULL,
    node text NOT NULL,
    -- '' = came here; otherwise the edge they left by
    edge text NOT NULL DEFAULT '',
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (journey_id, version, node, edge)
);

-- From now on: nobody is written to for what they did before.
INSERT INTO store_consumer (name, position)
SELECT n.name, c.position FROM store_consumer c, (VALUES ('broadcast'), ('journeys')) AS n (name)
WHERE c.name = 'profiles';
