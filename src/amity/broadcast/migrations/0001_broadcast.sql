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
    holdout_rate double precision NOT NULL DEFAULT 0.1 CHECK (holdout_rate BETWEEN 0 AND 0.5),
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
    -- for people: why it ended otherwise than planned
    note text NOT NULL DEFAULT '',
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
    -- the address's key, so that two profiles with one address are one; of the excluded 'profile:ID'
    contact_point text NOT NULL,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, profile_id),
    UNIQUE (campaign_id, contact_point)
);
CREATE INDEX broadcast_participant_profile ON broadcast_participant (profile_id);

-- Ids that rise with time (UUID version 7), so that new rows lie together.
CREATE FUNCTION broadcast_send_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
-- The send ledger (rule D18): nothing is sent without a row here, and a row is sent once.
CREATE TABLE broadcast_send (
    id uuid PRIMARY KEY DEFAULT broadcast_send_id(),
    run_kind text NOT NULL CHECK (run_kind IN ('campaign', 'journey', 'test', 'service')),
    -- 0 for tests and services
    run_id bigint NOT NULL CHECK (run_kind IN ('campaign', 'journey') OR run_id = 0),
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
    -- how often it was claimed in earnest: waits grow with it
    attempts integer NOT NULL DEFAULT 0,
    -- how often a sender ended while it held this: what kills senders is put aside in the end
    crashes integer NOT NULL DEFAULT 0,
    -- a doubtful message that is not promotion is tried once more (rule D20)
    is_retried boolean NOT NULL DEFAULT false,
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
-- by run, so that what waits of a paused run is never looked at
CREATE INDEX broadcast_send_due ON broadcast_send (run_kind, run_id, not_before) WHERE state = 'queued';
CREATE INDEX broadcast_send_leased ON broadcast_send (lease_until) WHERE state IN ('claimed', 'wire');
CREATE INDEX broadcast_send_unknown ON broadcast_send (settled_at) WHERE state = 'unknown';
CREATE INDEX broadcast_send_run ON broadcast_send (run_kind, run_id, state, id);
CREATE INDEX broadcast_send_profile ON broadcast_send (profile_id, planned_at DESC);
CREATE INDEX broadcast_send_latest ON broadcast_send (planned_at DESC, id DESC);

-- Until when promotion waits for somebody whose clock stands in the quiet hours; NULL when it does
-- not. A zone that nobody knows is the shop's own.
CREATE FUNCTION broadcast_quiet_until(
    moment timestamptz, zone text, fallback text, quiet_from integer, quiet_until integer)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- a bare number would be an offset, west of Greenwich
    theirs text := CASE WHEN zone ~ '^[A-Za-z]' THEN zone ELSE fallback END;
    local timestamp;
    hour integer;
BEGIN
    IF quiet_from = quiet_until THEN
        RETURN NULL;
    ELSIF theirs = fallback THEN
        local := moment AT TIME ZONE fallback;
    ELSE
        BEGIN
            local := moment AT TIME ZONE theirs;
        EXCEPTION WHEN OTHERS THEN
            theirs := fallback;
            local := moment AT TIME ZONE fallback;
        END;
    END IF;
    hour := extract(hour FROM local);
    IF (quiet_from < quiet_until AND (hour < quiet_from OR hour >= quiet_until))
        OR (quiet_from > quiet_until AND hour < quiet_from AND hour >= quiet_until) THEN
        RETURN NULL;
    END IF;
    RETURN (local::date + (hour >= quiet_until)::integer + make_interval(hours => quiet_until))
        AT TIME ZONE theirs;
END $$;

-- Whether this installation may send at all (rule D53). `epoch` also lies in a file outside the
-- database: they differ in a restored copy, and then nothing leaves until an operator says so.
-- 0 = nothing was ever armed. The sequence rises with every group of messages that goes on the
-- wire, and so does the number in the file: an older database is behind its file.
CREATE SEQUENCE broadcast_progress;
CREATE TABLE broadcast_fence (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch bigint NOT NULL DEFAULT 0,
    -- since when it has been known that this is a copy; NULL while sending is armed
    copied_at timestamptz,
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
CREATE SEQUENCE broadcast_enrolment_id;
CREATE TABLE broadcast_enrolment (
    -- drawn before the row is written: the steps of the same turn name it
    id bigint PRIMARY KEY DEFAULT nextval('broadcast_enrolment_id'),
    journey_id integer NOT NULL,
    version integer NOT NULL,
    profile_id bigint NOT NULL,
    -- whose it was before any merge, so that it goes back when the merge is undone
    origin_id bigint NOT NULL,
    -- the event that began it: its position, when it happened and what it said
    entry_position bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    entry jsonb NOT NULL DEFAULT '{}',
    -- where it stands; kept when it has ended
    node text NOT NULL,
    -- the rest of the state of the step function, as it wrote it
    state jsonb NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    -- finished, or why it ended before: exit, merged, archived, gone, failed
    ending text NOT NULL DEFAULT '',
    UNIQUE (journey_id, profile_id, entry_position)
);
CREATE UNIQUE INDEX broadcast_enrolment_one ON broadcast_enrolment (journey_id, profile_id) WHERE ended_at IS NULL;
CREATE INDEX broadcast_enrolment_due ON broadcast_enrolment (journey_id, due_at) WHERE ended_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX broadcast_enrolment_node ON broadcast_enrolment (journey_id, node, id) WHERE ended_at IS NULL;
CREATE INDEX broadcast_enrolment_profile ON broadcast_enrolment (profile_id);
CREATE INDEX broadcast_enrolment_origin ON broadcast_enrolment (origin_id) WHERE origin_id <> profile_id;
CREATE INDEX broadcast_enrolment_latest ON broadcast_enrolment (journey_id, id);
-- How many came to each node and by which edge they left, kept while stepping.
CREATE TABLE broadcast_step_count (
    journey_id integer NOT NULL,
    version integer NOT NULL,
    -- '' = the journey itself
    node text NOT NULL,
    -- '' = came here; otherwise the edge they left by, or '!' and the ending that stopped them here
    edge text NOT NULL DEFAULT '',
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (journey_id, version, node, edge)
);

-- From now on: nobody is written to for what they did before.
INSERT INTO store_consumer (name, position)
SELECT n.name, c.position FROM store_consumer c, (VALUES ('broadcast'), ('journeys')) AS n (name)
WHERE c.name = 'profiles';

-- What each table holds, for the data map (`amity data-map`).
COMMENT ON TABLE broadcast_content IS '{"holds": "what is sent, before a name is put in", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_template IS '{"holds": "templates of messages", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_campaign IS '{"holds": "campaigns", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_participant IS '{"holds": "whom a campaign drew, and into which group", "subject": "profile_id", "personal": ["profile_id", "contact_point"], "erase": "delete", "keep_days": null}';
COMMENT ON TABLE broadcast_send IS '{"holds": "every message and what became of it; not its text", "subject": "profile_id", "personal": ["contact_point", "variables", "test_address", "reply", "subject"], "erase": "blank", "keep_days": 750}';
COMMENT ON TABLE broadcast_fence IS '{"holds": "whether messages may leave", "subject": "", "personal": ["changed_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_mailbox IS '{"holds": "mail the local mailbox took", "subject": "", "personal": ["envelope_from", "recipient", "subject", "raw"], "erase": "delete", "keep_days": 30}';
COMMENT ON TABLE broadcast_journey IS '{"holds": "journeys", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_journey_version IS '{"holds": "drawings of journeys", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE broadcast_enrolment IS '{"holds": "customers on their way through journeys", "subject": "profile_id", "personal": ["entry", "state"], "erase": "delete", "keep_days": null}';
COMMENT ON TABLE broadcast_step_count IS '{"holds": "how many came to each step", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
