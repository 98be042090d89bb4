"""The faces of a rule as functions: compiled for memory, SQL, why it holds."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from amity.rules.condition import Condition, Names
from amity.rules.fragment import Fragment
from amity.rules.rule import Rule
from amity.rules.selection import Catalogue, Selection
from amity.rules.subject import Subject
from amity.rules.sway import Foresight, Timing
from amity.rules.writer import Writer


class Matcher(msgspec.Struct, frozen=True):
    """A rule ready to be asked many times."""

    rule: Rule
    matches: Callable[[Subject, datetime], bool]
    foresee: Foresight
    """The answer if it is the same whatever else is true; see `Condition.foresee`."""

    next_change: Timing
    """The first moment after ``now`` at which the answer may differ by itself.

    None when only an event can change it.  It may come early, never late.
    """


def compile_rule(rule: Rule) -> Matcher:
    """Compile a rule to a Python function; takes about as long as a thousand answers, so keep it.

    Nothing is kept here on purpose: to a cache the rules `is 1` and `is true` are equal.
    """
    careful = Writer()
    matches = careful.finish(rule.source(careful))
    bold = Writer(is_bold=True)
    asked = bold.finish(rule.source(bold), otherwise=matches)
    return Matcher(rule, asked, rule.foresight(), rule.timing())


def to_sql(rule: Rule, catalogue: Catalogue, now: datetime) -> Fragment:
    """Return the query of the ids of all who pass at ``now``, events up to then considered."""
    selection = Selection(catalogue, now)
    return selection.finish(rule.to_sql(selection))


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule holds for someone or not: its words and truth, and those of its parts."""

    words: str
    holds: bool
    parts: list["Explanation"] = []


def explain(rule: Condition, subject: Subject, now: datetime, names: Names) -> Explanation:
    """Say of every part of the rule whether the subject passes it."""
    return Explanation(
        words=rule.describe(names),
        holds=rule.matches(subject, now),
        parts=[explain(part, subject, now, names) for part in rule.parts()],
    )
