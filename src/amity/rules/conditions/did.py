"""``did``: how often an event happened, ever or lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from msgspec import Meta

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Look, Mentions
from amity.rules.operator import MAX_DAYS, answer_sql, json_value, operators, quote_days
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name, Where
from amity.rules.writer import Writer

Times = Annotated[int, Meta(ge=0, le=1_000_000)]


@conditions.register("did")
class Did(Condition, frozen=True, tag="did"):
    """How often an event happened, ever or lately; `at_most: 0` is "did not".

    With neither bound it is at least once.  A window takes in events later than its start and
    up to now; an event dated in the future does not count yet.
    """

    event: Name
    where: Annotated[tuple[Where, ...], Meta(max_length=50)] = ()
    at_least: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    at_most: Times | None = None
    within_days: Annotated[float, Meta(gt=0, le=MAX_DAYS)] | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None and self.low > self.at_most:
            raise ValueError("`at_least` is above `at_most`")

    @property
    def low(self) -> int:
        """The fewest times that pass."""
        if self.at_least is not None:
            return self.at_least
        return 1 if self.at_most is None else 0

    def since(self, now: datetime) -> datetime | None:
        """Return the moment after which events count; None when all do."""
        return None if self.within_days is None else now - timedelta(days=self.within_days)

    def _times(self, subject: Subject, now: datetime) -> list[datetime]:
        since = self.since(now)
        return sorted(
            at
            for at, properties in subject.history.get(self.event, ())
            if at <= now
            and (since is None or at > since)
            and all(test.matches(properties, now) for test in self.where)
        )

    def matches(self, subject: Subject, now: datetime) -> bool:
        count = len(self._times(subject, now))
        return count >= self.low and (self.at_most is None or count <= self.at_most)

    def source(self, writer: Writer) -> str:
        tests = [(test.is_, test.property) for test in self.where]
        bounds = (self.low, self.at_most)
        return writer.count(self.event, tests, bounds=bounds, within_days=self.within_days)

    def to_sql(self, selection: Selection) -> Fragment:
        activity = selection.catalogue.activity
        tests = [
            sql("{} = {}", activity.name, self.event),
            sql("{} <= {}", activity.occurred_at, selection.now),
        ]
        since = self.since(selection.now)
        if since is not None:
            tests.append(sql("{} > {}", activity.occurred_at, since))
        for test in self.where:
            value = json_value(sql("({} -> {}::text)", activity.properties, test.property))
            tests.append(answer_sql(test.is_, test.is_.to_sql(value, selection.now)))
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
                join(" AND ", tests),
                having,
            )
        )
        return sql("({} IS NULL)", found) if contrary else sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = NO_NAMES) -> str:
        words = f"did “{self.event}” {self._describe_times()}".rstrip()
        if self.low == 0 and self.at_most == 0:
            words = f"did not “{self.event}”"
        if self.within_days is not None:
            words += f" in the last {quote_days(self.within_days)}"
        if self.where:
            tests = " and ".join(test.is_.describe(test.property) for test in self.where)
            words += f" where {tests}"
        return words

    def _describe_times(self) -> str:
        if self.at_most is None:
            return "" if self.low == 1 else f"at least {self.low:,} times"
        if self.low == self.at_most:
            return f"exactly {_count(self.low)}"
        if self.low == 0:
            return f"at most {_count(self.at_most)}"
        return f"{self.low:,} to {self.at_most:,} times"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        happened = subject.history.get(self.event, ())
        changes = [at for at, _ in happened if at > now]
        if any(test.is_.is_timed for test in self.where):
            changes += self._property_changes(happened, now)
        if self.within_days is not None:
            window = timedelta(days=self.within_days)
            changes += (
                [at + window for at, _ in happened if at + window > now]
                if changes
                else self._expiries(self._times(subject, now), window)
            )
        return min(changes, default=None)

    def _property_changes(
        self, happened: Iterable[tuple[datetime, Mapping[str, Any]]], now: datetime
    ) -> list[datetime]:
        found = (
            test.is_.next_change(properties[test.property], now)
            for _, properties in happened
            for test in self.where
            if properties.get(test.property) is not None
        )
        return [at for at in found if at is not None]

    def _expiries(self, times: list[datetime], window: timedelta) -> list[datetime]:
        """Return when the count sinks past a bound, if nothing else happens."""
        bounds = [self.low] if self.at_most is None else [self.low, self.at_most + 1]
        return [times[len(times) - n] + window for n in bounds if 1 <= n <= len(times)]

    def mentions(self) -> Mentions:
        timed = None if any(test.is_.is_timed for test in self.where) else self.within_days or 0.0
        properties = frozenset(test.property for test in self.where)
        look = Look(properties, self.within_days, timed)
        return Mentions(looks={self.event: look}, is_timed=timed != 0.0)

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
        ]


def _count(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
