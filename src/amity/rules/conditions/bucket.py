"""``bucket``: a share of all customers, drawn at random and for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from msgspec import Meta

from amity.kernel.draw import draw
from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name

Percent = Annotated[float, Meta(ge=0, le=100)]


@conditions.register("bucket")
class InBucket(Condition, frozen=True, tag="bucket", rename={"from_": "from"}):
    """A share of all customers at random: those drawn `from` up to, but not at, `to` percent.

    The draw is a hash of `salt` and the customer, so it never changes: 0 to 10 and 10 to 20 of one
    salt share nobody, and another salt draws anew. It goes with the profile: of two that turn out
    to be one customer the draw of the one that lives on counts, and should they be told apart
    again each has their own.
    """

    salt: Name
    to: Percent
    from_: Percent = 0.0

    def __post_init__(self) -> None:
        if self.from_ >= self.to:
            raise ValueError("`from` is not below `to`")

    def matches(self, subject: Subject, now: datetime) -> bool:
        if subject.profile_id is None:
            return False
        return self.from_ / 100 <= draw(self.salt, subject.profile_id) < self.to / 100

    def to_sql(self, selection: Selection) -> Fragment:
        drawn = selection.catalogue.draw(self.salt, selection.catalogue.profile_id)
        return sql("({} >= {} AND {} < {})", drawn, self.from_ / 100, drawn, self.to / 100)

    def describe(self, names: Names = NO_NAMES) -> str:
        if self.from_ == 0:
            return f"is in the first {self.to:g} % of the draw “{self.salt}”"
        return f"is from {self.from_:g} to {self.to:g} % of the draw “{self.salt}”"

    def mentions(self) -> Mentions:
        return Mentions(draws=frozenset((self.salt,)))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("spring", 10), cls("spring", 60, 10), cls("é:", 99.9, 0.1), cls("x", 100)]
