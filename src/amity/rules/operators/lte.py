"""``lte``: at most a number."""

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


@operators.register("lte")
class IsAtMost(Operator, frozen=True, tag="lte"):
    """A number or less; a text or a truth never is."""

    value: Number

    label: ClassVar[str] = "is at most"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"number"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "number"),)
    refuses_none: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        return is_number(actual) and actual <= self.value

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} <= {}", value.number, exact(self.value))

    def describe(self, field: str) -> str:
        return f"{field} is at most {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        return f"({x}.__class__ in {bind(NUMBERS)} and {x} <= {bind(self.value)})"

    def shape(self) -> Span:
        return Span(high=self.value)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in (0, 10.5, -1, 0.1, 2**53 + 1, 1e15)]
