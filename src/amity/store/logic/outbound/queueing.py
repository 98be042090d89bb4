"""Who is to be told of what: a consumer of the activities that queues deliveries, set-wise.

The gate stands here and again where a delivery is sent: an endpoint with a purpose hears only of
customers who allow that purpose, and one without a purpose is told nothing personal.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.logic.consent.gate import may_use
from amity.store.logic.folding.consumers import advance_consumer, claim_consumer

_SQL: Final = queries.load("amity.store")
CONSUMER: Final = "outbound"


def queue_deliveries(*, now: datetime, limit: int = 2000) -> int:
    """Read on in the activities and queue what endpoints want; return how many were read."""
    with transaction() as connection:
        position = claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return 0
        row = connection.execute(_SQL["outbound_has_any"]).fetchone()
        assert row is not None
        has_any, folded = row
        if not has_any:
            if folded > position:
                advance_consumer(connection=connection, name=CONSUMER, position=folded)
            return 0
        window = {"after": position, "limit": limit}
        row = connection.execute(_SQL["outbound_window"], window).fetchone()
        until = row[0] if row else None
        if until is None:
            return 0
        span = {"after": position, "until": until}
        _queue(connection, connection.execute(_SQL["outbound_match"], span).fetchall(), now)
        advance_consumer(connection=connection, name=CONSUMER, position=until)
        return int(until - position)


def _queue(connection: Connection, pairs: list[tuple[Any, ...]], now: datetime) -> None:
    refused = {
        purpose: list_refused(
            connection, purpose, {pair[4] for pair in pairs if pair[1] == purpose}, now
        )
        for purpose in {pair[1] for pair in pairs}
    }
    told = [pair for pair in pairs if pair[4] not in refused[pair[1]]]
    withheld = Counter(pair[0] for pair in pairs if pair[4] in refused[pair[1]])
    if told:
        endpoints, _, events, positions, _, origins, names = zip(*told, strict=True)
        connection.execute(
            _SQL["outbound_queue"],
            {
                "endpoints": list(endpoints),
                "events": list(events),
                "positions": list(positions),
                "origins": list(origins),
                "names": list(names),
            },
        )
    if withheld:
        connection.execute(
            _SQL["outbound_count_withheld"], [list(withheld), list(withheld.values())]
        )


def queue_about_nobody(connection: Connection, *, name: str, event_ids: Sequence[int]) -> None:
    """Queue events that are about no customer for whoever wants them, with the caller's commit.

    They take no part in the activities, which this consumer reads: the fold has nobody to give
    them to. `outbound_contents` says what is told of them.
    """
    if event_ids:
        arguments = {"name": name, "events": list(event_ids)}
        connection.execute(_SQL["outbound_queue_nobody"], arguments)


def list_refused(
    connection: Connection, purpose: str, profile_ids: Iterable[int], now: datetime
) -> set[int]:
    """Return those of some profiles whose data may not be told for a purpose.

    Nobody is refused for no purpose: then nothing personal is told.
    """
    if not purpose:
        return set()
    reasons = may_use(profile_ids=profile_ids, purpose=purpose, now=now, connection=connection)
    return {profile_id for profile_id, reason in reasons.items() if reason}
