"""Reading a CSV file by the options of an estimate: good rows are used, bad ones explained."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A column to read: the option that names it, its head, and how its cells are read."""

    option: str
    head: str
    kind: CellKind
    may_be_blank: bool = False
    is_one_of_several: bool = False


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
        else:
            continue
        wanted += [
            Wanted(
                option=option.name,
                head=head,
                kind=option.cells or "text",
                may_be_blank=option.may_be_blank,
                is_one_of_several=option.kind == "columns",
            )
            for head in heads
        ]
    return wanted


def read_table(path: Path, wanted: Sequence[Wanted], *, reads_others: bool = False) -> Table:
    """Read a file with a header line, separated by commas, semicolons, tabs or bars.

    The text is UTF-8, or UTF-16 with its mark. Raises Invalid when a column is not there, and
    OSError when the file cannot be read.
    """
    with path.open("rb") as raw:
        encoding = "utf-16" if raw.read(2) in _WIDE else "utf-8-sig"
    # Bytes that are not UTF-8 become surrogates, so that only the rows that hold them are refused.
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        reader, heads = _open(file, path, wanted)
        return _Reading(path.name, reader, heads, wanted, reads_others=reads_others).run()


def _open(file: TextIO, path: Path, wanted: Sequence[Wanted]) -> tuple[_Reader, list[str]]:
    try:
        first = file.readline()
    except UnicodeError as error:
        raise _not_wide(path.name) from error
    if not first.strip():
        raise Invalid(f"{path.name} is empty: its first line must name the columns")
    heads: list[str] = []
    for separator in _SEPARATORS:
        heads = [head.strip() for head in next(csv.reader([first], delimiter=separator))]
        if all(column.head in heads for column in wanted):
            break
    else:
        _refuse_heads(first, path, [column.head for column in wanted])
    for column in wanted:
        if heads.count(column.head) > 1:
            raise Invalid(f"{path.name} has more than one column {column.head!r}", code="no_column")
    reader = csv.reader(chain([first], file), delimiter=separator)
    next(reader)
    return reader, heads


def _not_wide(file_name: str) -> Invalid:
    return Invalid(f"{file_name} is not UTF-16 text, though it begins so")


def _refuse_heads(first: str, path: Path, wanted: list[str]) -> None:
    """Raise Invalid with the columns there are, read with the likeliest separator."""
    separator = max(_SEPARATORS, key=first.count)
    heads = [head.strip() for head in next(csv.reader([first], delimiter=separator))]
    missing = ", ".join(repr(name) for name in wanted if name not in heads)
    there = ", ".join(repr(head[:60]) for head in heads[:50])
    raise Invalid(
        f"{path.name} has no column {missing}; the columns there are: {there}", code="no_column"
    )


class _Column:
    """What was read of one column so far; equal cells are looked at once."""

    def __init__(self, wanted: Wanted, place: int) -> None:
        self.wanted = wanted
        self.place = place
        self.parse = PARSERS[wanted.kind]
        self.known: dict[str, object] = {}
        self.read: list[object] = []

    def look(self, text: str) -> object:
        """Return what a cell says; raise BadCell."""
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
        )

    def _rows(self) -> Iterator[list[str]]:
        while True:
            try:
                cells = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.rows += 1
                self._reject(f"it is not CSV: {error}")
                continue
            except UnicodeError as error:
                raise Invalid(
                    f"{self.file_name} is not UTF-16 text, though it begins so"
                ) from error
            if cells:
                yield cells

    def _reject(self, reason: str) -> None:
        self.rejected_count += 1
        if len(self.rejected) < MAX_LISTED:
            self.rejected.append(
                RejectedRow(row=self.rows, line=self.reader.line_num, reason=reason)
            )

    def _take(self, cells: list[str]) -> None:
        if len(cells) <= self.width:
            raise BadCell(f"it has {len(cells)} cells, the header more")
        found = [column.look(cells[column.place].strip()) for column in self.columns]
        texts = [parse_text(cells[place].strip(), head) for head, place, _ in self.others]
        for column, said in zip(self.columns, found, strict=True):
            column.read.append(said)
        for (_, _, kept), text in zip(self.others, texts, strict=True):
            kept.append(text)
        self.row.append(self.rows)
