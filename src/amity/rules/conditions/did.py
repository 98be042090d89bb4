"""``did``: how often an event happened, ever or lately."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from amity.rules.bounds import AtLeast, AtMost, Bounds
from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import (
    EventFilter,
    Wheres,
    WindowDays,
    answer_of,
    check_window,
    describe_wheres,
)
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import Sway, Timing
from amity.rules.where import Name, Where
from amity.rules.writer import Writer


@conditions.register("did")
class Did(Condition, frozen=True, tag="did"):
    """How often an event happened, ever or lately; `at_most: 0` is "did not".

    With neither bound it is at least once.  `within_days` takes in events later than its start
    and up to now; `during` those of a calendar period in a time zone (`this` or the `last` whole
    day, week, month, quarter or year).  An event dated in the future does not count yet.
    """

    event: Name
    where: Wheres = ()
    at_least: AtLeast | None = None
    at_most: AtMost | None = None
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        self.bounds.check()

    @property
    def bounds(self) -> Bounds:
        """How often it must have happened."""
        return Bounds.make(self.at_least, self.at_most)

    @property
    def events(self) -> EventFilter:
        """The events that are counted."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.bounds.holds(len(self.events.list_found(subject, now)))

    def source(self, writer: Writer) -> str:
        tests = [(test.is_, test.property) for test in self.where]
        bounds = self.bounds
        return writer.count(
            self.event,
            tests,
            bounds=(bounds.low, bounds.high),
            within_days=self.within_days,
            during=self.during,
        )

    def to_sql(self, selection: Selection) -> Fragment:
        found = self.events.join_having(selection, self.bounds.having(sql("count(*)")))
        return answer_of(found, is_absent=self.bounds.takes_none)

    def describe(self, names: Names = NO_NAMES) -> str:
        bounds = self.bounds
        words = f"did “{self.event}” {bounds.describe('once', 'times')}".rstrip()
        if bounds.high == 0:
            words = f"did not “{self.event}”"
        return words + self.events.describe_window() + describe_wheres(self.where)

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        happened = subject.history.get(self.event, ())
        if not happened:
            return None
        events = self.events
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
        low, high = self.bounds.low, self.bounds.high
        edges = [low] if high is None else [low, high + 1]
        return [times[len(times) - n] + window for n in edges if 1 <= n <= len(times)]

    def timing(self) -> Timing:
        event, tests, days = self.event, [test.matches for test in self.where], self.within_days
        if self.during is not None or self.events.has_timed_tests:
            return self.next_change
        window = None if days is None else timedelta(days=days)
        bounds, ask = self.bounds, self.next_change
        # The more must be left, the sooner there are too few.
        edges = [] if bounds.high is None else [bounds.high + 1]
        edges += [bounds.low] if bounds.low else []

        def next_change(subject: Subject, now: datetime) -> datetime | None:
            since = None if window is None else now - window
            times = []
            for at, properties in subject.history.get(event, ()):
                if at > now:
                    return ask(subject, now)
                if since is not None and at > since and all(t(properties, now) for t in tests):
                    times.append(at)
            if window is None or not times:
                return None
            times.sort()
            for edge in edges:
                if edge <= len(times):
                    return times[len(times) - edge] + window
            return None

        return next_change

    def mentions(self) -> Mentions:
        return Mentions(looks={self.event: self.events.look()}, is_timed=self.events.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @property
    def own_sway(self) -> Sway:
        return self.bounds.sway

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
