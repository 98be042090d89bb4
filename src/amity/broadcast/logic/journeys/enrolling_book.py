"""The journeys that are live or paused, read once a turn; drawings are kept, they never change."""

import logging
from typing import Any, Final

import msgspec

from amity.broadcast.logic.journeys.definition import Definition, decode_definition
from amity.broadcast.node import Node
from amity.infra import queries
from amity.infra.database import Connection, database_name
from amity.kernel.errors import Invalid

_SQL: Final = queries.load("amity.broadcast")
_log = logging.getLogger("amity.journeys")

Key = tuple[int, int]
"""A journey's id and a version of it."""


class Drawing(msgspec.Struct, frozen=True):
    """One version of a journey with what can be told from it beforehand."""

    journey_id: int
    version: int
    definition: Definition
    listens: frozenset[str]
    asking: dict[str, list[Node]]
    """By node, "" before the first: the nodes a step from there may ask about the subject."""


_kept: dict[tuple[str, int, int], Drawing | None] = {}


class Book:
    """What this turn goes by."""

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(_SQL["journeys_under_way"]).fetchall()
        self.paused = {row[0] for row in rows if row[1] == "paused"}
        self._drawings = _read(connection, [(row[0], row[3]) for row in rows])
        self.beginning: dict[str, list[Drawing]] = {}
        for journey_id, state, version, number in rows:
            drawing = self._drawings.get((journey_id, number))
            if drawing is not None and state == "live" and number == version:
                event = drawing.definition.entry.event
                self.beginning.setdefault(event, []).append(drawing)
        self.heard = frozenset[str]().union(*(d.listens for d in self._drawings.values()))

    def find(self, journey_id: int, version: int) -> Drawing | None:
        """Return a drawing; None when its journey has ended or it cannot be read any more."""
        return self._drawings.get((journey_id, version))


def _read(connection: Connection, keys: list[Key]) -> dict[Key, Drawing]:
    database = database_name()
    missing = [key for key in keys if (database, *key) not in _kept]
    if missing:
        columns: list[list[Any]] = [list(column) for column in zip(*missing, strict=True)]
        for journey_id, version, raw in connection.execute(_SQL["journeys_definitions"], columns):
            _kept[database, journey_id, version] = _decode(journey_id, version, raw)
    found = {key: _kept.get((database, *key)) for key in keys}
    return {key: drawing for key, drawing in found.items() if drawing is not None}


def _decode(journey_id: int, version: int, raw: object) -> Drawing | None:
    try:
        definition = decode_definition(raw)
    except Invalid as error:
        # A kind that a package brought can be gone; the other journeys go on.
        _log.warning("journey %s, version %s stands still: %s", journey_id, version, error.message)
        return None
    return Drawing(
        journey_id, version, definition, definition.listens(), definition.needs_subject()
    )
