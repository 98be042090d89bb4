"""Writing down each state a segment was in, in the transaction that changes it."""

from datetime import datetime

from amity.infra import queries
from amity.infra.database import Connection

_SQL = queries.load("amity.analysis")


def record_version(
    connection: Connection,
    segment_id: int,
    *,
    by: str,
    now: datetime,
    is_new: bool = False,
    restored_from: int | None = None,
) -> None:
    """Keep a segment's name, description and rule as they are now, if anything has changed."""
    how = "made" if is_new else "changed" if restored_from is None else "restored"
    connection.execute(
        _SQL["record_segment_version"],
        {
            "segment_id": segment_id,
            "how": how,
            "restored_from": restored_from,
            "by": by,
            "now": now,
        },
    )
