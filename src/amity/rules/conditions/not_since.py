"""``not_since``: something that has not happened since something else did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import EventFilter, Step, Wheres, answer_of, describe_wheres
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions, join_looks
from amity.rules.operator import operators
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name, Where


@conditions.register("not_since")
class NotSince(Condition, frozen=True, tag="not_since"):
    """An event has not happened after the last (or the first) time that another did.

    What happened at the very same moment is not after it.  Where the other event never happened
    there is no "since", and nobody passes.
    """

    event: Name
    since: Step
    where: Wheres = ()
    which: Literal["last", "first"] = "last"

    @property
    def _events(self) -> EventFilter:
        return EventFilter(self.event, self.where)

    @property
    def _starts(self) -> EventFilter:
        return EventFilter.of(self.since)

    def matches(self, subject: Subject, now: datetime) -> bool:
        starts = [at for at, _ in self._starts.list_found(subject, now)]
        if not starts:
            return False
        start = max(starts) if self.which == "last" else min(starts)
        return all(at <= start for at, _ in self._events.list_found(subject, now))

    def to_sql(self, selection: Selection) -> Fragment:
        activity = selection.catalogue.activity
        event, starts = self._events.to_sql(selection), self._starts.to_sql(selection)
        extreme = "max({})" if self.which == "last" else "min({})"
        start = sql(extreme, sql("CASE WHEN {} THEN {} END", starts, activity.occurred_at))
        latest = sql("max(CASE WHEN {} THEN {} END)", event, activity.occurred_at)
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE ({}) OR ({}) GROUP BY 1 "
                "HAVING {} IS NOT NULL AND coalesce({} <= {}, true)",
                activity.profile_id,
                activity.relation,
                event,
                starts,
                start,
                latest,
                start,
            )
        )
        return answer_of(found, is_absent=False)

    def describe(self, names: Names = NO_NAMES) -> str:
        since = f"since the {self.which} {self.since.describe()}"
        return f"has not done “{self.event}”{describe_wheres(self.where)} {since}"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        changes = (each.next_change(subject, now) for each in (self._events, self._starts))
        return min((at for at in changes if at is not None), default=None)

    def mentions(self) -> Mentions:
        both = (self._events, self._starts)
        looks = join_looks({each.event: each.look()} for each in both)
        return Mentions(looks=looks, is_timed=any(each.is_timed for each in both))

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where), (self.since.event, self.since.where))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        big = (Where("total", operators["gte"](50)),)
        return [
            cls("Order Completed", Step("Product Added")),
            cls("Order Completed", Step("Order Completed"), which="first"),
            cls("Order Completed", Step("Order Completed", big), where=big, which="first"),
            cls(
                "Page Viewed",
                Step("Trial Started", (Where("ends_at", operators["within_next"](3)),)),
            ),
        ]
