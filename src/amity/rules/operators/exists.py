"""``exists``: a value is there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, Operator, Parameter, Value, ValueType, operators


@operators.register("exists")
class Exists(Operator, frozen=True, tag="exists"):
    """Any value but null, an empty text included."""

    label: ClassVar[str] = "is known"
    accepts: ClassVar[frozenset[ValueType]] = frozenset(
        {"text", "number", "flag", "instant", "list"}
    )
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def matches(self, actual: Any, now: datetime) -> bool:
        return True

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("({} IS NOT NULL)", value.json)

    def describe(self, field: str) -> str:
        return f"{field} is known"

    def source(self, x: str, bind: Bind) -> str:
        return "True"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls()]
