"""Which events of one name a condition is about: like what, and when; shared by conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Look
from amity.rules.operator import MAX_DAYS, answer_sql, json_value, quote_days, shift
from amity.rules.period import Period
from amity.rules.selection import ActivityTable, Selection
from amity.rules.subject import Subject
from amity.rules.where import Name, Where

Wheres = Annotated[tuple[Where, ...], Meta(max_length=50)]
WindowDays = Annotated[float, Meta(gt=0, le=MAX_DAYS)]
NONE = Fragment("")
Happened = tuple[datetime, Mapping[str, Any]]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event by its name, and what it must be like."""

    event: Name
    where: Wheres = ()

    def describe(self) -> str:
        """Say which events are meant."""
        return f"“{self.event}”{describe_wheres(self.where)}"


def describe_wheres(wheres: Iterable[Where]) -> str:
    """Say what events must be like, with a space before; nothing when it is all the same."""
    tests = " and ".join(test.is_.describe(test.property) for test in wheres)
    return f" where {tests}" if tests else ""


def check_window(within_days: float | None, during: Period | None) -> None:
    """Raise ValueError when both a rolling and a calendar window are given."""
    if within_days is not None and during is not None:
        raise ValueError("give `within_days` or `during`, not both")


class EventFilter(msgspec.Struct, frozen=True):
    """Events of one name that are like ``where`` and lie in a window; up to now in any case.

    A rolling window takes in what is later than its start; a calendar window is half open.
    """

    event: str
    where: tuple[Where, ...] = ()
    within_days: float | None = None
    during: Period | None = None

    @classmethod
    def of(cls, step: Step) -> EventFilter:
        """Return the filter that takes in a step's events whenever they were."""
        return cls(step.event, step.where)

    @property
    def is_timed(self) -> bool:
        """Whether time alone changes which events there are."""
        return self.within_days is not None or self.during is not None or self.has_timed_tests

    @property
    def has_timed_tests(self) -> bool:
        """Whether a test of a property depends on the time."""
        return any(test.is_.is_timed for test in self.where)

    def list_found(self, subject: Subject, now: datetime) -> list[Happened]:
        """Return the events, in no order."""
        holds = self._window(now)
        return [
            (at, properties)
            for at, properties in subject.history.get(self.event, ())
            if holds(at) and all(test.matches(properties, now) for test in self.where)
        ]

    def _window(self, now: datetime) -> Any:
        if self.during is not None:
            begin, end = self.during.bounds(now)
            return lambda at: begin <= at < end and at <= now
        if self.within_days is not None:
            since = now - timedelta(days=self.within_days)
            return lambda at: since < at <= now
        return lambda at: at <= now

    def to_sql(self, selection: Selection) -> Fragment:
        """Return the condition on rows of the activity table."""
        return join(" AND ", [*self._time_sql(selection), *self._tests_sql(selection)])

    def join_having(
        self, selection: Selection, having: Fragment, lines: Fragment = NONE
    ) -> Fragment:
        """Join who has such events of which ``having`` is true; return the column.

        It is NULL for those left out. ``lines`` is joined to each event: more rows of it.
        """
        activity = selection.catalogue.activity
        return selection.join(
            sql(
                "SELECT {} AS profile_id FROM {}{} WHERE {} GROUP BY 1 HAVING {}",
                activity.profile_id,
                activity.relation,
                lines,
                self.to_sql(selection),
                having,
            )
        )

    def _time_sql(self, selection: Selection) -> list[Fragment]:
        activity, now = selection.catalogue.activity, selection.now
        tests = [
            sql("{} = {}", activity.name, self.event),
            sql("{} <= {}", activity.occurred_at, now),
        ]
        if self.within_days is not None:
            since = now - timedelta(days=self.within_days)
            tests.append(sql("{} > {}", activity.occurred_at, since))
        if self.during is not None:
            begin, end = self.during.bounds(now)
            tests.append(sql("{} >= {}", activity.occurred_at, begin))
            tests.append(sql("{} < {}", activity.occurred_at, end))
        return tests

    def _tests_sql(self, selection: Selection) -> list[Fragment]:
        activity = selection.catalogue.activity
        return [where_sql(test, activity, selection.now) for test in self.where]

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which other events are found."""
        happened = subject.history.get(self.event, ())
        if not happened:
            return None
        changes = [at for at, _ in happened if at > now]
        if self.has_timed_tests:
            changes += _test_changes(self.where, happened, now)
        if self.within_days is not None:
            ends = (shift(at, self.within_days) for at, _ in happened)
            changes += [end for end in ends if end is not None and end > now]
        if self.during is not None:
            reach = now - timedelta(days=self.during.reach_days)
            if any(at > reach for at, _ in happened):
                changes.append(self.during.next_change(now))
        return min(changes, default=None)

    def look(self, properties: Iterable[str] = ()) -> Look:
        """Return what is needed of the history, with further properties that are looked at."""
        reach = self.during.reach_days if self.during is not None else self.within_days
        timed = None if self.has_timed_tests else reach or 0.0
        return Look(frozenset((*(test.property for test in self.where), *properties)), reach, timed)

    def describe_window(self) -> str:
        """Say the window in words, with a space before; nothing when there is none."""
        if self.during is not None:
            return f" {self.during.describe()}"
        return "" if self.within_days is None else f" in the last {quote_days(self.within_days)}"

    def describe(self) -> str:
        """Say which events are meant."""
        return f"“{self.event}”{self.describe_window()}{describe_wheres(self.where)}"


def answer_of(found: Fragment, *, is_absent: bool) -> Fragment:
    """Return the condition that a joined column is there, or that it is absent."""
    return sql("({} IS NULL)", found) if is_absent else sql("({} IS NOT NULL)", found)


def where_sql(test: Where, activity: ActivityTable, now: datetime) -> Fragment:
    """Return a test of a property of a row of the activity table; never NULL."""
    value = json_value(sql("({} -> {}::text)", activity.properties, test.property))
    return answer_sql(test.is_, test.is_.to_sql(value, now))


def _test_changes(
    wheres: Iterable[Where], happened: Iterable[Happened], now: datetime
) -> list[datetime]:
    found = (
        test.is_.next_change(properties[test.property], now)
        for _, properties in happened
        for test in wheres
        if properties.get(test.property) is not None
    )
    return [at for at in found if at is not None]
