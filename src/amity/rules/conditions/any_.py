"""``any``: one inner condition holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules.condition import NO_NAMES, Names, conditions
from amity.rules.fragment import Fragment
from amity.rules.joined import Joined
from amity.rules.operator import operators
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.writer import Writer


@conditions.register("any")
class Any_(Joined, frozen=True, tag="any"):  # `Any` is typing's
    """Whoever passes one inner rule at least; without any, no one."""

    decides = True

    def matches(self, subject: Subject, now: datetime) -> bool:
        return any(rule.matches(subject, now) for rule in self.of)

    def source(self, writer: Writer) -> str:
        return " or ".join(f"({rule.source(writer)})" for rule in self.of) or "False"

    def to_sql(self, selection: Selection) -> Fragment:
        return self.join_sql(selection, empty=False)

    def describe(self, names: Names = NO_NAMES) -> str:
        return self.join_words("or", "no one", names)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        french = conditions["check"]("trait.country", operators["eq"]("FR"))
        return [cls((french, conditions["did"]("Order Completed"))), cls(())]
