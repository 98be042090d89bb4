"""``contains``: a text or a list with something in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Text, Value, ValueType, operators, quote


@operators.register("contains")
class Contains(Operator, frozen=True, tag="contains"):
    """A text with this in it, or a list with this text as an element; capitals count."""

    value: Text

    label: ClassVar[str] = "contains"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "text"),)

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str | list) and self.value in actual

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(
            "CASE jsonb_typeof({}) WHEN 'string' THEN position({} IN {}) > 0 "
            "WHEN 'array' THEN ({} @> to_jsonb({}::text)) ELSE false END",
            value.json,
            self.value,
            value.text,
            value.json,
            self.value,
        )

    def describe(self, field: str) -> str:
        return f"{field} contains {quote(self.value)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("a", "%", "_", "\\", "é", "ab")]
