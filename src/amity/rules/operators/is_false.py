"""``is_false``: the truth value false."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Bind, OneOf, Operator, Parameter, Value, ValueType, operators


@operators.register("is_false")
class IsFalse(Operator, frozen=True, tag="is_false"):
    """Exactly false: not 0, and not the text "false"."""

    label: ClassVar[str] = "is false"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    refuses_none: ClassVar[bool] = True

    def matches(self, actual: Any, now: datetime) -> bool:
        return actual is False

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} = 'false'::jsonb", value.json)

    def describe(self, field: str) -> str:
        return f"{field} is false"

    def source(self, x: str, bind: Bind) -> str:
        return f"{x} is False"

    def shape(self) -> OneOf:
        return OneOf((False,))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls()]
