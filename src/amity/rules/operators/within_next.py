"""``within_next``: a moment soon to come."""

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


@operators.register("within_next")
class WithinNext(Operator, frozen=True, tag="within_next"):
    """A moment to come within so many days."""

    days: Days

    label: ClassVar[str] = "is in the next"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("days", "days"),)
    is_timed: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        moment = instant_of(actual)
        return moment is not None and now < moment <= now + timedelta(days=self.days)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        edge = now + timedelta(days=self.days)
        return sql("({} > {} AND {} <= {})", value.instant, now, value.instant, edge)

    def describe(self, field: str) -> str:
        return f"{field} is in the next {quote_days(self.days)}"

    def next_change(self, actual: Any, now: datetime) -> datetime | None:
        moment = instant_of(actual)
        if moment is None:
            return None
        changes = (shift(moment, -self.days), moment)
        return min((at for at in changes if at is not None and at > now), default=None)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(30), cls(0.5)]
