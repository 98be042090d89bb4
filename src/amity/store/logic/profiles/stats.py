"""The store in numbers: exact, and cheap at any size, since nothing is counted on request."""

from typing import Any, Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts import ConsumerLag, SourceCounts, Stats
from amity.store.logic.folding.consumers import PROFILES

_SQL: Final = queries.load("amity.store")


def stats() -> Stats:
    """Return what came in, what it came to, and how far each consumer is behind.

    The lag in events is counted up to a million; the lag in seconds is the age of the oldest
    event not handled, 0 when there is none.
    """
    with transaction() as connection:
        counters = connection.execute(_SQL["sum_counters"]).fetchone()
        totals: dict[str, int] = dict(connection.execute(_SQL["read_totals"]).fetchall())
        own = connection.execute(_SQL["profiles_lag"]).fetchone()
        others = connection.execute(_SQL["follower_lags"]).fetchall()
    assert counters is not None
    assert own is not None
    return Stats(
        events=SourceCounts(**dict(zip(SourceCounts.__struct_fields__, counters, strict=True))),
        profiles=totals.get("profiles", 0),
        identifiers=totals.get("identifiers", 0),
        merges=totals.get("merges", 0),
        consumers=[_lag((PROFILES, *own)), *map(_lag, others)],
    )


def _lag(row: tuple[Any, ...]) -> ConsumerLag:
    name, events, seconds, failures = row
    return ConsumerLag(name=name, events=events, seconds=max(seconds, 0.0), failures=failures)
