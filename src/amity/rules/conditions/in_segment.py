"""``in_segment``: membership of another segment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.writer import Writer


@conditions.register("in_segment")
class InSegment(Condition, frozen=True, tag="in_segment"):
    """Membership of another segment."""

    segment_id: int

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.segment_id in subject.segments

    def source(self, writer: Writer) -> str:
        return writer.contains("segments", self.segment_id)

    def to_sql(self, selection: Selection) -> Fragment:
        found = selection.join(sql(selection.catalogue.members, self.segment_id))
        return sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = NO_NAMES) -> str:
        return f"is in segment “{names.get(self.segment_id, f'no. {self.segment_id}')}”"

    def mentions(self) -> Mentions:
        return Mentions(segments=frozenset((self.segment_id,)))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(7)]
