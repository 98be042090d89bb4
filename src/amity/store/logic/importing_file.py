"""Reading a CSV file as the world writes it: its encoding, its delimiter, its rows, streamed."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from amity.kernel.cells import unguard_cell
from amity.kernel.errors import Invalid

_CHUNK: Final = 1 << 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_SNIFF_ROWS: Final = 20
_SNIFF_CHARACTERS: Final = 256_000
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MAX_COLUMNS: Final = 1_000
_CELL_CHARACTERS: Final = 131_072


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written, and its headings."""

    encoding: str
    delimiter: str
    columns: list[str]
    notes: list[str]


class RawRow(msgspec.Struct, frozen=True):
    """One data row: its number from 1, and its cells, or what is wrong with it."""

    number: int
    cells: list[str]
    problem: str = ""


def read_layout(path: Path) -> Layout:
    """Find out how a file is written; raise Invalid when it cannot be a table.

    Reads the whole file once, since a letter that is not UTF-8 may come last.
    """
    encoding, notes = _find_encoding(path)
    delimiter = _find_delimiter(path, encoding)
    with _open(path, encoding) as text:
        try:
            heading = next(_read(text, delimiter), [])
        except csv.Error as error:
            raise Invalid(f"the first row cannot be read ({error})", code="bad_file") from error
    columns = [unguard_cell(cell.strip()) for cell in heading]
    if not any(columns):
        raise Invalid("the file is empty: its first row must hold the headings", code="empty_file")
    if len(columns) > MAX_COLUMNS:
        raise Invalid(f"the file has {len(columns)} columns; at most {MAX_COLUMNS} are read")
    _refuse_bad_headings(columns)
    return Layout(encoding=encoding, delimiter=delimiter, columns=columns, notes=notes)


def _refuse_bad_headings(columns: list[str]) -> None:
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise Invalid(f"more than one column is called {', '.join(map(repr, twice))}")
    if "" in columns[:-1]:
        raise Invalid(f"column {columns.index('') + 1} has no heading")


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the data rows in order, the formula guard taken off; blank lines are not rows."""
    number = 0
    width = len(layout.columns)
    with _open(path, layout.encoding) as text:
        reader = _read(text, layout.delimiter)
        next(reader, None)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                yield RawRow(number, [], f"it cannot be read ({error}); is a quote missing?")
                continue
            if any(cells):
                number += 1
                yield _make_row(number, cells, width)


def _make_row(number: int, cells: list[str], width: int) -> RawRow:
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if len(cells) != width:
        return RawRow(number, [], f"it has {len(cells)} cells, and there are {width} headings")
    return RawRow(number, [unguard_cell(cell.strip()) for cell in cells])


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[io.TextIOBase]:
    # cp1252 leaves five bytes without a meaning; they become U+FFFD instead of ending the run.
    with path.open(encoding=encoding, newline="", errors="replace") as text:
        yield text


def _read(text: io.TextIOBase, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_CELL_CHARACTERS)
    return csv.reader(text, delimiter=delimiter)


def _find_encoding(path: Path) -> tuple[str, list[str]]:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(_UTF16):
            return "utf-16", []
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            note = "The file is not UTF-8; it was read as Windows-1252 (Western European)."
            return "cp1252", [note]
    return "utf-8-sig", []


def _find_delimiter(path: Path, encoding: str) -> str:
    """Take the delimiter that cuts the first rows into most columns, all equally many."""
    with _open(path, encoding) as text:
        start = text.read(_SNIFF_CHARACTERS)
    scores = {delimiter: _count_columns(start, delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: scores[delimiter])


def _count_columns(text: str, delimiter: str) -> tuple[int, int]:
    """Return (columns of the heading that the next rows agree with, columns of the heading)."""
    rows = []
    reader = _read(io.StringIO(text, newline=""), delimiter)
    try:
        for row in reader:
            rows.append(row)
            if len(rows) == _SNIFF_ROWS:
                break
    except csv.Error:
        pass
    if not rows:
        return 0, 0
    width = len(rows[0])
    agreeing = sum(len(row) == width for row in rows[1:])
    return (width if 2 * agreeing >= len(rows) - 1 else 1), width
