-- When saved views are mailed, and to whom of the staff.
CREATE TABLE analysis_report_schedule (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view_id integer NOT NULL REFERENCES analysis_report_view (id) ON DELETE CASCADE,
    owner text NOT NULL,
    -- user names of staff; their addresses are looked up when it is mailed
    recipients text[] NOT NULL CHECK (cardinality(recipients) BETWEEN 1 AND 50),
    -- who does not want it: nobody but themselves puts them back
    declined text[] NOT NULL DEFAULT '{}',
    every text NOT NULL CHECK (every IN ('day', 'weekday', 'week', 'month')),
    -- of a week 1 = Monday; of a month its day
    day smallint NOT NULL DEFAULT 1 CHECK (day BETWEEN 1 AND 28),
    at time NOT NULL,
    zone text NOT NULL,
    has_files boolean NOT NULL DEFAULT false,
    is_paused boolean NOT NULL DEFAULT false,
    -- the run that comes next
    slot_at timestamptz NOT NULL,
    -- when it is tried: its slot, later when something was put off or a worker is at it
    due_at timestamptz NOT NULL,
    last_at timestamptz,
    last_result text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL
);
CREATE INDEX analysis_report_schedule_due ON analysis_report_schedule (due_at) WHERE NOT is_paused;
CREATE INDEX analysis_report_schedule_view ON analysis_report_schedule (view_id);

COMMENT ON TABLE analysis_report_schedule IS '{"holds": "when saved views of reports are mailed to staff", "subject": "", "personal": ["owner", "recipients", "declined"], "erase": "keep: about no customer", "keep_days": null}';
