"""``between``: a number from one to another, both included."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    NUMBERS,
    Bind,
    Number,
    Operator,
    Parameter,
    Span,
    Value,
    ValueType,
    check_number,
    exact,
    is_number,
    operators,
    quote,
)


@operators.register("between")
class Between(Operator, frozen=True, tag="between"):
    """A number from `low` to `high`, both included."""

    low: Number
    high: Number

    label: ClassVar[str] = "is between"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"number"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("low", "number"),
        Parameter("high", "number"),
    )
    refuses_none: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number(self.low)
        check_number(self.high)
        if self.low > self.high:
            raise ValueError("`low` is above `high`")

    def matches(self, actual: Any, now: datetime) -> bool:
        return is_number(actual) and self.low <= actual <= self.high

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} BETWEEN {} AND {}", value.number, exact(self.low), exact(self.high))

    def describe(self, field: str) -> str:
        return f"{field} is between {quote(self.low)} and {quote(self.high)}"

    def source(self, x: str, bind: Bind) -> str:
        return (
            f"({x}.__class__ in {bind(NUMBERS)} and {bind(self.low)} <= {x} <= {bind(self.high)})"
        )

    def shape(self) -> Span:
        return Span(low=self.low, high=self.high)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(0, 1), cls(0.1, 0.3), cls(-5, -5), cls(2**53, 2**53 + 1)]
