"""What `first_event` and `last_event` have in common: one event picked by its time, then tested."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self

from amity.rules.condition import NO_NAMES, Condition, Names
from amity.rules.event_filter import (
    EventFilter,
    Happened,
    Wheres,
    WindowDays,
    answer_of,
    check_window,
    describe_wheres,
    where_sql,
)
from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Look, Mentions
from amity.rules.operator import answer_sql, column_value, operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator, Name, Where


class Picked(Condition, frozen=True):
    """The first or the last of some events: when it was, and its properties."""

    event: Name
    when: AnyOperator | None = None
    has: Wheres = ()
    where: Wheres = ()
    within_days: WindowDays | None = None
    during: Period | None = None

    word: ClassVar[str]
    """Which one it is, for people."""
    is_last: ClassVar[bool]

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        if self.when is None and not self.has:
            raise ValueError("say what the event must be: `when`, `has` or both")
        if self.when is not None and "instant" not in self.when.accepts:
            raise ValueError(f"{self.when.label!r} does not go with a moment")

    @property
    def events(self) -> EventFilter:
        """The events of which one is picked."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    def _pick(self, subject: Subject, now: datetime) -> list[Happened]:
        """Return the event; several when they happened at the very same moment."""
        found = self.events.list_found(subject, now)
        times = [at for at, _ in found]
        if not times:
            return []
        wanted = max(times) if self.is_last else min(times)
        return [each for each in found if each[0] == wanted]

    def matches(self, subject: Subject, now: datetime) -> bool:
        return any(
            (self.when is None or self.when.matches(at, now))
            and all(test.matches(properties, now) for test in self.has)
            for at, properties in self._pick(subject, now)
        )

    def to_sql(self, selection: Selection) -> Fragment:
        activity = selection.catalogue.activity
        has = [where_sql(test, activity, selection.now) for test in self.has]
        # The properties are tested as events are read, so that only the answer is carried along.
        rows = sql(
            "SELECT {} AS profile_id, {} AS occurred_at, ({}) AS passes, "
            "{} OVER (PARTITION BY {}) AS picked FROM {} WHERE {}",
            activity.profile_id,
            activity.occurred_at,
            join(" AND ", has) if has else sql("true"),
            sql("max({})" if self.is_last else "min({})", activity.occurred_at),
            activity.profile_id,
            activity.relation,
            self.events.to_sql(selection),
        )
        tests = [sql("e.occurred_at = e.picked AND e.passes"), *self._when_sql(selection)]
        found = selection.join(
            sql(
                "SELECT e.profile_id FROM ({}) AS e WHERE {} GROUP BY 1",
                rows,
                join(" AND ", tests),
            )
        )
        return answer_of(found, is_absent=False)

    def _when_sql(self, selection: Selection) -> list[Fragment]:
        if self.when is None:
            return []
        moment = column_value(Fragment("e.occurred_at"), "instant")
        return [answer_sql(self.when, self.when.to_sql(moment, selection.now))]

    def describe(self, names: Names = NO_NAMES) -> str:
        what = f"the {self.word} “{self.event}”{self.events.describe_window()}"
        what += describe_wheres(self.where)
        said = [] if self.when is None else [self.when.describe(what)]
        said += [test.is_.describe(f"{test.property} of {what}") for test in self.has]
        return " and ".join(said)

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        changes = [self.events.next_change(subject, now)]
        for at, properties in self._pick(subject, now):
            if self.when is not None:
                changes.append(self.when.next_change(at, now))
            changes += [
                test.is_.next_change(properties[test.property], now)
                for test in self.has
                if properties.get(test.property) is not None
            ]
        return min((at for at in changes if at is not None), default=None)

    def mentions(self) -> Mentions:
        look = self.events.look(test.property for test in self.has)
        tests = [test.is_ for test in self.has] + ([] if self.when is None else [self.when])
        if any(test.is_timed for test in tests):
            look = Look(look.properties, look.within_days, None)
        return Mentions(looks={self.event: look}, is_timed=look.timed_days != 0.0)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        over_fifty = (Where("total", operators["gt"](50)),)
        online = (Where("affiliation", operators["eq"]("Web")),)
        return [
            cls("Order Completed", operators["more_than_ago"](60), over_fifty),
            cls("Order Completed", has=over_fifty, where=online),
            cls("Order Completed", operators["within_last"](7)),
            cls("Order Completed", operators["after"]("2026-02-20"), within_days=30),
            cls("Trial Started", has=(Where("ends_at", operators["within_next"](3)),)),
            cls(
                "Page Viewed", has=(Where("path", operators["missing"]()),), during=Period("month")
            ),
        ]
