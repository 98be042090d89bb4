"""``contains_all``: a list or a text with every of several in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from amity.rules.containing import Containing
from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import Value, operators, quote


@operators.register("contains_all")
class ContainsAll(Containing, frozen=True, tag="contains_all"):
    """A list with every of these as an element, or a text with every of these texts in it."""

    label: ClassVar[str] = "contains all of"

    def matches(self, actual: Any, now: datetime) -> bool:
        return all(self.find(actual, now))

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("({})", join(" AND ", self.find_sql(value)))

    def describe(self, field: str) -> str:
        return f"{field} contains all of {', '.join(map(quote, self.values))}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(("FR", "a")), cls(("a", 1, True)), cls((0, 1.0)), cls(("", "%")), cls((False,))]
