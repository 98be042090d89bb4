"""``pattern``: a text that fits a pattern with `*` and `?`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.glob import like_of, matches_glob
from amity.rules.operator import Operator, Parameter, Text, Value, ValueType, operators, quote


@operators.register("pattern")
class FitsPattern(Operator, frozen=True, tag="pattern"):
    """A whole text that fits: `*` is any text, also none, `?` is one character; capitals count."""

    value: Text

    label: ClassVar[str] = "fits the pattern"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "text"),)

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str) and matches_glob(self.value, actual)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} LIKE {}", value.text, like_of(self.value))

    def describe(self, field: str) -> str:
        return f"{field} fits the pattern {quote(self.value)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        patterns = ("F*", "*", "?", "??", "*a*b", "%", "_", "\\", "\\*", "a?*", "*é", "2026-*-3?*")
        return [cls(pattern) for pattern in patterns]
