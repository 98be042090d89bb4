"""``starts_with``: a text that starts with another."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, Operator, Parameter, Text, Value, ValueType, operators, quote


@operators.register("starts_with")
class StartsWith(Operator, frozen=True, tag="starts_with"):
    """A text that begins so; capitals count, `%` and `_` are plain characters."""

    value: Text

    label: ClassVar[str] = "starts with"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "text"),)
    refuses_none: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str) and actual.startswith(self.value)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("starts_with({}, {})", value.text, self.value)

    def describe(self, field: str) -> str:
        return f"{field} starts with {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        return f"({x}.__class__ is str and {x}.startswith({bind(self.value)}))"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("a", "%", "_", "\\", "é", "ab")]
