"""``metric``: a number of the catalogue of metrics, for one customer over a window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, ClassVar, Self

import msgspec
from msgspec import Meta

from amity.kernel.errors import Invalid
from amity.rules import condition
from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import EventFilter, WindowDays, check_window
from amity.rules.fragment import Fragment
from amity.rules.measure import check_bound
from amity.rules.mentions import Mentions
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator
from amity.rules.writer import Writer

MetricName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,59}$")]


@conditions.register("metric")
class IsMetric(Condition, frozen=True, tag="metric"):
    """A metric of the catalogue for one customer, over a window, beside a bound.

    What it means is worked out of the metric's definition when the rule is kept, and again when a
    new version of the metric is: it stands in `means`, as conditions about orders or events, and
    what a person writes there is replaced. A metric that is no number of one customer, or that no
    condition says exactly, is refused with the reason. Money is in units of the home currency.
    """

    metric: MetricName
    is_: AnyOperator = msgspec.field(name="is")
    within_days: WindowDays | None = None
    during: Period | None = None
    means: condition.AnyCondition | None = None

    filled: ClassVar[frozenset[str]] = frozenset(("means",))

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        check_bound(self.is_)

    @property
    def _meaning(self) -> Condition:
        if self.means is None:
            raise Invalid(
                f"what the metric {self.metric!r} means has to be looked up first: metrics are "
                "asked for in segments",
                code="no_meaning",
            )
        found: Condition = self.means
        return found

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self._meaning.matches(subject, now)

    def source(self, writer: Writer) -> str:
        return self._meaning.source(writer)

    def to_sql(self, selection: Selection) -> Fragment:
        return self._meaning.to_sql(selection)

    def describe(self, names: Names = NO_NAMES) -> str:
        window = EventFilter("", (), self.within_days, self.during).describe_window()
        words = self.is_.describe(f"metric “{self.metric}”{window}")
        return words if self.means is None else f"{words} ({self.means.describe(names)})"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self._meaning.next_change(subject, now)

    def mentions(self) -> Mentions:
        return Mentions(metrics=frozenset((self.metric,)))

    def parts(self) -> tuple[Condition, ...]:
        return () if self.means is None else (self.means,)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        at_least = operators["gte"]
        spent = conditions["ordered"]("net", at_least(100), "EUR", within_days=90)
        return [cls("revenue", at_least(100), 90, means=spent)]
