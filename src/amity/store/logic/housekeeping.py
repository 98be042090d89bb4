"""What the store does by itself: the log's next partitions, and checks."""

from typing import Final

from amity.infra import database, queries
from amity.store.contracts import LogHealth

_SQL: Final = queries.load("amity.store")


def keep_house() -> dict[str, int]:
    """Make the log's next partitions; say how many."""
    with database.transaction() as connection:
        row = connection.execute(_SQL["ensure_partitions"]).fetchone()
    assert row is not None
    return {"partitions": row[0]}


def check_log() -> LogHealth:
    """Say whether the log can go on tomorrow and whether its order belongs to this server."""
    with database.transaction() as connection:
        tomorrow = connection.execute(_SQL["tomorrow_is_ready"]).fetchone()
        ahead = connection.execute(_SQL["log_is_ahead"]).fetchone()
    assert tomorrow is not None
    assert ahead is not None
    return LogHealth(is_tomorrow_ready=tomorrow[0], is_ahead=ahead[0])
