"""``not_in``: there, and none of several values."""

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


@operators.register("not_in")
class IsNoneOf(Operator, frozen=True, tag="not_in"):
    """Known, and none of the values.  Who has no value is left out, as with `ne`."""

    values: Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=1000)]

    label: ClassVar[str] = "is known and none of"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "number", "flag"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("values", "scalars"),)

    def __post_init__(self) -> None:
        for value in self.values:
            check_number(value)

    def matches(self, actual: Any, now: datetime) -> bool:
        kind = actual.__class__
        kinds = NUMBERS if kind in NUMBERS else {kind}
        return not any(value.__class__ in kinds and value == actual for value in self.values)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        texts = [wanted for wanted in self.values if isinstance(wanted, str)]
        flags = [wanted for wanted in self.values if isinstance(wanted, bool)]
        numbers = [exact(wanted) for wanted in self.values if not isinstance(wanted, str | bool)]
        tests = [sql("{} IS NOT NULL", value.json)]
        if texts:
            tests.append(sql("NOT coalesce({} = ANY({}::text[]), false)", value.text, texts))
        if flags:
            tests.append(
                sql("{} NOT IN (SELECT to_jsonb(unnest({}::boolean[])))", value.json, flags)
            )
        if numbers:
            tests.append(sql("NOT coalesce({} = ANY({}::numeric[]), false)", value.number, numbers))
        return sql("({})", join(" AND ", tests))

    def describe(self, field: str) -> str:
        return f"{field} is known and none of {', '.join(map(quote, self.values))}"

    def source(self, x: str, bind: Bind) -> str:
        if all(isinstance(value, str) for value in self.values):
            return f"({x}.__class__ is not str or {x} not in {bind(frozenset(self.values))})"
        return f"{bind(self.matches)}({x}, now)"

    def shape(self) -> OneOf:
        return OneOf(self.values, negated=True)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(("FR", "DE")), cls(("FR", 1, True)), cls((0,)), cls((False, "", 0.5))]
