"""``eq``: the same value, of the same type."""

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


@operators.register("eq")
class Equals(Operator, frozen=True, tag="eq"):
    """The same text, number or truth; the text "5" is not the number 5, and true is not 1."""

    value: Scalar

    label: ClassVar[str] = "is"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "number", "flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "scalar"),)
    refuses_none: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        value = self.value
        if value.__class__ in NUMBERS:
            return bool(actual.__class__ in NUMBERS and actual == value)
        return bool(actual.__class__ is value.__class__ and actual == value)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        wanted = self.value
        if isinstance(wanted, str):
            return sql("{} = {}", value.text, wanted)
        if isinstance(wanted, bool):
            return sql("{} = to_jsonb({}::boolean)", value.json, wanted)
        return sql("{} = {}", value.number, exact(wanted))

    def describe(self, field: str) -> str:
        return f"{field} is {quote(self.value)}"

    def source(self, x: str, bind: Bind) -> str:
        if isinstance(self.value, bool):
            return f"{x} is {bind(self.value)}"
        # Of all that is not a number only True and False equal one: 1 and 0.
        if self.value in (0, 1):
            return f"({x} == {bind(self.value)} and {x}.__class__ is not bool)"
        return f"{x} == {bind(self.value)}"

    def shape(self) -> OneOf:
        return OneOf((self.value,))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(value) for value in ("FR", "", 5, 0, 1, 1.0, 0.1, 2**53 + 1, True, False)]
