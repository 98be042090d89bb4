"""The matrix over time as tables and pictures (pure): the cells of each window, and each move."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from amity.analysis.contracts_reports import Cell, Picture, ReportColumn, ReportTable
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.behaviour.loyalty import ABSENT, CELLS
from amity.analysis.logic.reporting.tables import bounded, cells, columns, for_files
from amity.analysis.report import Asked

_Moves = Sequence[Mapping[str, Any]]


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """What several windows say."""

    tables: tuple[ReportTable, ...] = ()
    pictures: tuple[Picture, ...] = ()


def list_periods(moves: _Moves, windows: Sequence[int], asked: Asked) -> OverTime:
    """Return the cells of each window, how true loyalty held, and each move.

    ``windows`` are the numbers of those that are shown, the last the one asked for; with one or two
    there is nothing that the matrix and its moves do not say already.
    """
    if len(windows) < 3:
        return OverTime()
    last = {period: _last_day(period, windows[-1], asked) for period in windows}
    periods, kept, steps = _periods(moves, last), _kept(moves, last), _steps(moves, last)
    first, final = (_size(moves, period, "true") for period in (windows[0], windows[-1]))
    moved = sum(row["customers"] for row in _crossed(moves, windows))
    return OverTime(
        tables=(periods, kept, steps),
        pictures=(
            Picture(
                kind="bar",
                table="periods",
                title=f"Truly loyal: {first:,} until {last[windows[0]]:%-d %b %Y}, {final:,} now",
                x="until",
                y=("customers",),
                series="cell",
                x_title="the last day of each window",
                y_title="customers",
                is_stacked=True,
            ),
            Picture(
                kind="sankey",
                table="steps",
                title=f"{moved:,} times a customer moved from one cell to another",
                x="before",
                y=("now",),
                value="customers",
                # Who comes new comes from nowhere, and would stand beside the oldest window.
                without=tuple(_call(ABSENT, day) for day in last.values()),
            ),
        ),
    )


def _last_day(period: int, newest: int, asked: Asked) -> date:
    return asked.until_on - timedelta(days=1 + (newest - period) * asked.days)


def _size(moves: _Moves, period: int, cell: str) -> int:
    return sum(row["customers"] for row in moves if row["period"] == period and row["now"] == cell)


def _crossed(moves: _Moves, windows: Sequence[int]) -> list[Mapping[str, Any]]:
    return [
        row
        for row in moves
        if row["period"] in windows[1:] and row["before"] not in {row["now"], ABSENT}
    ]


def _periods(moves: _Moves, last: Mapping[int, date]) -> ReportTable:
    rows: list[tuple[Cell, ...]] = []
    for period, day in last.items():
        sizes = {cell: _size(moves, period, cell) for cell in CELLS}
        everybody = sum(sizes.values())
        rows += [
            (period, cell, day.isoformat(), words, sizes[cell], sizes[cell] / everybody)
            for cell, words in CELLS.items()
        ]
    return ReportTable(
        name="periods",
        title="How many in each cell, window by window",
        columns=for_files(("number", "Window", "number"), ("to_cell", "Key", "text"))
        + columns(
            ("until", "Until", "day"),
            ("cell", "Cell", "text"),
            ("customers", "Customers", "customers"),
            ("share", "Share", "share"),
        ),
        rows=tuple(rows),
        key=("until", "cell"),
    )


def _kept(moves: _Moves, last: Mapping[int, date]) -> ReportTable:
    """Return for each move how many of the truly loyal stayed so, and who came and went."""
    rows: list[tuple[Cell, ...]] = []
    for period, day in list(last.items())[1:]:
        told = [row for row in moves if row["period"] == period]
        were = sum(row["customers"] for row in told if row["before"] == "true")
        stayed = sum(row["customers"] for row in told if row["before"] == row["now"] == "true")
        became = sum(
            row["customers"]
            for row in told
            if row["now"] == "true" and row["before"] not in {"true", ABSENT}
        )
        new = sum(
            row["customers"] for row in told if row["now"] == "true" and row["before"] == ABSENT
        )
        held = statistics.share(stayed, were)
        rows.append((day.isoformat(), were, *cells(held), were - stayed, became, new))
    return ReportTable(
        name="kept",
        title="How true loyalty held, move by move",
        columns=(
            ReportColumn(name="until", title="Until", unit="day"),
            ReportColumn(name="were", title="Truly loyal before", unit="customers"),
            *bounded(ReportColumn(name="held", title="Stayed so", unit="share")),
            ReportColumn(name="lost", title="Lost it", unit="customers"),
            ReportColumn(name="became", title="Became so", unit="customers"),
            ReportColumn(name="new", title="Came so", unit="customers"),
        ),
        rows=tuple(rows),
    )


def _steps(moves: _Moves, last: Mapping[int, date]) -> ReportTable:
    """Return each move between two windows; the names carry the days, so that one flows on."""
    order = [*CELLS, ABSENT]
    told = [row for row in moves if row["period"] in list(last)[1:]]
    told.sort(key=lambda row: (row["period"], *(order.index(row[k]) for k in ("before", "now"))))
    rows = tuple(
        (
            row["period"],
            row["before"],
            row["now"],
            _call(row["before"], last[row["period"] - 1]),
            _call(row["now"], last[row["period"]]),
            row["customers"],
        )
        for row in told
    )
    return ReportTable(
        name="steps",
        title="Every move, window by window",
        columns=for_files(
            ("number", "Window", "number"), ("from_cell", "From", "text"), ("to_cell", "To", "text")
        )
        + columns(
            ("before", "From", "text"),
            ("now", "To", "text"),
            ("customers", "Customers", "customers"),
        ),
        rows=rows,
        key=("before", "now"),
    )


def _call(cell: str, day: date) -> str:
    # Short, for several stand beside one another in the picture.
    return f"{cell.capitalize()}, {day:%-d %b %y}"
