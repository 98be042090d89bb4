"""``said_yes``: the last word about a purpose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name
from amity.rules.writer import Writer


@conditions.register("said_yes")
class SaidYes(Condition, frozen=True, tag="said_yes"):
    """The last word about a purpose was yes, whether or not it still holds today.

    Data may not be used on the strength of it: a yes expires, and can be on pause. To ask that,
    use `consent`.
    """

    purpose: Name

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.purpose in subject.consents

    def source(self, writer: Writer) -> str:
        return writer.contains("consents", self.purpose)

    def to_sql(self, selection: Selection) -> Fragment:
        consents = selection.catalogue.consents
        return sql(
            "coalesce({} -> {}::text ->> 'status' = 'granted', false)", consents, self.purpose
        )

    def describe(self, names: Names = NO_NAMES) -> str:
        return f"last said yes to “{self.purpose}”"

    def mentions(self) -> Mentions:
        return Mentions(purposes=frozenset((self.purpose,)))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("marketing.email")]
