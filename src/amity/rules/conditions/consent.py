"""``consent``: what the gate allows now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name
from amity.rules.writer import Writer


@conditions.register("consent")
class HasConsent(Condition, frozen=True, tag="consent"):
    """Data may be used for a purpose now, as the gate has it.

    A yes that was taken back, has expired or is on pause does not pass; a purpose that needs no
    consent passes until the customer objects. To ask what was said, use `said_yes`.
    """

    purpose: Name

    def matches(self, subject: Subject, now: datetime) -> bool:
        window = subject.allowed.get(self.purpose)
        return window is not None and window.holds(now)

    def source(self, writer: Writer) -> str:
        return writer.window("allowed", self.purpose)

    def to_sql(self, selection: Selection) -> Fragment:
        return selection.catalogue.may_use(self.purpose, selection.now)

    def describe(self, names: Names = NO_NAMES) -> str:
        return f"allows “{self.purpose}” now"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        window = subject.allowed.get(self.purpose)
        return None if window is None else window.next_change(now)

    def mentions(self) -> Mentions:
        return Mentions(purposes=frozenset((self.purpose,)), is_timed=True)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls("marketing.email")]
