-- Evidence between identifiers, links between people, and the review queue.

ALTER TABLE store_profile
    ADD COLUMN email_count integer NOT NULL DEFAULT 0,
    ADD COLUMN phone_count integer NOT NULL DEFAULT 0,
    -- whether a proven user id, e-mail address or phone number is theirs
    ADD COLUMN is_known boolean NOT NULL DEFAULT false,
    -- whether some evidence about them was not accepted
    ADD COLUMN is_contested boolean NOT NULL DEFAULT false;

-- Whether only sources with a public key have brought it.
ALTER TABLE store_identifier ADD COLUMN is_stated boolean NOT NULL DEFAULT false;

-- Projection: which two identifiers were seen together. The hub is the more telling one; a pair of
-- the same identifier twice says that it was seen alone. Valid time: first and last seen. Time of
-- the record: recorded and retracted.
CREATE TABLE store_evidence (
    -- a hash of both identifiers
    edge_key uuid PRIMARY KEY,
    hub_kind text NOT NULL,
    hub_value text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    -- the profile of the event that brought it, before any merge
    origin_id bigint NOT NULL,
    event_id bigint NOT NULL,
    way text NOT NULL CHECK (way IN ('event', 'alias', 'manual', 'confirmed', 'linkage')),
    -- seen by a source whose key is secret
    is_proof boolean NOT NULL,
    source_id integer NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- why it joins nobody; '' while it is accepted
    cut text NOT NULL DEFAULT '',
    retracted_at timestamptz,
    retracted_by bigint
);
CREATE INDEX store_evidence_origin ON store_evidence (origin_id);
CREATE INDEX store_evidence_cut ON store_evidence (kind, value) WHERE cut <> '';
CREATE INDEX store_evidence_retracted ON store_evidence (retracted_by)
    WHERE retracted_by IS NOT NULL;
COMMENT ON TABLE store_evidence IS '{"holds": "which identifiers were seen together, by whom and since when", "subject": "origin_id", "personal": ["hub_value", "value"], "erase": "delete", "keep_days": null}';

-- Projection: devices on which so many people signed in that they are nobody's.
CREATE TABLE store_place (
    kind text NOT NULL,
    value text NOT NULL,
    logins integer NOT NULL,
    event_id bigint NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (kind, value)
);
COMMENT ON TABLE store_place IS '{"holds": "devices that many people sign in on", "subject": "", "personal": ["value"], "erase": "keep: it belongs to no single person", "keep_days": null}';

-- Pairs of customers that may be one person, waiting for somebody to decide. What was decided is
-- also an event in the log.
CREATE TABLE store_link_candidate (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    one_id bigint NOT NULL,
    other_id bigint NOT NULL CHECK (one_id < other_id),
    -- what suggested it: 'conflict' or 'linkage'
    origin text NOT NULL,
    probability double precision,
    explanation jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'rejected')),
    -- the message id of the event that joined them, while it is accepted
    join_id text NOT NULL DEFAULT '',
    found_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text NOT NULL DEFAULT '',
    UNIQUE (one_id, other_id)
);
CREATE INDEX store_link_candidate_open ON store_link_candidate (probability DESC NULLS LAST, id DESC)
    WHERE state = 'open';
CREATE INDEX store_link_candidate_other ON store_link_candidate (other_id);
COMMENT ON TABLE store_link_candidate IS '{"holds": "pairs of customers that may be one person, and what was decided", "subject": "one_id", "personal": ["explanation"], "erase": "delete", "keep_days": null}';

-- Customers that belong together without being one: a household or a company. For analysis only;
-- nothing is sent or disclosed by it.
CREATE TABLE store_link (
    kind text NOT NULL CHECK (kind IN ('household', 'company')),
    -- a hash of what they share
    link_key uuid NOT NULL,
    profile_id bigint NOT NULL,
    label text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    probability double precision NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (kind, link_key, profile_id)
);
CREATE INDEX store_link_profile ON store_link (profile_id);
COMMENT ON TABLE store_link IS '{"holds": "households and companies customers belong to", "subject": "profile_id", "personal": ["label", "evidence"], "erase": "delete", "keep_days": null}';
