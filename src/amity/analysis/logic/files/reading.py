"""Reading a CSV file by the options of an estimate: good rows are used, bad ones explained."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TextIO

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import CellKind, Option, RejectedRow
from amity.analysis.estimator import IntArray
from amity.analysis.file_estimate import Cells, Options, Table
from amity.analysis.logic.files.cells import BLANKS, MAX_DECIMALS, PARSERS, BadCell, parse_text
from amity.kernel.errors import Invalid

MAX_LISTED: Final = 1_000
_SEPARATORS: Final = (",", ";", "\t", "|")
_REMEMBERED: Final = 100_000
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
"""How files in UTF-16 begin, which some spreadsheets call "Unicode text"."""
_NO_TEXT: Final = {
    b"PK\x03\x04": "is a workbook or an archive: save the sheet as CSV",
    b"\x1f\x8b": "is compressed: unpack it",
}
_COMMA: Final = re.compile(r"([+-]?(?:\d{1,3}(?:\.\d{3})+|\d+))(?:,(\d*))?", re.ASCII)
_NUMBERS: Final = ("amount", "number", "count")
_LONG: Final = 50
"""Lines of one row from which it looks as if a quote were not closed."""

FORM: Final = (
    Option(
        name="encoding",
        kind="text",
        help="How the text is written, such as cp1252. "
        "[default: UTF-8, or UTF-16 where the file begins so]",
    ),
    Option(
        name="decimal_comma", kind="flag", help="Numbers are written 1.234,50 instead of 1234.50."
    ),
)
"""Options of every estimate: how its file is written."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written."""

    encoding: str | None = None
    has_decimal_comma: bool = False

    @staticmethod
    def of(chosen: Options) -> "Form":
        """Read the options above; raise Invalid for an encoding there is not."""
        encoding = chosen.text("encoding") if chosen.is_given("encoding") else None
        try:
            is_text = encoding is None or codecs.lookup(encoding)._is_text_encoding
        except LookupError:
            is_text = False
        if not is_text:
            raise Invalid(f"there is no encoding {encoding!r}; one is called cp1252")
        return Form(encoding=encoding, has_decimal_comma=chosen.is_given("decimal_comma"))


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A column to read: the option that names it, its head, and how its cells are read."""

    option: str
    head: str
    kind: CellKind
    may_be_blank: bool = False
    is_one_of_several: bool = False
    found_as: tuple[str, ...] = ()
    """Nobody named it: it is read where there is one column of such a head, in any case."""


class _Reader(Protocol):
    """What `csv.reader` returns."""

    @property
    def line_num(self) -> int:
        """The number of the line last read."""

    def __next__(self) -> list[str]: ...


def list_wanted(options: Sequence[Option], chosen: Options) -> list[Wanted]:
    """Return the columns the chosen options name; raise Invalid when one is named twice."""
    wanted = []
    for option in options:
        if option.kind == "columns":
            heads = chosen.texts(option.name)
        elif option.kind == "column" and chosen.is_given(option.name):
            heads = (chosen.text(option.name),)
        elif option.found_as:
            heads = ("",)
        else:
            continue
        wanted += [
            Wanted(
                option=option.name,
                head=head,
                kind=option.cells or "text",
                may_be_blank=option.may_be_blank,
                is_one_of_several=option.kind == "columns",
                found_as=() if head else option.found_as,
            )
            for head in heads
        ]
    _refuse_named_twice(wanted)
    return wanted


def _refuse_named_twice(wanted: Sequence[Wanted]) -> None:
    named: dict[str, str] = {}
    for column in wanted:
        if column.is_one_of_several or column.found_as:
            continue
        other = named.setdefault(column.head, column.option)
        if other != column.option:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in (other, column.option))
            raise Invalid(f"column {column.head!r} is named by {options}", code="no_column")


def read_table(
    path: Path,
    wanted: Sequence[Wanted],
    *,
    reads_others: bool = False,
    form: Form | None = None,
) -> Table:
    """Read a file with a header line, separated by commas, semicolons, tabs or bars.

    Without another ``form`` the text is UTF-8, or UTF-16 with its mark. Raises Invalid when a
    column is not there, and OSError when the file cannot be read.
    """
    form = form or Form()
    with path.open("rb") as raw:
        begin = raw.read(4)
    for mark, reason in _NO_TEXT.items():
        if begin.startswith(mark):
            raise Invalid(f"{path.name} {reason}")
    encoding = form.encoding or ("utf-16" if begin[:2] in _WIDE else "utf-8-sig")
    # Bytes that are not UTF-8 become surrogates, so that only the rows that hold them are refused.
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        reader, heads = _open(file, path, [each for each in wanted if not each.found_as])
        reading = _Reading(
            path.name, reader, heads, _find(wanted, heads), reads_others=reads_others
        )
        reading.has_decimal_comma = form.has_decimal_comma
        return reading.run()


def _open(file: TextIO, path: Path, wanted: Sequence[Wanted]) -> tuple[_Reader, list[str]]:
    likeliest: list[str] = []
    for separator in _SEPARATORS:
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        heads = _read_heads(reader, path)
        if all(column.head in heads for column in wanted):
            break
        likeliest = max(likeliest, heads, key=len)
    else:
        _refuse_heads(likeliest, path, [column.head for column in wanted])
    for column in wanted:
        if heads.count(column.head) > 1:
            raise Invalid(f"{path.name} has more than one column {column.head!r}", code="no_column")
    return reader, heads


def _read_heads(reader: _Reader, path: Path) -> list[str]:
    """Return the first line that says anything, less what tells spreadsheets the separator."""
    while True:
        try:
            heads = [head.strip() for head in next(reader)]
        except StopIteration:
            raise Invalid(f"{path.name} is empty: its first line must name the columns") from None
        except csv.Error as error:
            raise Invalid(f"the first line of {path.name} is not CSV: {error}") from error
        except UnicodeError as error:
            raise _not_wide(path.name) from error
        if any(heads) and not (len(heads) <= 2 and heads[0].lower().startswith("sep=")):
            return heads


def _find(wanted: Sequence[Wanted], heads: list[str]) -> list[Wanted]:
    """Return the columns named, and those that nobody named but that are there."""
    found = [each for each in wanted if not each.found_as]
    taken = {each.head for each in found}
    for each in wanted:
        alike = [head for head in heads if head.casefold() in each.found_as and head not in taken]
        if len(alike) == 1:
            found.append(msgspec.structs.replace(each, head=alike[0]))
    return found


def _not_wide(file_name: str) -> Invalid:
    return Invalid(f"{file_name} is not UTF-16 text, though it begins so")


def _refuse_heads(heads: list[str], path: Path, wanted: list[str]) -> None:
    """Raise Invalid with the columns there are, read with the likeliest separator."""
    missing = ", ".join(repr(name) for name in wanted if name not in heads)
    there = ", ".join(repr(head[:60]) for head in heads[:50])
    raise Invalid(
        f"{path.name} has no column {missing}; the columns there are: {there}", code="no_column"
    )


def from_comma(text: str, *, is_number: bool) -> str:
    """Return a number written 1.234,50 as 1234.50, and other text as it is.

    Where there must be a number, one with a point for decimals is refused: it is not known which
    of the two the point means.
    """
    match = _COMMA.fullmatch(text)
    if match is not None:
        return match[1].replace(".", "") + (f".{match[2]}" if match[2] else "")
    if is_number and "." in text:
        raise BadCell(f"its number is {text[:40]!r}, not one like 1.234,50")
    return text


class _Column:
    """What was read of one column so far; equal cells are looked at once."""

    def __init__(self, wanted: Wanted, place: int) -> None:
        self.wanted = wanted
        self.place = place
        self.parse = PARSERS[wanted.kind]
        self.known: dict[str, object] = {}
        self.read: list[object] = []

    def look(self, text: str, *, has_decimal_comma: bool = False) -> object:
        """Return what a cell says; raise BadCell."""
        if has_decimal_comma and self.wanted.kind in (*_NUMBERS, "text"):
            text = from_comma(text, is_number=self.wanted.kind in _NUMBERS)
        found = self.known.get(text)
        if found is None:
            if len(self.known) > _REMEMBERED:
                self.known.clear()
            if not text and self.wanted.may_be_blank and self.wanted.kind in BLANKS:
                found = BLANKS[self.wanted.kind]
            else:
                found = self.parse(text, self.wanted.option.replace("_", " "))
            self.known[text] = found
        return found

    def finish(self) -> Cells:
        """Return the column as arrays."""
        kind, head = self.wanted.kind, self.wanted.head
        if kind in ("name", "text"):
            return _factorise(head, kind, self.read)
        if kind == "amount":
            return _scale(head, self.read)
        if kind == "number":
            return Cells(head=head, kind=kind, values=np.array(self.read, np.float64))
        return Cells(head=head, kind=kind, values=np.array(self.read, np.int64))


def _factorise(head: str, kind: CellKind, read: list[object]) -> Cells:
    places: dict[str, int] = {}
    codes: list[int] = []
    for text in read:
        assert isinstance(text, str)
        codes.append(places.setdefault(text, len(places)))
    return Cells(head=head, kind=kind, values=np.array(codes, np.int64), names=list(places))


def _scale(head: str, read: list[object]) -> Cells:
    """Return amounts with the finest number of decimals in the file, two at least."""
    pairs: IntArray = np.array(read, np.int64).reshape(-1, 2)
    decimals = max(2, int(pairs[:, 1].max(initial=0)))
    return Cells(
        head=head,
        kind="amount",
        values=pairs[:, 0] // 10 ** (MAX_DECIMALS - decimals),
        minor_per_unit=10**decimals,
    )


class _Reading:
    """One pass over the rows."""

    def __init__(
        self,
        file_name: str,
        reader: _Reader,
        heads: list[str],
        wanted: Sequence[Wanted],
        *,
        reads_others: bool,
    ) -> None:
        self.file_name = file_name
        self.reader = reader
        self.columns = [_Column(column, heads.index(column.head)) for column in wanted]
        taken = {column.place for column in self.columns}
        others = [place for place in range(len(heads)) if place not in taken] * reads_others
        self.others: list[tuple[str, int, list[str]]] = [
            (heads[place] or f"column {place + 1}", place, []) for place in others
        ]
        self.width = max([0, *taken, *others])
        self.row: list[int] = []
        self.rows = 0
        self.rejected_count = 0
        self.rejected: list[RejectedRow] = []
        self.has_decimal_comma = False
        self.long_row: tuple[int, int, int] | None = None

    def run(self) -> Table:
        """Read to the end."""
        for cells in self._rows():
            self.rows += 1
            try:
                self._take(cells)
            except BadCell as bad:
                self._reject(str(bad))
        several: dict[str, list[Cells]] = {}
        single: dict[str, Cells] = {}
        for column in self.columns:
            if column.wanted.is_one_of_several:
                several.setdefault(column.wanted.option, []).append(column.finish())
            else:
                single[column.wanted.option] = column.finish()
        return Table(
            file_name=self.file_name,
            columns=single,
            several=several,
            others={head: texts for head, _, texts in self.others},
            row=np.array(self.row, np.int64),
            rows=self.rows,
            rejected_count=self.rejected_count,
            rejected=self.rejected,
            long_row=self.long_row,
        )

    def _rows(self) -> Iterator[list[str]]:
        while True:
            line = self.reader.line_num
            try:
                cells = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.rows += 1
                self._note_length(line, self.rows)
                self._reject(f"it is not CSV: {error}")
                continue
            except UnicodeError as error:
                raise Invalid(
                    f"{self.file_name} is not UTF-16 text, though it begins so"
                ) from error
            if cells:
                self._note_length(line, self.rows + 1)
                yield cells

    def _note_length(self, before: int, row: int) -> None:
        """Keep the first row that goes on for so many lines that its quote may not be closed."""
        if self.reader.line_num - before >= _LONG and self.long_row is None:
            self.long_row = row, before + 1, self.reader.line_num

    def _reject(self, reason: str) -> None:
        self.rejected_count += 1
        if len(self.rejected) < MAX_LISTED:
            self.rejected.append(
                RejectedRow(row=self.rows, line=self.reader.line_num, reason=reason)
            )

    def _take(self, cells: list[str]) -> None:
        if len(cells) <= self.width:
            raise BadCell(f"it has {len(cells)} cells, the header more")
        comma = self.has_decimal_comma
        found = [
            column.look(cells[column.place].strip(), has_decimal_comma=comma)
            for column in self.columns
        ]
        texts = [parse_text(cells[place].strip(), head) for head, place, _ in self.others]
        if comma:
            texts = [from_comma(text, is_number=False) for text in texts]
        for column, said in zip(self.columns, found, strict=True):
            column.read.append(said)
        for (_, _, kept), text in zip(self.others, texts, strict=True):
            kept.append(text)
        self.row.append(self.rows)
