"""``length``: how many characters a text has, or how many elements a list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Value, ValueType, operators

Size = Annotated[int, Meta(ge=0, le=1_000_000)]


@operators.register("length")
class HasLength(Operator, frozen=True, tag="length"):
    """A text of so many characters, or a list of so many elements, both ends included."""

    low: Size
    high: Size

    label: ClassVar[str] = "has a length between"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("low", "number"),
        Parameter("high", "number"),
    )

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("`low` is above `high`")

    def matches(self, actual: Any, now: datetime) -> bool:
        return isinstance(actual, str | list) and self.low <= len(actual) <= self.high

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(
            "CASE jsonb_typeof({}) WHEN 'string' THEN char_length({}) "
            "WHEN 'array' THEN jsonb_array_length({}) END BETWEEN {} AND {}",
            value.json,
            value.text,
            value.json,
            self.low,
            self.high,
        )

    def describe(self, field: str) -> str:
        return f"{field} has a length between {self.low:,} and {self.high:,}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(1, 2), cls(0, 0), cls(2, 1_000_000), cls(5, 20)]
