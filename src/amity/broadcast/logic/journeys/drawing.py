"""Journeys as people draw them: made, changed, put live, paused, archived, and read in numbers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from psycopg.types.json import Jsonb

from amity.analysis import api as analysis
from amity.broadcast.contracts import Enrolment, Journey, JourneyState, NodeWords
from amity.broadcast.logic.journeys.definition import check_shape, describe, find_problems
from amity.broadcast.node import Names, load_nodes
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor

_SQL: Final = queries.load("amity.broadcast")
_MOST: Final = 1000
_LONGEST_NAME: Final = 100
_LONGEST_TEXT: Final = 1000
_INT4: Final = 2**31
_MOST_SAID: Final = 20
T = TypeVar("T")

_WAYS: Final[dict[JourneyState, frozenset[JourneyState]]] = {
    "draft": frozenset({"live", "archived"}),
    "live": frozenset({"paused", "archived"}),
    "paused": frozenset({"live", "archived"}),
    "archived": frozenset(),
}


def create_journey(
    *, name: str, description: str, definition: dict[str, Any], by: str, now: datetime
) -> Journey:
    """Add a draft; see `api.create_journey`."""
    plain = _name(name)
    arguments = {"name": plain, "description": _text(description), "by": by, "now": now}
    drawing = check_shape(definition)
    names = load_names()

    def write(connection: Connection) -> Journey:
        row = connection.execute(_SQL["journeys_begin"], arguments).fetchone()
        assert row is not None
        _add_version(connection, row[0], 1, drawing, by, now)
        return read_journey(connection, names, row[0])

    return _write(plain, write)


def update_journey(  # one argument a thing that can be changed
    *,
    journey_id: int,
    name: str | None,
    description: str | None,
    definition: dict[str, Any] | None,
    by: str,
    now: datetime,
) -> Journey:
    """Change what is given; see `api.update_journey`."""
    if definition is not None:
        check_shape(definition)
    names = load_names()

    def write(connection: Connection) -> Journey:
        _lock(connection, journey_id)
        held = read_journey(connection, names, journey_id)
        if held.state == "archived":
            raise Conflict("an archived journey does not change", code="journey_archived")
        version = held.version
        if definition is not None and definition != held.definition:
            if held.state != "draft":
                _refuse_problems(find_problems(definition, names))
            version += 1
            _add_version(connection, journey_id, version, definition, by, now)
        connection.execute(
            _SQL["journeys_change"],
            {
                "journey_id": journey_id,
                "name": held.name if name is None else _name(name),
                "description": held.description if description is None else _text(description),
                "version": version,
                "now": now,
            },
        )
        return read_journey(connection, names, journey_id)

    return _write(name or "", write)


def set_journey_state(*, journey_id: int, state: JourneyState, by: str, now: datetime) -> Journey:
    """Put a journey live, pause or archive it; see `api.set_journey_state`."""
    names = load_names()
    with transaction() as connection:
        _lock(connection, journey_id)
        held = read_journey(connection, names, journey_id)
        if state == held.state:
            return held
        if state not in _WAYS[held.state]:
            raise Conflict(
                f"a journey that is {held.state} cannot become {state}", code="journey_state"
            )
        if state == "live":
            _refuse_problems(held.problems)
        arguments = {"journey_id": journey_id, "state": state, "now": now, "ending": state}
        connection.execute(_SQL["journeys_set_state"], arguments)
        if state == "archived":
            connection.execute(_SQL["journeys_end_all"], arguments)
            connection.execute(_SQL["journeys_cancel_sends"], arguments)
        return read_journey(connection, names, journey_id)


def get_journey(*, journey_id: int) -> Journey:
    """Return a journey, archived or not; raise NotFound when there is none."""
    names = load_names()
    with transaction("readonly") as connection:
        return read_journey(connection, names, journey_id)


def find_journey(*, name: str) -> Journey | None:
    """Return the journey of that name that is not archived, or None."""
    names = load_names()
    with transaction("readonly") as connection:
        found = _read(connection, names, name=_plain(name), is_archived=False)
        return found[0] if found else None


def list_journeys(*, is_archived: bool | None) -> list[Journey]:
    """Return the journeys by name; with True those archived, with None all."""
    names = load_names()
    with transaction("readonly") as connection:
        return _read(connection, names, is_archived=is_archived)


def check_definition(*, definition: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a drawing in words, and what keeps it from going live."""
    drawing = check_shape(definition)
    names = load_names()
    return describe(drawing, names), find_problems(drawing, names)


