"""``ne``: there, and another value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    NUMBERS,
    Bind,
    OneOf,
    Operator,
    Parameter,
    Scalar,
    Value,
    ValueType,
    check_number,
    exact,
    operators,
    quote,
)


@operators.register("ne")
class Differs(Operator, frozen=True, tag="ne"):
    """Known, and not this value.  Who has no value is left out: `not` with `eq` takes them in."""

    value: Scalar

    label: ClassVar[str] = "is known and not"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "number", "flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "scalar"),)

    def __post_init__(self) -> None:
        check_number(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        value = self.value
        if value.__class__ in NUMBERS:
            return not (actual.__class__ in NUMBERS and actual == value)
        return not (actual.__class__ is value.__class__ and actual == value)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        wanted = self.value
        if isinstance(wanted, str):
            same = sql("{} = {}", value.text, wanted)
        elif isinstance(wanted, bool):
            same = sql("{} = to_jsonb({}::boolean)", value.json, wanted)
        else:
            same = sql("{} = {}", value.number, exact(wanted))
        return sql("({} IS NOT NULL AND NOT coalesce({}, false))", value.json, same)

    def describe(self, field: str) -> str:
        return f"{field} is known and not {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        if isinstance(self.value, bool):
            return f"{x} is not {bind(self.value)}"
        # Of all that is not a number only True and False equal one: 1 and 0.
        if self.value in (0, 1):
            return f"({x} != {bind(self.value)} or {x}.__class__ is bool)"
        return f"{x} != {bind(self.value)}"

    def shape(self) -> OneOf:
        return OneOf((self.value,), negated=True)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("FR", "", 5, 0, 1.0, True)]
