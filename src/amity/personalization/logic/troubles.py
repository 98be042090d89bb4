"""Counting what went wrong on the way, by day: a number that a person can act on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.personalization.contracts import Trouble

_SQL: Final = queries.load("amity.personalization")
_MAX_DAYS: Final = 3650


def count_troubles(
    connection: Connection, troubles: Mapping[tuple[str, str], int], now: datetime
) -> None:
    """Add to the day's counts, by kind and name, in the caller's transaction."""
    if not troubles:
        return
    connection.execute(
        _SQL["count_troubles"],
        {
            "day": now.astimezone(UTC).date(),
            "kinds": [kind for kind, _ in troubles],
            "names": [name for _, name in troubles],
            "counts": list(troubles.values()),
        },
    )


def list_troubles(*, days: int) -> list[Trouble]:
    """Return what went wrong lately; see `api.list_troubles`."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["list_troubles"], [max(1, min(days, _MAX_DAYS))])
        return [Trouble(day=row[0], kind=row[1], name=row[2], count=row[3]) for row in rows]
