"""``in``: one of several values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from amity.rules.fragment import Fragment, join, sql
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


@operators.register("in")
class IsOneOf(Operator, frozen=True, tag="in"):
    """Any one of the values, each of its own type."""

    values: Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=1000)]

    label: ClassVar[str] = "is one of"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "number", "flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("values", "scalars"),)
    refuses_none: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for value in self.values:
            check_number(value)

    def matches(self, actual: Any, now: datetime) -> bool:
        kind = actual.__class__
        kinds = NUMBERS if kind in NUMBERS else {kind}
        return any(value.__class__ in kinds and value == actual for value in self.values)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        texts = [wanted for wanted in self.values if isinstance(wanted, str)]
        flags = [wanted for wanted in self.values if isinstance(wanted, bool)]
        numbers = [exact(wanted) for wanted in self.values if not isinstance(wanted, str | bool)]
        tests = []
        if texts:
            tests.append(sql("coalesce({} = ANY({}::text[]), false)", value.text, texts))
        if flags:
            tests.append(sql("{} IN (SELECT to_jsonb(unnest({}::boolean[])))", value.json, flags))
        if numbers:
            tests.append(sql("coalesce({} = ANY({}::numeric[]), false)", value.number, numbers))
        return sql("({})", join(" OR ", tests))

    def describe(self, field: str) -> str:
        if len(self.values) == 1:
            return f"{field} is {quote(self.values[0])}"
        return f"{field} is one of {', '.join(map(quote, self.values))}"

    def source(self, x: str, bind: Bind) -> str:
        if all(isinstance(value, str) for value in self.values):
            # A list cannot be looked up in a set, hence the type first.
            return f"({x}.__class__ is str and {x} in {bind(frozenset(self.values))})"
        return f"{bind(self.matches)}({x}, now)"

    def shape(self) -> OneOf:
        return OneOf(self.values)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(("FR", "DE")), cls(("FR", 1, True)), cls((0,)), cls((False, "", 0.5))]
