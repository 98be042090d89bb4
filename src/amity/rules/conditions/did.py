"""``did``: how often an event happened, ever or lately."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Self

from msgspec import Meta

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import (
    EventFilter,
    Wheres,
    WindowDays,
    check_window,
    describe_wheres,
)
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name, Where
from amity.rules.writer import Writer

Times = Annotated[int, Meta(ge=0, le=1_000_000)]


@conditions.register("did")
class Did(Condition, frozen=True, tag="did"):
    """How often an event happened, ever or lately; `at_most: 0` is "did not".

    With neither bound it is at least once.  `within_days` takes in events later than its start
    and up to now; `during` those of a calendar period in a time zone (`this` or the `last` whole
    day, week, month, quarter or year).  An event dated in the future does not count yet.
    """

    event: Name
    where: Wheres = ()
    at_least: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    at_most: Times | None = None
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        if self.at_most is not None and self.low > self.at_most:
            raise ValueError("`at_least` is above `at_most`")

    @property
    def low(self) -> int:
        """The fewest times that pass."""
        if self.at_least is not None:
            return self.at_least
        return 1 if self.at_most is None else 0

    @property
    def events(self) -> EventFilter:
        """The events that are counted."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    def matches(self, subject: Subject, now: datetime) -> bool:
        count = len(self.events.list_found(subject, now))
        return count >= self.low and (self.at_most is None or count <= self.at_most)

    def source(self, writer: Writer) -> str:
        tests = [(test.is_, test.property) for test in self.where]
        bounds = (self.low, self.at_most)
        return writer.count(
            self.event, tests, bounds=bounds, within_days=self.within_days, during=self.during
        )

    def to_sql(self, selection: Selection) -> Fragment:
        activity = selection.catalogue.activity
        # Nobody without such an event is in the grouped rows, so "at most" asks for the contrary.
        contrary = self.low == 0
        if contrary:
            having = sql("count(*) > {}", self.at_most)
        elif self.at_most is None:
            having = sql("count(*) >= {}", self.low)
        else:
            having = sql("count(*) BETWEEN {} AND {}", self.low, self.at_most)
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE {} GROUP BY 1 HAVING {}",
                activity.profile_id,
                activity.relation,
                self.events.to_sql(selection),
                having,
            )
        )
        return sql("({} IS NULL)", found) if contrary else sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = NO_NAMES) -> str:
        words = f"did “{self.event}” {self._describe_times()}".rstrip()
        if self.low == 0 and self.at_most == 0:
            words = f"did not “{self.event}”"
        return words + self.events.describe_window() + describe_wheres(self.where)

    def _describe_times(self) -> str:
        if self.at_most is None:
            return "" if self.low == 1 else f"at least {self.low:,} times"
        if self.low == self.at_most:
            return f"exactly {_count(self.low)}"
        if self.low == 0:
            return f"at most {_count(self.at_most)}"
        return f"{self.low:,} to {self.at_most:,} times"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        events = self.events
        happened = subject.history.get(self.event, ())
        if (
            self.within_days is None
            or events.has_timed_tests
            or any(at > now for at, _ in happened)
        ):
            return events.next_change(subject, now)
        times = sorted(at for at, _ in events.list_found(subject, now))
        return min(self._expiries(times, timedelta(days=self.within_days)), default=None)

    def _expiries(self, times: list[datetime], window: timedelta) -> list[datetime]:
        """Return when the count sinks past a bound, if nothing else happens."""
        bounds = [self.low] if self.at_most is None else [self.low, self.at_most + 1]
        return [times[len(times) - n] + window for n in bounds if 1 <= n <= len(times)]

    def mentions(self) -> Mentions:
        return Mentions(looks={self.event: self.events.look()}, is_timed=self.events.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        over_fifty = (Where("total", operators["gte"](50)),)
        return [
            cls("Order Completed", over_fifty, at_least=2, within_days=30),
            cls("Product Viewed"),
            cls("Order Completed", at_most=0, within_days=90),
            cls("Product Viewed", at_least=2, at_most=5),
            cls("Product Viewed", at_least=2, during=Period("month", zone="Europe/Paris")),
            cls("Order Completed", at_most=1, during=Period("week", "last", 2)),
        ]


def _count(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
