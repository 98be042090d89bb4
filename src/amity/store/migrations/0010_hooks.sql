-- Sources that call: secrets of webhooks, calls, enrichment.

-- What the requests of a vendor's webhooks are signed with, for one source.
CREATE TABLE store_source_secret (
    source_id integer NOT NULL,
    dialect text NOT NULL CHECK (length(dialect) BETWEEN 1 AND 100),
    -- encrypted; after a rotation both are good for a while
    secret bytea NOT NULL,
    former_secret bytea,
    former_until timestamptz,
    updated_by text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, dialect),
    CHECK ((former_secret IS NULL) = (former_until IS NULL))
);
COMMENT ON TABLE store_source_secret IS '{"holds": "what webhooks that come in are signed with, encrypted", "subject": "", "personal": ["updated_by"], "erase": "keep: about no customer", "keep_days": null}';

-- Others that are asked about a customer, over HTTP.
CREATE TABLE store_enrichment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    source_id integer NOT NULL,
    -- {"url": …, "identifier": …, "purpose": …, "mapping": {trait: path}, …}
    plan jsonb NOT NULL,
    -- the value of its header, encrypted
    secret bytea,
    is_enabled boolean NOT NULL DEFAULT true,
    -- new customers are asked about by themselves, those who came later than this activity
    position bigint NOT NULL DEFAULT 0,
    open_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT '',
    failed_at timestamptz,
    last_success_at timestamptz,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX store_enrichment_name ON store_enrichment (lower(name));
COMMENT ON TABLE store_enrichment IS '{"holds": "who is asked about customers, and what of it is taken", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';

-- Whom each was or is to be asked about; what was answered is in the log.
CREATE TABLE store_enrichment_ask (
    enrichment_id bigint NOT NULL REFERENCES store_enrichment ON DELETE CASCADE,
    origin_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'answered', 'unknown', 'withheld', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 400),
    asked_at timestamptz,
    PRIMARY KEY (enrichment_id, origin_id)
);
CREATE INDEX store_enrichment_due ON store_enrichment_ask (enrichment_id, next_at) WHERE state = 'waiting';
CREATE INDEX store_enrichment_origin ON store_enrichment_ask (origin_id);
COMMENT ON TABLE store_enrichment_ask IS '{"holds": "whom others were asked about, and whether they answered", "subject": "origin_id", "personal": ["origin_id", "reason"], "erase": "delete", "keep_days": null}';

-- Mailboxes that are read.
CREATE TABLE store_mailbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    source_id integer NOT NULL,
    host text NOT NULL,
    port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    security text NOT NULL CHECK (security IN ('tls', 'starttls', 'none')),
    username text NOT NULL,
    password bytea NOT NULL,
    folder text NOT NULL DEFAULT 'INBOX',
    is_enabled boolean NOT NULL DEFAULT true,
    interval_seconds integer NOT NULL DEFAULT 60 CHECK (interval_seconds BETWEEN 10 AND 86400),
    -- how far it was read: all up to last_uid, while the server's UIDVALIDITY is this
    uid_validity bigint,
    last_uid bigint NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    read bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    left_out bigint NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT '',
    failed_at timestamptz,
    last_success_at timestamptz,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX store_mailbox_name ON store_mailbox (lower(name));
COMMENT ON TABLE store_mailbox IS '{"holds": "mailboxes that are read, and how far", "subject": "", "personal": ["username", "created_by"], "erase": "keep: the company''s own mailboxes", "keep_days": null}';

-- Who calls: a number is looked up by its end, as each country writes its beginning differently.
CREATE INDEX store_identifier_phone_tail ON store_identifier (right(value, 8)) WHERE kind = 'phone';
