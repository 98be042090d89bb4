"""Answers kept for a day, for those who ask again with the same Idempotency-Key."""

from typing import Any, ClassVar

from django.db import migrations

_SQL = """
CREATE TABLE staff_reply (
    key_hash bytea PRIMARY KEY,
    request_hash bytea NOT NULL,
    status smallint NOT NULL,
    headers jsonb NOT NULL,
    content bytea NOT NULL,
    replied_at timestamptz NOT NULL
);
CREATE INDEX staff_reply_age ON staff_reply (replied_at);
COMMENT ON TABLE staff_reply IS '{"holds": "answers given to requests with an Idempotency-Key", "subject": "", "personal": ["headers", "content"], "erase": "keep: gone after a day", "keep_days": 1}';
"""


class Migration(migrations.Migration):
    """The table of kept answers."""

    dependencies: ClassVar[list[Any]] = [("staff", "0001_staff")]
    operations: ClassVar[list[Any]] = [
        migrations.RunSQL(_SQL, reverse_sql="DROP TABLE staff_reply")
    ]
