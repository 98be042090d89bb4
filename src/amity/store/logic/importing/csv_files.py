"""Reading a CSV file as the world writes it: its encoding, its delimiter, its rows, streamed."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from amity.kernel.cells import unguard_cell
from amity.kernel.errors import Invalid
from amity.store.logic.importing.layout import Layout, RawRow, check_headings, fit_row

_CHUNK: Final = 1 << 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_SNIFF_ROWS: Final = 20
_SNIFF_CHARACTERS: Final = 256_000
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CELL_CHARACTERS: Final = 131_072


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
    check_headings(columns)
    return Layout(encoding=encoding, delimiter=delimiter, columns=columns, notes=notes)


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
                stripped = [unguard_cell(cell.strip()) for cell in cells]
                yield fit_row(number, stripped, width)


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
