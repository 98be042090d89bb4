"""``ends_with``: a text that ends with another."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, Operator, Parameter, Text, Value, ValueType, operators, quote


@operators.register("ends_with")
class EndsWith(Operator, frozen=True, tag="ends_with"):
    """A text that ends so; capitals count, `%` and `_` are plain characters."""

    value: Text

    label: ClassVar[str] = "ends with"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "text"),)
    refuses_none: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str) and actual.endswith(self.value)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("right({}, {}::integer) = {}", value.text, len(self.value), self.value)

    def describe(self, field: str) -> str:
        return f"{field} ends with {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        return f"({x}.__class__ is str and {x}.endswith({bind(self.value)}))"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("a", "%", "_", "\\", "é", "ab")]
