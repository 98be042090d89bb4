"""``missing``: no value is there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, Operator, Parameter, Value, ValueType, operators


@operators.register("missing")
class Missing(Operator, frozen=True, tag="missing"):
    """No value, or null.  The one operator that a missing value passes."""

    label: ClassVar[str] = "is not known"
    accepts: ClassVar[frozenset[ValueType]] = frozenset(
        {"text", "number", "flag", "instant", "list"}
    )
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    matches_missing: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        return False

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("({} IS NULL)", value.json)

    def describe(self, field: str) -> str:
        return f"{field} is not known"

    def source(self, x: str, bind: Bind) -> str:
        return "False"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls()]
