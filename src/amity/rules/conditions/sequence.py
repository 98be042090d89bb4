"""``sequence``: one event and then another, soon enough, with nothing else between."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import (
    EventFilter,
    Step,
    WindowDays,
    answer_of,
    check_window,
)
from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Look, Mentions, join_looks
from amity.rules.operator import operators, quote_days
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Where

# Of events at the very same moment none comes before another. Numbered so, what ends a sequence is
# read before what begins one, and what lies before it in the reading truly happened before.
_THEN, _FIRST, _BETWEEN = 0, 1, 2


@conditions.register("sequence")
class Sequence(Condition, frozen=True, tag="sequence"):
    """One event and later another, at most `apart_days` apart, without a third in between.

    What happened at the very same moment is neither before nor after.  The windows of `did` are
    those of the event that comes last; the first may lie before them.  Someone for whom it came
    about once passes, however often it did not.
    """

    first: Step
    then: Step
    apart_days: WindowDays | None = None
    without: Step | None = None
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)

    @property
    def _ends(self) -> EventFilter:
        return EventFilter(self.then.event, self.then.where, self.within_days, self.during)

    @property
    def _begins(self) -> list[EventFilter]:
        """What may begin a sequence, and after it what may come between."""
        steps = [self.first] if self.without is None else [self.first, self.without]
        return [EventFilter.of(step) for step in steps]

    def matches(self, subject: Subject, now: datetime) -> bool:
        ends = [at for at, _ in self._ends.list_found(subject, now)]
        if not ends:
            return False
        firsts, *between = (
            sorted(at for at, _ in each.list_found(subject, now)) for each in self._begins
        )
        # The latest beginning is the nearest, with the least in between.
        return any(self._is_whole(at, firsts, between[0] if between else []) for at in ends)

    def _is_whole(self, at: datetime, firsts: list[datetime], between: list[datetime]) -> bool:
        begun = _latest_before(firsts, at)
        if begun is None:
            return False
        if self.apart_days is not None and at - begun > timedelta(days=self.apart_days):
            return False
        broken = _latest_before(between, at)
        return broken is None or broken <= begun

    def to_sql(self, selection: Selection) -> Fragment:
        rows = [self._rows_sql(selection, self._ends, _THEN)]
        rows += [
            self._rows_sql(selection, each, role)
            for each, role in zip(self._begins, (_FIRST, _BETWEEN), strict=False)
        ]
        tests = [sql("s.role = {} AND s.begun IS NOT NULL", _THEN)]
        if self.apart_days is not None:
            longest = timedelta(days=self.apart_days)
            tests.append(sql("s.occurred_at - s.begun <= {}", longest))
        if self.without is not None:
            tests.append(sql("(s.broken IS NULL OR s.broken <= s.begun)"))
        found = selection.join(
            sql(
                "SELECT s.profile_id FROM (SELECT e.profile_id, e.occurred_at, e.role, "
                "max(CASE WHEN e.role = {} THEN e.occurred_at END) OVER earlier AS begun, "
                "max(CASE WHEN e.role = {} THEN e.occurred_at END) OVER earlier AS broken "
                "FROM ({}) AS e WINDOW earlier AS (PARTITION BY e.profile_id "
                "ORDER BY e.occurred_at, e.role "
                "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS s "
                "WHERE {} GROUP BY 1",
                _FIRST,
                _BETWEEN,
                join(" UNION ALL ", rows),
                join(" AND ", tests),
            )
        )
        return answer_of(found, is_absent=False)

    def _rows_sql(self, selection: Selection, events: EventFilter, role: int) -> Fragment:
        activity = selection.catalogue.activity
        return sql(
            "SELECT {} AS profile_id, {} AS occurred_at, {}::integer AS role FROM {} WHERE {}",
            activity.profile_id,
            activity.occurred_at,
            role,
            activity.relation,
            events.to_sql(selection),
        )

    def describe(self, names: Names = NO_NAMES) -> str:
        words = f"did {self.first.describe()} and then {self.then.describe()}"
        if self.apart_days is not None:
            words += f" within {quote_days(self.apart_days)}"
        if self.without is not None:
            words += f" without {self.without.describe()} between"
        return words + self._ends.describe_window()

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        changes = (each.next_change(subject, now) for each in (self._ends, *self._begins))
        return min((at for at in changes if at is not None), default=None)

    def mentions(self) -> Mentions:
        looks = [{self._ends.event: self._ends.look()}]
        looks += [{each.event: self._reach_back(each.look())} for each in self._begins]
        is_timed = any(each.is_timed for each in (self._ends, *self._begins))
        return Mentions(looks=join_looks(looks), is_timed=is_timed)

    def _reach_back(self, look: Look) -> Look:
        """Return how far back a beginning can lie: before the window by as much as is between."""
        window = self._ends.look().within_days
        if window is None or self.apart_days is None:
            return Look(look.properties, None, look.timed_days)
        return Look(look.properties, window + self.apart_days, look.timed_days)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        steps = (self.first, self.then, self.without)
        return [(step.event, step.where) for step in steps if step is not None]

    @classmethod
    def examples(cls) -> Iterable[Self]:
        big = (Where("total", operators["gte"](50)),)
        soon = (Where("ends_at", operators["within_next"](3)),)
        return [
            cls(
                Step("Product Viewed"),
                Step("Order Completed", big),
                apart_days=7,
                without=Step("Email Link Clicked"),
                within_days=30,
            ),
            cls(Step("Order Completed"), Step("Order Completed", big)),
            cls(Step("A"), Step("B"), without=Step("A", big), apart_days=0.5),
            cls(Step("A", soon), Step("B"), without=Step("C"), during=Period("month", "last")),
            cls(Step("A"), Step("B"), within_days=7),
        ]


def _latest_before(times: list[datetime], at: datetime) -> datetime | None:
    place = bisect_left(times, at)
    return times[place - 1] if place else None
