-- Every state a segment's name, description and rule were ever in.
CREATE TABLE analysis_segment_version (
    segment_id integer NOT NULL,
    -- 1, 2, 3 …: raised by each change of anything, unlike rule_version
    number integer NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    rule jsonb NOT NULL,
    rule_version integer NOT NULL,
    -- recorded: as it stood when versions began to be kept
    how text NOT NULL CHECK (how IN ('made', 'changed', 'restored', 'recorded')),
    restored_from integer,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (segment_id, number)
);

INSERT INTO analysis_segment_version
    (segment_id, number, name, description, rule, rule_version, how, changed_by, changed_at)
SELECT id, 1, name, description, rule, version,
       CASE WHEN updated_at = created_at THEN 'made' ELSE 'recorded' END,
       CASE WHEN updated_at = created_at THEN created_by ELSE '' END, updated_at
FROM analysis_segment;

-- Answers about segments that take long to find, kept with their age: figures, no customers.
CREATE TABLE analysis_segment_answer (
    tool text NOT NULL,
    -- the question: the segments and choices it was asked with
    asked text NOT NULL,
    answer jsonb NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (tool, asked)
);

COMMENT ON TABLE analysis_segment_version IS '{"holds": "every earlier name and rule of segments, and who changed them", "subject": "", "personal": ["changed_by"], "erase": "keep: about no customer", "keep_days": null}';
COMMENT ON TABLE analysis_segment_answer IS '{"holds": "answers about segments that take long to find", "subject": "", "personal": [], "erase": "keep: counts only", "keep_days": null}';
