-- The warehouse's manifest: which Parquet files are the warehouse, and how far each table has come.
-- What is not in it is no part of the warehouse, wherever it lies.

-- Tells the files of two writers apart, should one of them not know yet that its turn is over.
CREATE SEQUENCE warehouse_token;

CREATE TABLE warehouse_export (
    name text PRIMARY KEY,
    -- its columns, in their order, and what they are for; another shape begins another table
    shape json NOT NULL,
    -- everything up to here lies in the files
    cursor bigint NOT NULL DEFAULT 0,
    -- rises with every slice: of rows that change, those of the greatest version hold
    version bigint NOT NULL DEFAULT 0,
    -- when the files last held all there was
    complete_at timestamptz
);

CREATE TABLE warehouse_file (
    -- below the warehouse's folder
    path text PRIMARY KEY,
    export text NOT NULL,
    day date NOT NULL,
    after_cursor bigint NOT NULL,
    upto_cursor bigint NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    sha256 bytea NOT NULL,
    least_at timestamptz,
    greatest_at timestamptz,
    least_subject bigint,
    greatest_subject bigint,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX warehouse_file_export ON warehouse_file (export, day);

-- Customers who were erased and whose rows may still lie in files; a line goes when none does.
CREATE TABLE warehouse_forgetting (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_ids bigint[] NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);

-- The last comparison with the source.
CREATE TABLE warehouse_verification (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    verified_at timestamptz NOT NULL,
    is_clean boolean NOT NULL,
    report jsonb NOT NULL
);

COMMENT ON TABLE warehouse_export IS '{"holds": "how far each table of the warehouse has come", "subject": "", "personal": [], "erase": "keep: names no customer", "keep_days": null}';
COMMENT ON TABLE warehouse_file IS '{"holds": "the files of the warehouse", "subject": "", "personal": [], "erase": "keep: names no customer; the files themselves are written anew without her", "keep_days": null}';
COMMENT ON TABLE warehouse_forgetting IS '{"holds": "customers whose rows are still to be taken out of the warehouse", "subject": "", "personal": [], "erase": "keep: the order to erase; it goes when it is carried out", "keep_days": null}';
COMMENT ON TABLE warehouse_verification IS '{"holds": "the last comparison of the warehouse with its source", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
