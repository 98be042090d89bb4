"""``weekday``: a date falls on one of some days of the week."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from msgspec import Meta

from amity.rules.anniversary import day_sql, day_text, describe_zone
from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Value, ValueType, operators
from amity.rules.period import Zone, check_zone

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_NUMBERS: Final[dict[str, int]] = {
    "monday": 1,
    "tuesday": 2,
    "wednesday": 3,
    "thursday": 4,
    "friday": 5,
    "saturday": 6,
    "sunday": 7,
}


@operators.register("weekday")
class FallsOnWeekday(Operator, frozen=True, tag="weekday"):
    """A date on one of these days of the week: as it is written, an instant as its zone has it."""

    values: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)]
    zone: Zone = "UTC"

    label: ClassVar[str] = "falls on a"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "instant"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("values", "scalars"),
        Parameter("zone", "zone"),
    )

    def __post_init__(self) -> None:
        check_zone(self.zone)

    @property
    def _wanted(self) -> list[int]:
        return [_NUMBERS[value] for value in self.values]

    def matches(self, actual: Any, now: datetime) -> bool:
        day = day_text(actual, self.zone)
        return day is not None and date.fromisoformat(day).isoweekday() in self._wanted

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql(
            "extract(isodow FROM ({})::date)::integer = ANY({}::integer[])",
            day_sql(value, self.zone),
            self._wanted,
        )

    def describe(self, field: str) -> str:
        days = " or ".join(value.title() for value in self.values)
        return f"{field} falls on a {days}{describe_zone(self.zone)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(("saturday", "sunday")), cls(("monday",), "Europe/Paris")]
