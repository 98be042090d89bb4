"""The plug point of reports: what one is asked, what it gives back, what it promises.

A report is Ibis expressions over the warehouse's tables, so that the same words run on DuckDB and
on Spark, and pure Python for what SQL cannot do. It reads nothing else: what a company enters
(costs, targets) comes with the question. `amity.testing.reports_kit` holds what it promises.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import msgspec

from amity.analysis.contracts_reports import (
    Aim,
    Cell,
    Group,
    Parameter,
    ReportAnswer,
    ReportWords,
    RowRule,
)
from amity.kernel.registry import Registry

if TYPE_CHECKING:
    import ibis

Granularity = Literal["day", "week", "month"]
Rows = Mapping[str, Any]
"""What the expressions found, by their names: a list of rows, each a dict of Python values, whole
sums as int, instants aware; of a report's `columnar` ones a `pyarrow.Table`."""
Common = Literal["window", "comparison", "segment", "currency", "granularity"]
"""What the frame asks for on behalf of a report."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question: the window, half open in days (UTC), and all else a report can be asked with."""

    from_on: date
    until_on: date
    """The first day that is not in the window any more."""
    now: datetime
    currency: str
    home_currency: str = ""
    """The company's, in which the scores of the night are made."""
    segment_id: int | None = None
    granularity: Granularity = "week"
    choices: Mapping[str, str | int | float | bool] = {}
    """The report's own parameters, each there and checked."""
    facts: Mapping[str, list[dict[str, Any]]] = {}
    """What the company has entered, by the names a report `needs`; [] where nothing."""

    @property
    def days(self) -> int:
        """The length of the window."""
        return (self.until_on - self.from_on).days

    @property
    def from_at(self) -> datetime:
        """The first moment of the window."""
        return datetime(self.from_on.year, self.from_on.month, self.from_on.day, tzinfo=UTC)

    @property
    def until_at(self) -> datetime:
        """The moment the window ends, not in it."""
        return datetime(self.until_on.year, self.until_on.month, self.until_on.day, tzinfo=UTC)

    def before(self) -> "Asked":
        """Return the same question about as many days before."""
        length = timedelta(days=self.days)
        return msgspec.structs.replace(self, from_on=self.from_on - length, until_on=self.from_on)


class Report(ABC):
    """One question about the customers, answered from the warehouse.

    `expressions` says what is read, `finish` makes the answer of it. Both are pure: the same
    question over the same rows has the same answer, whichever machine read them and in whatever
    order the rows came.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    """What it answers, as a manager would ask it."""
    group: ClassVar[Group]
    definition: ClassVar[str]
    """How its numbers come about, for people who want to check them."""
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    uses: ClassVar[frozenset[Common]] = frozenset(("window", "comparison", "segment", "currency"))
    """Which of the common parameters it heeds; the others are not offered."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What it wants of what the company has entered: `channel_costs`, `unit_costs`, `targets`…

    And `metrics` (the catalogue's), `sources` and `campaigns` (their names).
    """
    metrics: ClassVar[frozenset[str]] = frozenset()
    """The metrics of the catalogue its figures show; one that shows all of them says none."""
    aims: ClassVar[tuple[Aim, ...]] = ()
    """The figures it compares with the targets entered for them; then it `needs` `targets`."""
    days: ClassVar[int] = 90
    """The window looked at when none is said."""
    columnar: ClassVar[frozenset[str]] = frozenset()
    """Which of its expressions have too many rows for Python, and are given to it as columns."""

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        """Return what several of `expressions` are made of, by name.

        Where the engine can keep a table it is computed once, in this order, and the expressions
        (and what comes later here) read the table where they are made of it. So each is narrow,
        and built of `tables` by the same words as in `expressions`.
        """
        del tables, asked
        return {}

    @abstractmethod
    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        """Return what is to be read, by name.

        Plain Ibis that compiles for DuckDB and Spark, aggregated as far as it goes: what comes
        back must be of the size of the answer, or one row a customer. `reporting.frames` has the
        beginnings: orders and events with their customer.
        """

    @abstractmethod
    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        """Make the answer of what was read; with no rows it says why there is nothing."""

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        """Return the customers of a row as one column `customer_id`; None when it has none.

        Asked for of the rows of tables that have a key; there are as many as the row counts.
        """
        del tables, asked, table, row
        return None

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return the rule of a segment of the customers of a row, where one can say it.

        What it counts otherwise than the row it `differs` in; a rule that would find others is
        none. Of a window that reaches until today it is counted back from now.
        """
        del asked, table, row
        return None

    def list_reason(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> str:
        """Say why a segment of a row is a list of the day, where there is more to say than that."""
        del asked, table, row
        return ""

    def check(self, asked: Asked) -> None:
        """Raise Invalid for a question that makes no sense though each parameter does."""
        del asked

    @classmethod
    def uses_metrics(cls, names: Set[str]) -> bool:
        """Say whether any of some metrics of the catalogue is in its answers."""
        return bool(cls.metrics & names) if cls.metrics else "metrics" in cls.needs

    @classmethod
    def words(cls) -> ReportWords:
        """Return what the report says about itself."""
        return ReportWords(
            name=cls.name,
            title=cls.title,
            question=cls.question,
            group=cls.group,
            definition=cls.definition,
            parameters=cls.parameters,
            uses=tuple(sorted(cls.uses)),
            can_drill=cls.drill is not Report.drill,
            aims=cls.aims,
        )


REPORTS: Final[Registry[Report]] = Registry(
    Report,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.reports",
)


@cache
def load_reports() -> Registry[Report]:
    """Return the registry with every report of the folder and of installed packages in it."""
    from amity.analysis import reports  # noqa: PLC0415  # its modules import this one

    REPORTS.discover(reports)
    return REPORTS
