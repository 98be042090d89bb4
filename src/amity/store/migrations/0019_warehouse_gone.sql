-- Rows of tables that change which are no more: the warehouse is told so with its next slice.
-- Whoever deletes such a row notes its key here, in the same transaction.
CREATE TABLE warehouse_gone (
    export text NOT NULL,
    -- as the export's key
    key text NOT NULL,
    profile_id bigint NOT NULL,
    gone_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (export, key)
);
CREATE INDEX warehouse_gone_profile ON warehouse_gone (profile_id);

COMMENT ON TABLE warehouse_gone IS '{"holds": "which rows the warehouse no longer has, for a day or until it is written again; no content", "subject": "profile_id", "personal": ["profile_id", "key"], "erase": "delete", "keep_days": null}';
