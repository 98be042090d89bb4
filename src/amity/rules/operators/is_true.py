"""``is_true``: the truth value true."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, OneOf, Operator, Parameter, Value, ValueType, operators


@operators.register("is_true")
class IsTrue(Operator, frozen=True, tag="is_true"):
    """Exactly true: not 1, and not the text "true"."""

    label: ClassVar[str] = "is true"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    refuses_none: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        return actual is True

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} = 'true'::jsonb", value.json)

    def describe(self, field: str) -> str:
        return f"{field} is true"

    def source(self, x: str, bind: Bind) -> str:
        return f"{x} is True"

    def shape(self) -> OneOf:
        return OneOf((True,))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls()]
