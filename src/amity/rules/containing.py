"""What the two tests of several elements share: who holds which of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    NUMBERS,
    Operator,
    Parameter,
    Scalar,
    Value,
    ValueType,
    check_number,
    exact,
)


class Containing(Operator, frozen=True):
    """A list with some elements, or a text with some texts in it."""

    values: Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=100)]

    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("values", "scalars"),)

    def __post_init__(self) -> None:
        for value in self.values:
            check_number(value)

    def find(self, actual: Any, now: datetime) -> list[bool]:
        """Say of each of the values whether it is in there; none is in what holds nothing."""
        if isinstance(actual, list):
            return [any(_same(value, element) for element in actual) for value in self.values]
        if isinstance(actual, str):
            return [isinstance(value, str) and value in actual for value in self.values]
        return [False]

    def find_sql(self, value: Value) -> list[Fragment]:
        """Return `find` as SQL, never NULL but where there is no value."""
        return [_holds(value, wanted) for wanted in self.values]


def _same(value: Any, element: Any) -> bool:
    if value.__class__ in NUMBERS:
        return bool(element.__class__ in NUMBERS and element == value)
    return bool(element.__class__ is value.__class__ and element == value)


def _holds(value: Value, wanted: Any) -> Fragment:
    if isinstance(wanted, str):
        in_text = sql("position({} IN {}) > 0", wanted, value.text)
        element = sql("{}::text", wanted)
    elif isinstance(wanted, bool):
        in_text, element = sql("false"), sql("{}::boolean", wanted)
    else:
        in_text, element = sql("false"), sql("{}::numeric", exact(wanted))
    return sql(
        "CASE jsonb_typeof({}) WHEN 'string' THEN {} "
        "WHEN 'array' THEN ({} @> to_jsonb({})) ELSE false END",
        value.json,
        in_text,
        value.json,
        element,
    )
