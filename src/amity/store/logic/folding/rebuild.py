"""Making every projection anew from the log."""

from collections.abc import Callable
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.logic.folding.consumer import fold_batch
from amity.store.logic.folding.consumers import stop_profiles
from amity.store.logic.folding.following import start_over
from amity.store.logic.warehousing import start_warehouse_over

_SQL: Final = queries.load("amity.store")


def rebuild(*, progress: Callable[[int, int], None] | None = None) -> int:
    """Empty the projections and fold the whole log again; return how many events were folded.

    The result is what was there before, byte for byte: ids, positions and merges are derived
    from the log alone. Until it is done pages show what has been folded so far, and consumers
    above wait: their turn is refused until the positions come back to where they stand, so they
    neither repeat nor miss anything. After an erasure the positions close up, and the consumers'
    places with them. A rebuild that is killed is finished by the worker. ``progress`` hears
    (folded, of).
    """
    with transaction() as connection:
        stop_profiles(connection)
        connection.execute(_SQL["settle_positions"])
        connection.execute(_SQL["truncate_projections"])
        start_over(connection)
        start_warehouse_over(connection)
        connection.execute(_SQL["rewind_profiles"])
        connection.execute(_SQL["retention_restart"])
        total = _number(connection, "count_log")
    done = 0
    while folded := fold_batch().events:
        done += folded
        if progress:
            progress(done, max(total, done))
    return done


def _number(connection: Connection, query: str) -> int:
    row: tuple[Any, ...] | None = connection.execute(_SQL[query]).fetchone()
    assert row is not None
    number: int = row[0]
    return number
