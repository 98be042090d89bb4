"""``anniversary_last``: a date's anniversary is near."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from amity.rules.anniversary import Anniversary, check_whole_days, describe_zone
from amity.rules.operator import Days, Parameter, operators, quote_days


@operators.register("anniversary_last")
class HasAnniversaryLast(Anniversary, frozen=True, kw_only=True, tag="anniversary_last"):
    """A date whose anniversary is today or was in the days before, so many at most."""

    days: Days

    label: ClassVar[str] = "has its anniversary in the last"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("days", "days"),
        Parameter("zone", "zone"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_days(self.days)

    def span(self) -> range:
        return range(-int(self.days), 1)

    def describe(self, field: str) -> str:
        days = quote_days(self.days)
        return f"{field} has its anniversary in the last {days}{describe_zone(self.zone)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(days=7), cls(days=1, zone="Asia/Kathmandu"), cls(days=366), cls(days=200)]
