"""Publishing snapshots: at once when people changed something, now and then for what was learnt.

Asked four times a second, so the question whether anything changed is one statement of sums.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.database import Connection, database_name, transaction
from amity.kernel.errors import Invalid
from amity.personalization.logic.snapshot import (
    ArmRow,
    Definition,
    OfferDefinition,
    PlacementDefinition,
    encode_arms,
    encode_definition,
)
from amity.rules import decode_rule, mentions

_SQL: Final = queries.load("amity.personalization")
PAUSE: Final = timedelta(seconds=2)
"""The least time between two snapshots that differ in what was learnt only."""


class _Published(msgspec.Struct, frozen=True, array_like=True):
    """A definition that is known to say what the tables said at a stamp."""

    stamp: tuple[str, str, str]
    definition_id: int


_published: dict[str, _Published] = {}


def publish_snapshot(*, now: datetime) -> int | None:
    """Make a new snapshot when anything it holds has changed; see `api.publish_snapshot`."""
    with transaction() as connection:
        return publish(connection, now)


def publish(connection: Connection, now: datetime) -> int | None:
    """Make a new snapshot in the caller's transaction, when there is reason to."""
    connection.execute(_SQL["lock_publishing"])
    definition_id = _ensure_definition(connection, now)
    models: dict[str, int] = dict(connection.execute(_SQL["latest_models"]).fetchall())
    last = connection.execute(_SQL["newest_snapshot"]).fetchone()
    is_urgent = last is None or last[2] != definition_id or last[3] != models
    if not is_urgent and last is not None and now - last[1] < PAUSE:
        return None
    arms = encode_arms(
        ArmRow(*row) for row in connection.execute(_SQL["publishable_arms"], binary=True)
    )
    if not is_urgent and last is not None:
        held = connection.execute(_SQL["snapshot_arms"], [last[0]], binary=True).fetchone()
        if held is not None and held[0] == arms:
            return None
    row = connection.execute(
        _SQL["insert_snapshot"], [now, definition_id, arms, Jsonb(models)]
    ).fetchone()
    assert row is not None
    snapshot_id: int = row[0]
    return snapshot_id


def _ensure_definition(connection: Connection, now: datetime) -> int:
    """Return the id of the definition that says what the tables say, made when there is none."""
    row = connection.execute(_SQL["definition_stamp"]).fetchone()
    assert row is not None
    stamp = (row[0], row[1], row[2])
    known = _published.get(database_name())
    if known is not None and known.stamp == stamp:
        return known.definition_id
    body = encode_definition(_read_definition(connection))
    newest = connection.execute(_SQL["newest_definition"], binary=True).fetchone()
    if newest is not None and newest[1] == body:
        definition_id: int = newest[0]
    else:
        made = connection.execute(_SQL["insert_definition"], [now, body]).fetchone()
        assert made is not None
        definition_id = made[0]
        # Remembered only once it is sure to be there: this transaction may yet be rolled back.
        return definition_id
    _published[database_name()] = _Published(stamp, definition_id)
    return definition_id


def _read_definition(connection: Connection) -> Definition:
    placements = [
        PlacementDefinition(*row) for row in connection.execute(_SQL["publishable_placements"])
    ]
    offers = [OfferDefinition(*row) for row in connection.execute(_SQL["publishable_offers"])]
    wanted = sorted({name for offer in offers for name in _segments_of(offer.rule)})
    segments: dict[int, str] = {}
    if wanted:
        segments = dict(connection.execute(_SQL["publishable_segments"], [wanted]).fetchall())
    return Definition(placements, offers, segments)


def _segments_of(rule: dict[str, Any] | None) -> frozenset[int]:
    if rule is None:
        return frozenset()
    try:
        return mentions(decode_rule(rule)).segments
    except Invalid:
        return frozenset()
