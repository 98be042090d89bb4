-- Sessions, visitors that are machines, pages of the own site, interests.

-- Projection: one row a visit: events of one origin without a long pause, of one campaign. A row of
-- kind 'elsewhere' is an order that came in outside of any visit; it counts for interests only.
CREATE TABLE store_visit (
    -- the id of its first event
    visit_id bigint PRIMARY KEY,
    origin_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('site', 'app', 'elsewhere')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    -- the chain of events without a long pause this visit is cut from
    run_started_at timestamptz NOT NULL,
    run_ended_at timestamptz NOT NULL,
    page_views integer NOT NULL,
    event_count integer NOT NULL,
    landing_page text NOT NULL,
    exit_page text NOT NULL,
    -- the first fifty: [[seconds since the start, page, title]]
    pages jsonb NOT NULL,
    referrer text NOT NULL,
    referrer_kind text NOT NULL,
    -- {"source", "medium", "name", "term", "content", "click_id"}
    campaign jsonb NOT NULL,
    device text NOT NULL,
    order_count integer NOT NULL,
    revenue_minor bigint NOT NULL,
    -- why it is taken for a machine's; '' for a person's
    machine text NOT NULL,
    -- {topic: weight when it ended}
    topics jsonb NOT NULL
);
CREATE INDEX store_visit_origin ON store_visit (origin_id, started_at DESC);
CREATE INDEX store_visit_time ON store_visit (started_at) WHERE kind <> 'elsewhere';
COMMENT ON TABLE store_visit IS '{"holds": "visits to the site and the apps, where they came from, and whether a machine made them", "subject": "origin_id", "personal": ["visit_id", "origin_id", "landing_page", "exit_page", "pages", "referrer", "campaign", "device", "topics"], "erase": "delete", "keep_days": null}';

-- Projection: what somebody is interested in, as of one moment; what it is now is worked out when
-- it is read.
CREATE TABLE store_interest (
    origin_id bigint PRIMARY KEY,
    reference_at timestamptz NOT NULL,
    -- {topic: weight at the reference}
    topics jsonb NOT NULL,
    -- when the trait `interests` may have to be told anew; NULL while nothing is left to fade
    due_at timestamptz
);
CREATE INDEX store_interest_due ON store_interest (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE store_interest IS '{"holds": "what somebody is interested in, from what was viewed and bought", "subject": "origin_id", "personal": ["origin_id", "topics"], "erase": "delete", "keep_days": null}';

-- The company's own site: which hosts, and whether they are read. One row.
CREATE TABLE store_site (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    is_enabled boolean NOT NULL DEFAULT false,
    start_urls text[] NOT NULL DEFAULT '{}',
    max_pages integer NOT NULL DEFAULT 2000 CHECK (max_pages BETWEEN 1 AND 50000),
    max_depth integer NOT NULL DEFAULT 6 CHECK (max_depth BETWEEN 0 AND 20),
    every_days integer NOT NULL DEFAULT 7 CHECK (every_days BETWEEN 1 AND 90),
    updated_by text NOT NULL DEFAULT ''
);
INSERT INTO store_site DEFAULT VALUES;
COMMENT ON TABLE store_site IS '{"holds": "which pages of the own site are read", "subject": "", "personal": ["updated_by"], "erase": "keep: about no customer", "keep_days": null}';

CREATE TABLE store_crawl (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'finished', 'stopped', 'failed')),
    is_stop_wanted boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL DEFAULT '',
    started_at timestamptz,
    finished_at timestamptz,
    seen_at timestamptz,
    fetched integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    waiting integer NOT NULL DEFAULT 0,
    note text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX store_crawl_one ON store_crawl ((true)) WHERE state IN ('waiting', 'running');
COMMENT ON TABLE store_crawl IS '{"holds": "readings of the own site, and how far each is", "subject": "", "personal": ["created_by"], "erase": "keep: about no customer", "keep_days": null}';

CREATE TABLE store_page (
    -- without what only tracks
    url text PRIMARY KEY,
    status integer NOT NULL,
    title text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    product_id text NOT NULL DEFAULT '',
    headings text[] NOT NULL DEFAULT '{}',
    -- {"schema": [...], "open_graph": {...}}
    facts jsonb NOT NULL DEFAULT '{}',
    -- {topic: weight}
    topics jsonb NOT NULL DEFAULT '{}',
    etag text NOT NULL DEFAULT '',
    last_modified text NOT NULL DEFAULT '',
    fetched_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX store_page_product ON store_page (product_id) WHERE product_id <> '';
CREATE INDEX store_page_fetched ON store_page (fetched_at DESC, url);
COMMENT ON TABLE store_page IS '{"holds": "what the pages of the own site are about", "subject": "", "personal": [], "erase": "keep: about no customer", "keep_days": null}';
