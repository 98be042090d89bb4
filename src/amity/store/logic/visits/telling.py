"""Telling rules and decisions of interests: as a trait, through the log, when it has changed."""

from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.clock import format_instant
from amity.store.contracts_claims import TRAIT_ASSERTED
from amity.store.contracts_visits import INTERESTS_TRAIT
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.visits.interests import add_up, next_step_at, points_of

_SQL: Final = queries.load("amity.store")
_AT_ONCE: Final = 300
_VECTOR: Final = msgspec.json.Decoder(dict[str, float])


def tell_interests(connection: Connection, now: datetime, half_life: timedelta) -> int:
    """Record the trait `interests` of those for whom it is due and differs; return how many were.

    Weights of all who are joined in one customer are added. They fade: when the next of them
    falls by a step is when the customer is looked at again.
    """
    due = [row[0] for row in connection.execute(_SQL["interest_due"], [now, _AT_ONCE])]
    if not due:
        return 0
    events: list[SystemEvent] = []
    next_times: dict[int, datetime | None] = dict.fromkeys(due)
    rows = connection.execute(_SQL["interest_joined"], [due]).fetchall()
    for root_id, own in groupby(rows, key=lambda row: row[0]):
        mine = list(own)
        vectors = [(at, _VECTOR.decode(topics)) for _, _, at, topics, _ in mine]
        vector = add_up(vectors, now, half_life)
        points = points_of(vector)
        held = msgspec.json.decode(mine[0][4]) if mine[0][4] else None
        if points != (held or {}):
            events.append(_event(root_id, points, now))
        next_at = next_step_at(vector, now, half_life)
        next_times |= {row[1]: next_at for row in mine}
    if events:
        record_events(connection=connection, events=events, now=now)
    connection.execute(_SQL["interest_set_due"], [list(next_times), list(next_times.values())])
    return len(due)


def _digest(points: dict[str, int]) -> str:
    return blake2b(msgspec.json.encode(points), digest_size=6).hexdigest()


def _event(root_id: int, points: dict[str, int], now: datetime) -> SystemEvent:
    return SystemEvent(
        profile_id=root_id,
        name=TRAIT_ASSERTED,
        properties={
            "traits": {INTERESTS_TRAIT: points or None},
            "how": "inferred",
            "provenance": "visits",
        },
        message_id=f"interests-{root_id}-{format_instant(now)}-{_digest(points)}",
    )
