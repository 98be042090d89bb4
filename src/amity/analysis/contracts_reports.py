"""What reports give back: figures, tables, pictures and words, all that crosses the doors.

Every value has a unit. Money is in minor units of the one currency of the answer; shares are in
0..1; None is "not known", which is neither zero nor nothing.
"""

from datetime import date, datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from amity.analysis.contracts_work import Work
from amity.kernel.money import format_minor

Unit = Literal[
    "text", "day", "customers", "orders", "events", "messages", "money", "share", "days", "number"
]
Cell = str | int | float | bool | None
"""A value of a table. A day is its ISO text; whole things are integers."""
Group = Literal[
    "acquisition", "expansion", "retention", "behaviour", "money", "service", "assessment"
]
ParameterKind = Literal["day", "whole", "number", "share", "text", "choice", "flag", "segment"]
FileKind = Literal["csv", "parquet"]
PictureKind = Literal["bar", "line", "area", "heatmap", "sankey", "funnel", "scatter", "upset"]

UNKNOWN: Final = "not known"
_WHOLE_FROM: Final = 10
"""Counts from here on are written without decimals, as ends of intervals have them."""


class Estimated(Protocol):
    """What is known of a number: its value and the ends of its interval."""

    @property
    def value(self) -> float | None:
        """Return the best single value; None when it is not known."""

    @property
    def low(self) -> float | None:
        """Return the lower end; None when there is no interval."""

    @property
    def high(self) -> float | None:
        """Return the upper end; None when there is no interval."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something a report can be asked with, beyond what all can."""

    name: str
    title: str
    kind: ParameterKind
    default: str | int | float | bool
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    """Of the kind `choice`: value and words."""
    least: float | None = None
    most: float | None = None


class ReportFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One number: what it means, its interval where it is an estimate, and the time before."""

    name: str
    title: str
    unit: Unit
    definition: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    """The same figure of the comparison period, set by the frame."""
    sentence: str = ""
    good: Literal["up", "down", ""] = ""
    """Which way is better, where one is."""
    metric: str = ""
    """The metric of the catalogue it shows, where it is one."""

    def of(self, estimate: Estimated) -> "ReportFigure":
        """Return the figure with a value and its interval."""
        return msgspec.structs.replace(
            self, value=estimate.value, low=estimate.low, high=estimate.high
        )


class ReportColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table."""

    name: str
    title: str
    unit: Unit
    definition: str = ""
    low: str = ""
    """The column with the lower end of the interval, of a column of estimates; shown in one."""
    high: str = ""
    is_for_files: bool = False
    """It is in files and in what opens a row, and not in the table people read."""


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to read, to draw, to export and to open."""

    name: str
    title: str
    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    key: tuple[str, ...] = ()
    """Columns whose values tell one row from another, where a row can be opened as a list of its
    customers; () where it cannot."""
    counted: str = "customers"
    """The column that says how many customers an opened row has."""

    @property
    def shown(self) -> tuple[ReportColumn, ...]:
        """Return the columns that people read: the ends of intervals stand with their values."""
        ends = {end for column in self.columns for end in (column.low, column.high)}
        return tuple(
            column for column in self.columns if column.name not in ends and not column.is_for_files
        )

    def row(self, number: int) -> dict[str, Cell]:
        """Return a row by the names of its columns."""
        return dict(zip((c.name for c in self.columns), self.rows[number], strict=True))

    def key_of(self, row: tuple[Cell, ...]) -> str:
        """Return what an address calls a row; the same in every answer with the same row."""
        names = [column.name for column in self.columns]
        return "~".join(say_key(row[names.index(name)]) for name in self.key)


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is drawn, said plainly; nothing is drawn that the table does not have.

    ``x`` is a column, ``y`` one or several; of a heat map ``x`` and ``y[0]`` are the axes and
    ``value`` the colour; of a Sankey ``x`` is where from, ``y[0]`` where to and ``value`` how many.
    ``series`` cuts one column into several lines or bars; ``low`` and ``high`` draw a band.
    """

    kind: PictureKind
    table: str
    title: str
    """The finding, in words."""
    x: str
    y: tuple[str, ...]
    value: str = ""
    series: str = ""
    low: str = ""
    high: str = ""
    x_title: str = ""
    y_title: str = ""
    band: str = "95 % interval"
    """What lies between ``low`` and ``high``."""
    is_stacked: bool = False
    without: tuple[str, ...] = ()
    """Values of ``x`` that stand in the table only: beside them nothing else could be seen."""
    most: int = 0
    """How many of the table's rows are drawn, from the first on; 0 = all."""


class ReportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a report found, with its words."""

    sentence: str
    figures: tuple[ReportFigure, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader must know: what was left out, what is assumed."""
    empty: str = ""
    """Why there is nothing to show and what would change that; "" when there is something."""

    def table(self, name: str) -> ReportTable:
        """Return a table by its name; raise KeyError when there is none."""
        return {table.name: table for table in self.tables}[name]


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a report that a company can set a target for."""

    figure: str
    title: str
    unit: Unit


class ReportWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says about itself, for the gallery, the API and the documentation."""

    name: str
    title: str
    question: str
    group: Group
    definition: str
    parameters: tuple[Parameter, ...]
    uses: tuple[str, ...]
    can_drill: bool
    aims: tuple[Aim, ...] = ()


class ReportRun(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as it was computed and kept."""

    report: str
    parameters: dict[str, str]
    currency: str
    as_of: datetime
    """The moment the answer is about: the warehouse was read then."""
    took_seconds: float
    answer: ReportAnswer


class ReportState(Work, frozen=True, kw_only=True):
    """What is known of a question: its last answer, and how far the next one is."""

    run: ReportRun | None


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it is looked at: its words, the question, and what is known of it."""

    words: ReportWords
    parameters: dict[str, str]
    """The question in its one spelling: what differs from the defaults."""
    from_on: date
    until_on: date
    """The last day of the window."""
    granularity: str
    currency: str
    segment_id: int | None
    is_compared: bool
    choices: dict[str, str]
    """The report's own parameters, each there."""
    state: ReportState
    is_stale: bool
    """Whether the answer is older than answers should be; a new one is then under way."""


class ReportEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A report in the gallery, with what it last said when asked as usual."""

    words: ReportWords
    sentence: str
    as_of: datetime | None
    is_wanted: bool


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a report's answer: the report, the question, the table, what the row is called."""

    name: str
    given: dict[str, str]
    table: str
    key: str


class RowRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of a segment of a row's customers, which goes on holding when the day is over."""

    rule: dict[str, Any]
    differs: str = ""
    """What it counts otherwise than the row, beside the edges of days; "" when nothing."""
    score: str = ""
    """The score of the night it asks for, which must be there; "" when none."""


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """A question with a name."""

    view_id: int
    name: str
    report: str
    parameters: dict[str, str]
    owner: str
    is_shared: bool
    created_at: datetime


class ViewChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a saved view is to be."""

    name: str
    report: str
    parameters: dict[str, str]
    is_shared: bool = False


def say_value(value: Cell, unit: Unit, currency: str) -> str:
    """Write a value for people: `12.4 %`, `1,204.50 USD`, `not known`."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else _say_number(value, unit, currency)


def _say_number(value: float, unit: Unit, currency: str) -> str:
    digits = _digits(value, unit, currency)
    if unit == "days":
        return f"{digits} days" if value != 1 else "1 day"
    return digits + {"money": f" {currency}", "share": " %"}.get(unit, "")


def _digits(value: float, unit: Unit, currency: str) -> str:
    """Write a number as it stands before its unit."""
    if unit == "money":
        return format_minor(round(value), currency).removesuffix(f" {currency}")
    if unit == "share":
        return f"{value * 100:.1f}"
    if unit == "days":
        return f"{value:,.0f}"
    whole = unit != "number" and abs(value) >= _WHOLE_FROM
    return f"{value:,.0f}" if whole or float(value).is_integer() else f"{value:,.2f}"


def say_ends(low: Cell, high: Cell, unit: Unit, currency: str) -> str:
    """Write the interval of a value that stands before it: `10.1 to 14.8`; "" without one."""
    if not (isinstance(low, int | float) and isinstance(high, int | float)):
        return ""
    return f"{_digits(low, unit, currency)} to {_digits(high, unit, currency)}"


def say_key(value: Cell) -> str:
    """Write a value so that it can stand in an address."""
    return "" if value is None else str(value)