def list_enrolments(
    *,
    journey_id: int | None,
    profile_ids: list[int] | None,
    node: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Enrolment]:
    """Return ways, the latest to begin first; see `api.list_enrolments`."""
    if not 1 <= limit <= _MOST:
        raise Invalid(f"a page has 1 to {_MOST:,} rows", code="bad_limit")
    arguments = {
        "journey_id": journey_id,
        "profile_ids": profile_ids,
        "node": None if node is None else _plain(node),
        "after": decode_cursor(cursor, (int,))[0] if cursor else None,
        "limit": limit + 1,
    }
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["journeys_enrolments"], arguments).fetchall()
    fields = Enrolment.__struct_fields__
    items = [Enrolment(**dict(zip(fields, row, strict=True))) for row in rows[:limit]]
    more = encode_cursor([items[-1].enrolment_id]) if len(rows) > limit else None
    return Page(items, more)


def list_node_kinds() -> list[NodeWords]:
    """Return the kinds of nodes, by name."""
    kinds = load_nodes()
    return [
        NodeWords(
            kind=name,
            title=kinds[name].title,
            words=kinds[name].about,
            settings=kinds[name].setting_words,
            edges=list(kinds[name].edge_names),
        )
        for name in sorted(kinds.names())
    ]


def abandoned_cart(*, template_id: int) -> dict[str, Any]:
    """Return the ready-made drawing; see `api.abandoned_cart`."""
    return {
        "entry": {"event": "Product Added", "within_hours": 24},
        "exit": {"event": "Order Completed"},
        "reentry_days": 7,
        "start": "an hour",
        "nodes": {
            "an hour": {"kind": "wait", "seconds": 3600, "next": "ordered?"},
            "ordered?": {
                "kind": "branch",
                "did": "Order Completed",
                "since": "entry",
                "yes": "",
                "no": "reminder",
            },
            "reminder": {"kind": "email", "template_id": template_id, "next": ""},
        },
    }


def _write(name: str, work: Callable[[Connection], T]) -> T:
    try:
        with transaction() as connection:
            return work(connection)
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"there is a journey named {name!r} already", code="name_taken") from error


def _lock(connection: Connection, journey_id: int) -> None:
    """Wait for a turn under way, and let none begin."""
    found = None
    if 0 < journey_id < _INT4:
        found = connection.execute(_SQL["journeys_lock"], [journey_id]).fetchone()
    if found is None:
        raise NotFound(f"there is no journey {journey_id}")


def _add_version(
    connection: Connection,
    journey_id: int,
    version: int,
    definition: dict[str, Any],
    by: str,
    now: datetime,
) -> None:
    connection.execute(
        _SQL["journeys_add_version"],
        {
            "journey_id": journey_id,
            "version": version,
            "definition": Jsonb(definition),
            "by": by,
            "now": now,
        },
    )


def read_journey(connection: Connection, names: Names, journey_id: int) -> Journey:
    """Return a journey in the caller's transaction; raise NotFound when there is none."""
    found = _read(connection, names, ids=[journey_id]) if 0 < journey_id < _INT4 else []
    if not found:
        raise NotFound(f"there is no journey {journey_id}")
    return found[0]


def _read(
    connection: Connection,
    names: Names,
    *,
    ids: list[int] | None = None,
    name: str | None = None,
    is_archived: bool | None = None,
) -> list[Journey]:
    arguments = {"ids": ids, "name": name, "is_archived": is_archived}
    rows = connection.execute(_SQL["journeys_read"], arguments).fetchall()
    return [
        Journey(
            journey_id=row[0],
            name=row[1],
            description=row[2],
            version=row[3],
            state=row[4],
            definition=row[5],
            words=describe(row[5], names),
            problems=find_problems(row[5], names),
            created_by=row[6],
            created_at=row[7],
            updated_at=row[8],
        )
        for row in rows
    ]


def load_names() -> Names:
    """Return what drawings may name."""
    segments = {segment.segment_id: segment.name for segment in analysis.list_segments()}
    with transaction("readonly") as connection:
        templates = dict(connection.execute(_SQL["journeys_templates"]).fetchall())
    return Names(templates=templates, segments=segments)


def _refuse_problems(problems: list[str]) -> None:
    if problems:
        said = "; ".join(problems[:_MOST_SAID])
        more = len(problems) - _MOST_SAID
        said += f"; and {more:,} more" if more > 0 else ""
        raise Invalid(f"the journey cannot go live: {said}", code="bad_journey")


def _name(name: str) -> str:
    stripped = _plain(name.strip())
    if not 1 <= len(stripped) <= _LONGEST_NAME:
        raise Invalid(f"a name has 1 to {_LONGEST_NAME} characters", code="bad_name")
    return stripped


def _text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise Invalid(
            f"the description is longer than {_LONGEST_TEXT:,} characters", code="bad_description"
        )
    return _plain(text)


def _plain(text: str) -> str:
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise Invalid("a text holds half a character", code="bad_text") from error
    if b"\0" in encoded:
        raise Invalid("a text holds a NUL", code="bad_text")
    return text
