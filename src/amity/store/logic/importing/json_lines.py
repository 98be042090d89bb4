"""Reading JSON lines: one object a line, objects inside it as columns with a dot in the name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from amity.kernel.errors import Invalid
from amity.store.logic.importing.cells import flatten
from amity.store.logic.importing.layout import MAX_COLUMNS, Layout, RawRow, check_headings

_LINE_BYTES: Final = 1 << 20
# A number stays the text it is: 12.50 is not 12.5 to whoever counts money.
_DECODE: Final = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode


def is_mine(head: bytes) -> bool:
    """Say whether a file that begins so holds JSON objects."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def read_layout(path: Path) -> Layout:
    """Find the names of all objects; reads the whole file, since a name may come last."""
    columns: dict[str, None] = {}
    rows = 0
    for _, cells, _ in _iter(path):
        rows += 1
        columns.update(dict.fromkeys(cells))
        if len(columns) > MAX_COLUMNS:
            raise Invalid(f"the file has more than {MAX_COLUMNS} different names")
    columns.pop("", None)
    if not columns:
        raise Invalid("no line of the file is a JSON object", code="bad_file")
    check_headings(list(columns))
    return Layout(columns=list(columns), format="json lines", encoding="utf-8", rows=rows)


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the objects in order; blank lines are none."""
    for number, cells, problem in _iter(path):
        if problem:
            yield RawRow(number, [], problem)
        else:
            yield RawRow(number, [cells.get(column, "") for column in layout.columns])


def _iter(path: Path) -> Iterator[tuple[int, dict[str, str], str]]:
    number = 0
    with path.open("rb") as file:
        while line := file.readline(_LINE_BYTES + 1):
            is_whole = len(line) <= _LINE_BYTES
            while not is_whole and line and not line.endswith(b"\n"):
                line = file.readline(_LINE_BYTES)
            if is_whole and not line.strip().removeprefix(b"\xef\xbb\xbf"):
                continue
            number += 1
            if is_whole:
                yield number, *_read(line.removeprefix(b"\xef\xbb\xbf"))
            else:
                yield number, {}, f"the line is longer than {_LINE_BYTES:,} bytes"


def _read(line: bytes) -> tuple[dict[str, str], str]:
    try:
        return flatten(_DECODE(line)), ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return {}, f"the line is not a JSON object ({error})"
