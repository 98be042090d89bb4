"""``within_last``: a moment not long ago."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    Days,
    Operator,
    Parameter,
    Value,
    ValueType,
    instant_of,
    operators,
    quote_days,
    shift,
)


@operators.register("within_last")
class WithinLast(Operator, frozen=True, tag="within_last"):
    """A moment of the last so many days, now included; a moment to come is not."""

    days: Days

    label: ClassVar[str] = "is in the last"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("days", "days"),)
    is_timed: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        moment = instant_of(actual)
        return moment is not None and now - timedelta(days=self.days) < moment <= now

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        edge = now - timedelta(days=self.days)
        return sql("({} > {} AND {} <= {})", value.instant, edge, value.instant, now)

    def describe(self, field: str) -> str:
        return f"{field} is in the last {quote_days(self.days)}"

    def next_change(self, actual: Any, now: datetime) -> datetime | None:
        moment = instant_of(actual)
        if moment is None:
            return None
        changes = (moment, shift(moment, self.days))
        return min((at for at in changes if at is not None and at > now), default=None)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(30), cls(0.5)]
