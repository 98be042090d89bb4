"""``not_contains``: a text or a list without something in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Text, Value, ValueType, operators, quote


@operators.register("not_contains")
class Lacks(Operator, frozen=True, tag="not_contains"):
    """A text without this in it, or a list without this text; anything else is left out."""

    value: Text

    label: ClassVar[str] = "does not contain"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "text"),)

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str | list) and self.value not in actual

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(
            "CASE jsonb_typeof({}) WHEN 'string' THEN position({} IN {}) = 0 "
            "WHEN 'array' THEN NOT ({} @> to_jsonb({}::text)) ELSE false END",
            value.json,
            self.value,
            value.text,
            value.json,
            self.value,
        )

    def describe(self, field: str) -> str:
        return f"{field} does not contain {quote(self.value)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("a", "%", "_", "\\", "é", "ab")]
