"""``not``: whoever the inner condition leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules import condition
from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.operator import operators
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import AGAINST, Foresight, Swayed, Timing
from amity.rules.writer import Writer


@conditions.register("not")
class Not(Condition, frozen=True, tag="not"):
    """Whoever the inner rule leaves out, those of whom nothing is known included."""

    of: condition.AnyCondition

    def parts(self) -> tuple[Condition, ...]:
        return (self.of,)

    def matches(self, subject: Subject, now: datetime) -> bool:
        return not self.of.matches(subject, now)

    def source(self, writer: Writer) -> str:
        return f"not ({self.of.source(writer)})"

    def to_sql(self, selection: Selection) -> Fragment:
        return sql("(NOT {})", self.of.to_sql(selection))

    def describe(self, names: Names = NO_NAMES) -> str:
        return f"not ({self.of.describe(names)})"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self.of.next_change(subject, now)

    def timing(self) -> Timing:
        return self.of.timing()

    def sways(self) -> Iterable[Swayed]:
        for event, where, sway in self.of.sways():
            yield event, where, AGAINST[sway]

    def foresee(self, subject: Subject, now: datetime) -> bool | None:
        found = self.of.foresee(subject, now)
        return None if found is None else not found

    def foresight(self) -> Foresight:
        ask = self.of.foresight()

        def foresee(subject: Subject, now: datetime) -> bool | None:
            found = ask(subject, now)
            return None if found is None else not found

        return foresee

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(conditions["check"]("trait.country", operators["eq"]("FR")))]
