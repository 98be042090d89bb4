"""What `all` and `any` have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from amity.rules import condition
from amity.rules.condition import Condition, Names
from amity.rules.fragment import Fragment, join, sql
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import Foresight, Swayed, Timing


class Joined(Condition, frozen=True):
    """Conditions of which all, or one, must hold."""

    of: tuple[condition.AnyCondition, ...]

    decides: ClassVar[bool]
    """The answer of a part that is the answer of the whole."""

    def parts(self) -> tuple[Condition, ...]:
        return self.of

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        found = (rule.next_change(subject, now) for rule in self.of)
        return min((at for at in found if at is not None), default=None)

    def timing(self) -> Timing:
        inner = [rule.timing() for rule in self.of]

        def next_change(subject: Subject, now: datetime) -> datetime | None:
            first: datetime | None = None
            for ask in inner:
                at = ask(subject, now)
                if at is not None and (first is None or at < first):
                    first = at
            return first

        return inner[0] if len(inner) == 1 else next_change

    def sways(self) -> Iterable[Swayed]:
        for rule in self.of:
            yield from rule.sways()

    def foresee(self, subject: Subject, now: datetime) -> bool | None:
        found = {rule.foresee(subject, now) for rule in self.of}
        if self.decides in found:
            return self.decides
        return None if None in found else not self.decides

    def foresight(self) -> Foresight:
        inner = [rule.foresight() for rule in self.of]
        decides = self.decides

        def foresee(subject: Subject, now: datetime) -> bool | None:
            is_open = False
            for ask in inner:
                found = ask(subject, now)
                if found is decides:
                    return found
                is_open = is_open or found is None
            return None if is_open else not decides

        return foresee

    def join_words(self, word: str, empty: str, names: Names) -> str:
        if not self.of:
            return empty
        said = [rule.describe(names) for rule in self.of]
        for number, rule in enumerate(self.of):
            # What follows must not be taken for one more test of the event.
            goes_on = " where " in said[number] and number + 1 < len(said)
            if goes_on or (isinstance(rule, Joined) and len(rule.of) > 1):
                said[number] = f"({said[number]})"
        return f" {word} ".join(said)

    def join_sql(self, selection: Selection, *, empty: bool) -> Fragment:
        if not self.of:
            return sql("true") if empty else sql("false")
        conditions = [rule.to_sql(selection) for rule in self.of]
        inner = join(" AND ", conditions) if empty else join(" OR ", conditions)
        return sql("({})", inner)
