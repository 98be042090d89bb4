"""Reading purchases from a CSV file: good rows are used, bad ones are numbered and explained."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TextIO

import msgspec
import numpy as np

from amity.analysis.contracts import RejectedRow
from amity.analysis.estimator import Transactions
from amity.kernel.cells import unguard_cell
from amity.kernel.clock import parse_instant
from amity.kernel.errors import Invalid

MAX_LISTED: Final = 1_000
_EPOCH: Final = date(1970, 1, 1)
_SEPARATORS: Final = (",", ";", "\t", "|")
_COMPACT: Final = re.compile(r"[1-9]\d{7}", re.ASCII)
_NUMBER: Final = re.compile(r"(\d{0,12})(?:\.(\d{0,12}))?", re.ASCII)
_MAX_DECIMALS: Final = 6
_REMEMBERED: Final = 100_000


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the columns that matter."""

    customer: str
    date: str
    amount: str | None = None


class Purchases(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A file's usable rows; ``names`` holds the customer of each id."""

    names: list[str]
    transactions: Transactions
    rows: int
    used: int
    rejected_count: int
    rejected: list[RejectedRow]


class _Reader(Protocol):
    """What `csv.reader` returns."""

    @property
    def line_num(self) -> int:
        """The number of the line last read."""

    def __next__(self) -> list[str]: ...


class _Bad(Exception):
    """A row cannot be used; the message says why."""


def read_purchases(path: Path, columns: Columns) -> Purchases:
    """Read a CSV file with a header line, separated by commas, semicolons, tabs or bars.

    Raises Invalid when a column is not there, and OSError when the file cannot be read.
    """
    # Bytes that are not UTF-8 become surrogates, so that only the rows that hold them are refused.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader, places = _open(file, path, columns)
        return _Reading(reader, places).run()


def _open(file: TextIO, path: Path, columns: Columns) -> tuple[_Reader, tuple[int, ...]]:
    first = file.readline()
    if not first.strip():
        raise Invalid(f"{path.name} is empty: its first line must name the columns")
    wanted = [columns.customer, columns.date]
    wanted += [columns.amount] if columns.amount is not None else []
    heads: list[str] = []
    for separator in _SEPARATORS:
        heads = [head.strip() for head in next(csv.reader([first], delimiter=separator))]
        if all(name in heads for name in wanted):
            break
    else:
        _refuse_heads(first, path, wanted)
    for name in wanted:
        if heads.count(name) > 1:
            raise Invalid(f"{path.name} has more than one column {name!r}", code="no_column")
    reader = csv.reader(chain([first], file), delimiter=separator)
    next(reader)
    return reader, tuple(heads.index(name) for name in wanted)


def _refuse_heads(first: str, path: Path, wanted: list[str]) -> None:
    """Raise Invalid with the columns there are, read with the likeliest separator."""
    separator = max(_SEPARATORS, key=first.count)
    heads = [head.strip() for head in next(csv.reader([first], delimiter=separator))]
    missing = ", ".join(repr(name) for name in wanted if name not in heads)
    there = ", ".join(repr(head[:60]) for head in heads[:50])
    raise Invalid(
        f"{path.name} has no column {missing}; the columns there are: {there}", code="no_column"
    )


class _Reading:
    """One pass over the rows."""

    def __init__(self, reader: _Reader, places: tuple[int, ...]) -> None:
        self.reader = reader
        self.places = places
        self.ids: dict[str, int] = {}
        self.days: dict[str, int] = {}
        self.amounts: dict[str, tuple[int, int]] = {}
        self.customer: list[int] = []
        self.day: list[int] = []
        self.amount: list[int] = []
        self.decimals = 2
        self.rows = 0
        self.rejected_count = 0
        self.rejected: list[RejectedRow] = []

    def run(self) -> Purchases:
        """Read to the end."""
        for cells in self._rows():
            self.rows += 1
            try:
                self._take(cells)
            except _Bad as bad:
                self._reject(str(bad))
        amount = None
        if len(self.places) == 3:
            # Kept as millionths until the finest number of decimals in the file is known.
            amount = np.array(self.amount, np.int64) // 10 ** (_MAX_DECIMALS - self.decimals)
        return Purchases(
            names=list(self.ids),
            transactions=Transactions(
                customer_id=np.array(self.customer, np.int64),
                day=np.array(self.day, np.int64),
                amount=amount,
                minor_per_unit=10**self.decimals,
            ),
            rows=self.rows,
            used=len(self.customer),
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
            if cells:
                yield cells

    def _reject(self, reason: str) -> None:
        self.rejected_count += 1
        if len(self.rejected) < MAX_LISTED:
            self.rejected.append(
                RejectedRow(row=self.rows, line=self.reader.line_num, reason=reason)
            )

    def _take(self, cells: list[str]) -> None:
        if len(cells) <= max(self.places):
            raise _Bad(f"it has {len(cells)} cells, the header more")
        customer = unguard_cell(cells[self.places[0]].strip())
        if not customer:
            raise _Bad("it names no customer")
        if not customer.isprintable():
            _refuse_text(customer)
        day = self._day(cells[self.places[1]].strip())
        if len(self.places) == 3:
            amount, decimals = self._amount(cells[self.places[2]].strip())
            self.decimals = max(self.decimals, decimals)
            self.amount.append(amount)
        self.customer.append(self.ids.setdefault(customer, len(self.ids)))
        self.day.append(day)

    def _day(self, text: str) -> int:
        day = self.days.get(text)
        if day is None:
            if len(self.days) > _REMEMBERED:
                self.days.clear()
            day = self.days[text] = parse_day(text)
        return day

    def _amount(self, text: str) -> tuple[int, int]:
        amount = self.amounts.get(text)
        if amount is None:
            if len(self.amounts) > _REMEMBERED:
                self.amounts.clear()
            amount = self.amounts[text] = parse_amount(text)
        return amount


def _refuse_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Bad("its customer is not UTF-8 text") from None


def parse_day(text: str) -> int:
    """Return the day (UTC) of an ISO 8601 date or time, or of YYYYMMDD, since 1970-01-01."""
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    moment = parse_instant(text)
    if moment is None:
        shown = repr(text[:40]) if text else "nothing"
        raise _Bad(f"its date is {shown}, not a date like 2024-05-31")
    return (moment.astimezone(UTC).date() - _EPOCH).days


def parse_amount(text: str) -> tuple[int, int]:
    """Return an amount in millionths, and its number of decimals."""
    shown = repr(text[:40]) if text else "nothing"
    if text.startswith("-") and _NUMBER.fullmatch(text[1:]):
        raise _Bad(f"its amount is {shown}: a refund is not a purchase")
    match = _NUMBER.fullmatch(text.removeprefix("+"))
    if match is None or not (match[1] or match[2]):
        raise _Bad(f"its amount is {shown}, not a number like 12.50")
    whole, part = match[1] or "0", (match[2] or "").rstrip("0")[:_MAX_DECIMALS]
    if int(whole) >= 10**9:
        raise _Bad(f"its amount is {shown}, which is too large")
    return int(whole) * 10**_MAX_DECIMALS + int(part.ljust(_MAX_DECIMALS, "0")), len(part)
