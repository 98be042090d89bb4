"""Where a pull stands: the values of the cursor and the key of its last row, kept by type. Pure."""

import base64
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.kernel.errors import Invalid
from amity.store.logic.importing.cells import cell_text

_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:([ T])(\d\d:\d\d:\d\d))?", re.ASCII)
_READ: Final[dict[str, Callable[[str], Any]]] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "text": str,
    "uuid": UUID,
    "bytes": base64.b64decode,
}
_AHEAD: Final = timedelta(days=1)


class Position(msgspec.Struct, frozen=True):
    """After which row to go on: values of the cursor and the key as (kind, text).

    ``is_open`` says that the run which got here had more to read.
    """

    values: list[tuple[str, str]]
    is_open: bool = False


def make_position(values: list[Any], *, is_open: bool) -> Position:
    """Return where a run stands after a row with these values of cursor and key."""
    return Position([_write(value) for value in values], is_open)


def read_position(position: Position) -> list[Any]:
    """Return the values again as the database gave them."""
    return [_READ[kind](text) for kind, text in position.values]


def _write(value: Any) -> tuple[str, str]:
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes", base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return "time", value.isoformat()
    plain: dict[type, str] = {
        int: "int",
        float: "float",
        Decimal: "decimal",
        date: "date",
        str: "text",
        UUID: "uuid",
    }
    kind = plain.get(type(value))
    if kind is None:
        name = type(value).__name__
        raise Invalid(f"a column of type {name} can be neither cursor nor key", code="bad_cursor")
    return kind, repr(value) if kind == "float" else str(value)


def go_back(cursor: Any, overlap: int) -> Any:
    """Return from where a new run reads, so that it meets what was committed late.

    Seconds before a time (also one written as ISO 8601 text), numbers before a number; from a
    text that is no time nothing can be taken away.
    """
    if isinstance(cursor, bool) or not overlap:
        return cursor
    try:
        if isinstance(cursor, datetime):
            return cursor - timedelta(seconds=overlap)
        if isinstance(cursor, date):
            return cursor - timedelta(days=-(-overlap // 86_400))
        if isinstance(cursor, int | Decimal | float):
            return cursor - overlap
    except OverflowError:
        return cursor
    return _go_back_text(cursor, overlap)


def _go_back_text(cursor: Any, overlap: int) -> Any:
    found = _ISO.match(cursor) if isinstance(cursor, str) else None
    if found is None:
        return cursor
    day, between, clock = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}") - timedelta(seconds=overlap)
    except (ValueError, OverflowError):
        return cursor
    return moment.strftime(f"%Y-%m-%d{between}%H:%M:%S") if between else moment.date().isoformat()


def latest(kind: str, now: datetime) -> datetime | None:
    """Return the time after which rows wait: one dated by mistake must not carry the rest away.

    A day ahead of now, as nobody says in which zone a time without one is.
    """
    return now + _AHEAD if kind == "time" else None


def describe_position(position: Position | None) -> str:
    """Return the cursor for people."""
    return cell_text(read_position(position)[0]) if position else ""
