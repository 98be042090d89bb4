"""``interested``: so much interest in a topic, or more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    Number,
    Operator,
    Parameter,
    Text,
    Value,
    ValueType,
    check_number,
    exact,
    is_number,
    operators,
    quote,
)


@operators.register("interested")
class IsInterestedIn(Operator, frozen=True, tag="interested"):
    """Points for a topic, as the trait `interests` has them ({topic: points}), at least so many."""

    topic: Text
    value: Number

    label: ClassVar[str] = "show interest in"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("topic", "text"),
        Parameter("value", "number"),
    )

    def __post_init__(self) -> None:
        check_number(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        points = actual.get(self.topic) if isinstance(actual, dict) else None
        return is_number(points) and points >= self.value

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        points = sql("({} -> {}::text)", value.json, self.topic)
        return sql(
            "CASE WHEN jsonb_typeof({}) = 'object' AND jsonb_typeof({}) = 'number' "
            "THEN ({})::numeric >= {} ELSE false END",
            value.json,
            points,
            points,
            exact(self.value),
        )

    def describe(self, field: str) -> str:
        return f"{field} in {quote(self.topic)} of at least {quote(self.value)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("shoes", 3), cls("a", 1), cls("a", 0.5), cls("FR", -1)]
