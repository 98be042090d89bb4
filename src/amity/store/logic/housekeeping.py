"""What the store does by itself: new partitions, forgetting what need not be kept, and checks."""

from typing import Final

from amity.infra import database, queries
from amity.infra.config import settings
from amity.store.contracts import LogHealth

_SQL: Final = queries.load("amity.store")
_QUARANTINE_DAYS: Final = 30
_LEAST_DEDUPE_DAYS: Final = 90


def keep_house() -> dict[str, int]:
    """Make the log's next partitions, forget old message ids and old quarantine; say how many.

    Message ids go in small transactions, so that no reader of the log is held back.
    """
    with database.transaction() as connection:
        row = connection.execute(_SQL["ensure_partitions"]).fetchone()
        quarantined = connection.execute(_SQL["forget_quarantine"], [_QUARANTINE_DAYS]).rowcount
    assert row is not None
    days = max(settings().dedupe_days, _LEAST_DEDUPE_DAYS)
    keys = 0
    while True:
        with database.transaction() as connection:
            gone = connection.execute(_SQL["forget_keys"], [days]).rowcount
        keys += gone
        if not gone:
            return {"partitions": row[0], "keys": keys, "quarantined": quarantined}


def check_log() -> LogHealth:
    """Say whether the log can go on tomorrow and whether its order belongs to this server."""
    with database.transaction() as connection:
        tomorrow = connection.execute(_SQL["tomorrow_is_ready"]).fetchone()
        ahead = connection.execute(_SQL["log_is_ahead"]).fetchone()
    assert tomorrow is not None
    assert ahead is not None
    return LogHealth(is_tomorrow_ready=tomorrow[0], is_ahead=ahead[0])
