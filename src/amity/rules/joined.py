"""What `all` and `any` have in common."""

from __future__ import annotations

from datetime import datetime

from amity.rules import condition
from amity.rules.condition import Condition, Names
from amity.rules.fragment import Fragment, join, sql
from amity.rules.selection import Selection
from amity.rules.subject import Subject


class Joined(Condition, frozen=True):
    """Conditions of which all, or one, must hold."""

    of: tuple[condition.AnyCondition, ...]

    def parts(self) -> tuple[Condition, ...]:
        return self.of

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        found = (rule.next_change(subject, now) for rule in self.of)
        return min((at for at in found if at is not None), default=None)

    def join_words(self, word: str, empty: str, names: Names) -> str:
        if not self.of:
            return empty
        inner = (
            f"({rule.describe(names)})"
            if isinstance(rule, Joined) and len(rule.of) > 1
            else rule.describe(names)
            for rule in self.of
        )
        return f" {word} ".join(inner)

    def join_sql(self, selection: Selection, *, empty: bool) -> Fragment:
        if not self.of:
            return sql("true") if empty else sql("false")
        conditions = [rule.to_sql(selection) for rule in self.of]
        inner = join(" AND ", conditions) if empty else join(" OR ", conditions)
        return sql("({})", inner)
