"""``together``: others of the same household or company, and how many of them are in a segment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from msgspec import Meta

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject

Kind = Literal["household", "company"]
_WORDS: Final[dict[Kind, str]] = {"household": "the household", "company": "the company"}


@conditions.register("together")
class IsTogetherWith(Condition, frozen=True, tag="together"):
    """So many others of the same household or company, or so many that are in a segment.

    In one household or company, if there are several; the customer does not count. What the
    others must be is a segment of its own, so an event of one is worked out for that one, and the
    others are asked only when that one entered or left. Households and companies are those the
    store finds each hour, with what reviews said of them.
    """

    kind: Kind
    segment_id: int | None = None
    at_least: Annotated[int, Meta(ge=1, le=1000)] = 1

    def matches(self, subject: Subject, now: datetime) -> bool:
        group = subject.together.get(self.kind)
        if group is None:
            return False
        count = group.others
        if self.segment_id is not None:
            count = group.members.get(self.segment_id, 0)
        return count >= self.at_least

    def to_sql(self, selection: Selection) -> Fragment:
        catalogue = selection.catalogue
        among = None
        if self.segment_id is not None:
            among = sql(catalogue.members, self.segment_id)
        found = selection.join(catalogue.together(self.kind, among, self.at_least))
        return sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = NO_NAMES) -> str:
        others = "another" if self.at_least == 1 else f"at least {self.at_least:,} others"
        words = f"has {others} in {_WORDS[self.kind]}"
        if self.segment_id is None:
            return words
        name = names.get(self.segment_id, f"no. {self.segment_id}")
        is_are = "who is" if self.at_least == 1 else "who are"
        return f"{words} {is_are} in segment “{name}”"

    def mentions(self) -> Mentions:
        segments = frozenset(() if self.segment_id is None else (self.segment_id,))
        asked = frozenset(((self.kind, None), (self.kind, self.segment_id)))
        return Mentions(segments=segments, together=asked)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("household", 7),
            cls("company", 7, 3),
            cls("household", at_least=3),
            cls("company"),
        ]
