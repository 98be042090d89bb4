"""What every reader of files gives: the headings, and the rows as texts."""

from typing import Final

import msgspec

from amity.kernel.errors import Invalid

MAX_COLUMNS: Final = 1_000


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is written, and its headings."""

    columns: list[str]
    format: str = "csv"
    encoding: str = ""
    delimiter: str = ""
    notes: list[str] = []
    rows: int | None = None
    """How many there are, where the file says so itself."""
    is_counted: bool = True
    """Whether counting the rows costs little beside reading them."""


class RawRow(msgspec.Struct, frozen=True):
    """One data row: its number from 1, and its cells, or what is wrong with it."""

    number: int
    cells: list[str]
    problem: str = ""


def check_headings(columns: list[str]) -> None:
    """Raise Invalid when columns cannot be told apart by their headings."""
    if not any(columns):
        raise Invalid("the file is empty: its first row must hold the headings", code="empty_file")
    if len(columns) > MAX_COLUMNS:
        raise Invalid(f"the file has {len(columns)} columns; at most {MAX_COLUMNS} are read")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise Invalid(f"more than one column is called {', '.join(map(repr, twice))}")
    if "" in columns[:-1]:
        raise Invalid(f"column {columns.index('') + 1} has no heading")


def fit_row(number: int, cells: list[str], width: int) -> RawRow:
    """Return a row of as many cells as there are headings, or one that says what is wrong."""
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if len(cells) != width:
        return RawRow(number, [], f"it has {len(cells)} cells, and there are {width} headings")
    return RawRow(number, cells)
