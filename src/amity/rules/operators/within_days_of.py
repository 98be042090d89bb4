"""``within_days_of``: an instant near a given one, on either side."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    Days,
    Operator,
    Parameter,
    Text,
    Value,
    ValueType,
    instant_of,
    operators,
    quote_days,
    read_instant,
)


@operators.register("within_days_of")
class WithinDaysOf(Operator, frozen=True, tag="within_days_of"):
    """An instant so many days at most before or after a given one, both ends included."""

    value: Text
    days: Days

    label: ClassVar[str] = "is near the date"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("value", "instant"),
        Parameter("days", "days"),
    )

    def __post_init__(self) -> None:
        self._bounds()

    def _bounds(self) -> tuple[datetime, datetime]:
        moment, span = read_instant(self.value), timedelta(days=self.days)
        try:
            return moment - span, moment + span
        except OverflowError as error:
            raise ValueError(f"{self.days:g} days from {self.value} there is no date") from error

    def matches(self, actual: Any, now: datetime) -> bool:
        moment = instant_of(actual)
        low, high = self._bounds()
        return moment is not None and low <= moment <= high

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        low, high = self._bounds()
        return sql("{} BETWEEN {} AND {}", value.instant, low, high)

    def describe(self, field: str) -> str:
        return f"{field} is within {quote_days(self.days)} of {self.value}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("2026-02-01", 30), cls("2026-01-31T08:00:00Z", 0.5)]
