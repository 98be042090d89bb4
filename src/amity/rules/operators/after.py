"""``after``: an instant at or after another."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import (
    Bind,
    Operator,
    Parameter,
    Text,
    Value,
    ValueType,
    instant_of,
    operators,
    read_instant,
)


@operators.register("after")
class After(Operator, frozen=True, tag="after"):
    """A given instant or later; a date alone means its midnight in UTC."""

    value: Text

    label: ClassVar[str] = "is on or after"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("value", "instant"),)

    def __post_init__(self) -> None:
        read_instant(self.value)

    def matches(self, actual: Any, now: datetime) -> bool:
        moment = instant_of(actual)
        return moment is not None and moment >= read_instant(self.value)

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} >= {}", value.instant, read_instant(self.value))

    def describe(self, field: str) -> str:
        return f"{field} is on or after {self.value}"

    def source(self, x: str, bind: Bind) -> str:
        moment = f"{x}_at"
        return (
            f"(({moment} := {bind(instant_of)}({x})) is not None "
            f"and {moment} >= {bind(read_instant(self.value))})"
        )

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("2026-01-31"), cls("2026-02-01T00:30:00+02:00")]
