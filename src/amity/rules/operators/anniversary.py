"""``anniversary``: a date's day and month are today's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from amity.rules.anniversary import Anniversary, describe_zone
from amity.rules.operator import operators


@operators.register("anniversary")
class HasAnniversary(Anniversary, frozen=True, tag="anniversary"):
    """A date whose day and month are today's: a birthday.

    29 February is kept on the 28th in years that have none.
    """

    label: ClassVar[str] = "has its anniversary today in"

    def span(self) -> range:
        return range(1)

    def describe(self, field: str) -> str:
        return f"{field} has its anniversary today{describe_zone(self.zone)}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(), cls("Pacific/Auckland"), cls("America/Los_Angeles")]
