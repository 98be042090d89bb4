"""What to doubt about any file: rows left out, rows told twice, days that have not come yet."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from amity.analysis.file_estimate import Cells, Table
from amity.analysis.logic.files.cells import BLANK_DAY

_LEFT_OUT: Final = 0.02
"""Share of rows left out, or told twice, from which it is worth saying."""
_FEWEST_COLUMNS: Final = 3
_MANY_NAMES: Final = 20
_FEWEST_AWAY: Final = 365
"""Days that a handful of rows must lie before all others, and longer than those last."""
_HANDFUL: Final = 0.005
_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = 86_400_000_000
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


def describe_doubts(table: Table, *, now: datetime) -> list[str]:
    """Return what is doubtful about the rows themselves, whatever is estimated from them."""
    return [
        *_swallowed(table),
        *_left_out(table),
        *_told_twice(table),
        *_not_yet(table, now),
        *_long_before(table),
    ]


def _swallowed(table: Table) -> list[str]:
    if table.long_row is None:
        return []
    row, first, last = table.long_row
    return [
        f"row {row} goes on from line {first} to line {last}: if a quote is not closed there, all "
        "rows between are lost"
    ]


def _left_out(table: Table) -> list[str]:
    if not table.rows or table.rejected_count < _LEFT_OUT * table.rows:
        return []
    first = table.rejected[0]
    return [
        f"{table.rejected_count:,} of {table.rows:,} rows ({table.rejected_count / table.rows:.0%})"
        f" could not be used, the first (row {first.row}) because {first.reason}: if those left "
        "out are not like the others, the answer is about the others"
    ]


def _told_twice(table: Table) -> list[str]:
    """Find rows that say in every column used what another does, where rows name somebody."""
    columns = list(table.columns.values())
    # Arms and countries are names too, but say of nobody that it is the same one.
    named = any(cells.kind == "name" and len(cells.names) > _MANY_NAMES for cells in columns)
    if not named or len(columns) < _FEWEST_COLUMNS or table.others:
        return []
    keys = np.zeros(len(table), np.uint64)
    for cells in columns:
        bits = np.ascontiguousarray(cells.values).view(np.uint64)
        keys = (keys ^ bits) * _MIX
        keys ^= keys >> np.uint64(29)
    again = len(keys) - len(np.unique(keys))
    if again < _LEFT_OUT * len(keys) or again < 1:
        return []
    return [
        f"{again:,} of {len(keys):,} rows say the same as another in every column used: if they "
        "were told twice, the answer is surer than it should be"
    ]


def _not_yet(table: Table, now: datetime) -> list[str]:
    today = (now.astimezone(UTC).date() - _EPOCH).days
    found = []
    for cells in table.columns.values():
        days = _days(cells)
        if days is None:
            continue
        later = np.flatnonzero((days > today + 1) & (days != BLANK_DAY))
        if len(later):
            worst = int(later[np.argmax(days[later])])
            found.append(
                f"{len(later):,} rows have a {cells.head!r} that has not come yet, up to "
                f"{_EPOCH + timedelta(days=int(days[worst]))} (row {table.row[worst]}): where that "
                "is a mistake, everything counted up to it is wrong"
            )
    return found


def _long_before(table: Table) -> list[str]:
    """Find a few days far before all others, as 1900-01-01 where no date was known."""
    found = []
    for cells in table.columns.values():
        days = _days(cells)
        if days is None or not (known := days[days != BLANK_DAY]).size:
            continue
        main = int(np.sort(known)[min(len(known) - 1, int(np.ceil(len(known) * _HANDFUL)))])
        away = max(_FEWEST_AWAY, int(known.max()) - main)
        early = np.flatnonzero((days < main - away) & (days != BLANK_DAY))
        if len(early):
            first = int(early[np.argmin(days[early])])
            found.append(
                f"{len(early):,} rows have a {cells.head!r} long before all others, from "
                f"{_EPOCH + timedelta(days=int(days[first]))} (row {table.row[first]}): where that "
                "is a mistake, everything counted from it is wrong"
            )
    return found


def _days(cells: Cells) -> NDArray[np.int64] | None:
    if cells.kind == "day":
        return cells.whole
    return cells.whole // _DAY if cells.kind == "moment" else None
