"""What the four comparisons of numbers share; each says only its sign, its words and its span."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    NUMBERS,
    Bind,
    Number,
    Operator,
    Parameter,
    Value,
    ValueType,
    check_number,
    exact,
    is_number,
    quote,
)


class Comparison(Operator, frozen=True):
    """A number beside a constant; a text or a truth never passes."""

    value: Number

    sign: ClassVar[str]
    """The same in Python and in SQL."""
    compare: ClassVar[Callable[[Any, Any], Any]]
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"number"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "number"),)
    refuses_none: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        return is_number(actual) and bool(type(self).compare(actual, self.value))

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(f"{{}} {self.sign} {{}}", value.number, exact(self.value))

    def describe(self, field: str) -> str:
        return f"{field} {self.label} {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        return f"({x}.__class__ in {bind(NUMBERS)} and {x} {self.sign} {bind(self.value)})"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in (0, 10.5, -1, 0.1, 2**53 + 1, 1e15)]
