"""What events look like and how well they come, counted: a consumer of the activities.

Only counts are kept, by day and source, and no value of anybody: so a rebuild, an unmerge and an
erasure leave them. A name of a property that is itself personal is not kept either.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_tracking import EventShape, Finding, ShapeField
from amity.store.logic.folding.consumers import advance_consumer, claim_consumer, read_activity
from amity.store.logic.plans.checking import iter_values, type_of
from amity.store.logic.plans.personal_data import NAMELESS, PERSONAL, iter_warnings, list_kinds

_SQL: Final = queries.load("amity.store")
CONSUMER: Final = "quality"
LATE: Final = timedelta(days=1)
_MOST_PATHS: Final = 300
_OTHER: Final = "(more)"
_TYPES: Final = ("string", "number", "boolean", "list", "object")
_Event = tuple[date, int, str, str]
_Place = tuple[date, int, str, str, str]


class _Tally(msgspec.Struct, gc=False):
    seen: int = 0
    nulls: int = 0
    string: int = 0
    number: int = 0
    boolean: int = 0
    list: int = 0
    object: int = 0
    least: float | None = None
    most: float | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None

    def see(self, kinds: Iterable[str], numbers: Sequence[float], at: datetime) -> None:
        """Count one event in which the property had values of these types."""
        self.seen += 1
        for kind in kinds:
            name = "nulls" if kind == "null" else kind
            setattr(self, name, getattr(self, name) + 1)
        if numbers:
            self.least = min([*numbers] if self.least is None else [self.least, *numbers])
            self.most = max([*numbers] if self.most is None else [self.most, *numbers])
        self.first_at = at if self.first_at is None else min(at, self.first_at)
        self.last_at = at if self.last_at is None else max(at, self.last_at)


class _Hour(msgspec.Struct, gc=False):
    events: int = 0
    late: int = 0
    violating: int = 0
    last_at: datetime | None = None


def watch_quality(*, now: datetime, limit: int = 1000) -> int:
    """Read on in the activities and count what they look like; return how many were read."""
    with transaction() as connection:
        position = claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return 0
        activities = read_activity(connection=connection, after=position, limit=limit)
        if not activities:
            return 0
        own = [each for each in activities if each.source_id != SYSTEM_SOURCE_ID]
        if own:
            _Count(connection).write(own)
        last = activities[-1].position
        advance_consumer(connection=connection, name=CONSUMER, position=last)
        return len(activities)


class _Count:
    """The counts of one batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shapes: dict[_Place, _Tally] = {}
        self._findings: Counter[tuple[date, int, str, str, str, str]] = Counter()
        self._hours: dict[tuple[datetime, int], _Hour] = {}
        self._known: dict[tuple[int, str, str], set[str]] = {}

    def write(self, activities: Sequence[Activity]) -> None:
        """Count activities and add what they come to."""
        self._look(activities)
        for each in activities:
            self._read(each)
        execute = self._connection.execute
        rows: list[list[Any]] = [
            [*place, *msgspec.structs.astuple(tally)]
            for place, tally in sorted(self._shapes.items())
        ]
        execute(_SQL["add_shapes"], _columns(rows))
        if self._findings:
            found = [[*place, seen] for place, seen in sorted(self._findings.items())]
            execute(_SQL["add_findings"], _columns(found))
        hours = [[*at, *msgspec.structs.astuple(one)] for at, one in sorted(self._hours.items())]
        execute(_SQL["add_quality"], _columns(hours))

    def _look(self, activities: Sequence[Activity]) -> None:
        days = sorted({each.received_at.date() for each in activities})
        sources = sorted({each.source_id for each in activities})
        names = sorted({_name(each) for each in activities})
        for source_id, kind, name, path in self._connection.execute(
            _SQL["shape_paths"], [days, sources, names]
        ):
            self._known.setdefault((source_id, kind, name), set()).add(path)

    def _read(self, each: Activity) -> None:
        event = (each.received_at.date(), each.source_id, each.type, _name(each))
        self._shapes.setdefault((*event, ""), _Tally()).see((), (), each.received_at)
        kinds: dict[str, set[str]] = {}
        numbers: dict[str, list[float]] = {}
        for path, value in iter_values(each.properties):
            place = self._place(event, path)
            kinds.setdefault(place, set()).add(type_of(value))
            if type_of(value) == "number":
                numbers.setdefault(place, []).append(float(value))
        for path, types in kinds.items():
            tally = self._shapes.setdefault((*event, path), _Tally())
            tally.see(types - {"null"} or types, numbers.get(path, ()), each.received_at)
        self._find(each, event)

    def _place(self, event: _Event, path: str) -> str:
        if list_kinds(path):
            return NAMELESS
        known = self._known.setdefault(event[1:], set())
        if path not in known:
            if len(known) >= _MOST_PATHS:
                return _OTHER
            known.add(path)
        return path

    def _find(self, each: Activity, event: _Event) -> None:
        said = each.context.get("amity")
        broken = said.get("violations") if isinstance(said, dict) else None
        if isinstance(broken, dict):
            for path, rule in broken.items():
                self._findings[(*event, self._place(event, path), str(rule)[:40])] += 1
        for path, kind in set(iter_warnings(each.properties, each.context)):
            self._findings[(*event, self._place(event, path), kind)] += 1
        hour = each.received_at.replace(minute=0, second=0, microsecond=0)
        tally = self._hours.setdefault((hour, each.source_id), _Hour())
        tally.events += 1
        tally.late += each.received_at - each.occurred_at > LATE
        tally.violating += bool(broken)
        tally.last_at = max(tally.last_at or each.received_at, each.received_at)


def _name(each: Activity) -> str:
    return each.name if each.type == "track" else ""


def _columns(rows: list[list[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def list_shapes(*, limit: int = 500) -> list[EventShape]:
    """Return the events that came, the most frequent first."""
    arguments = {"personal": list(PERSONAL), "limit": limit}
    with transaction() as connection:
        rows = connection.execute(_SQL["list_shapes"], arguments).fetchall()
    names = EventShape.__struct_fields__
    return [EventShape(**dict(zip(names, row, strict=True))) for row in rows]


def get_shape(*, type: str, name: str, source_id: int | None = None) -> list[ShapeField]:
    """Return the properties an event came with, by path; "" is the event itself.

    Empty when it never came.
    """
    asked = {"type": type, "name": name, "source_id": source_id}
    with transaction() as connection:
        rows = connection.execute(_SQL["read_shape"], asked).fetchall()
    events = next((row[1] for row in rows if row[0] == ""), 0)
    return [
        ShapeField(
            path=row[0],
            seen=row[1],
            filled_rate=max(row[2:7]) / events if row[0] and events else 1.0,
            types={word: count for word, count in zip(_TYPES, row[2:7], strict=True) if count},
            least=row[7],
            most=row[8],
            first_at=row[9],
            last_at=row[10],
        )
        for row in rows
    ]


def list_findings(
    *,
    source_id: int | None = None,
    type: str | None = None,
    name: str = "",
) -> list[Finding]:
    """Return what was against plans and which personal data was misplaced, most often first."""
    asked = {"source_id": source_id, "type": type, "name": name}
    with transaction() as connection:
        rows = connection.execute(_SQL["list_findings"], asked).fetchall()
    names = Finding.__struct_fields__
    return [Finding(**dict(zip(names, row, strict=True))) for row in rows]
