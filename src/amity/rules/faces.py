"""The faces of a rule as functions: compiled for memory, SQL, what it mentions, why it holds."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from amity.rules.expr import (
    Check,
    Did,
    HasConsent,
    InSegment,
    Names,
    Node,
    Rule,
    SaidYes,
    walk,
)
from amity.rules.fragment import Fragment
from amity.rules.selection import Catalogue, Selection
from amity.rules.subject import Subject
from amity.rules.writer import Writer


class Matcher(msgspec.Struct, frozen=True):
    """A rule ready to be asked many times."""

    rule: Rule
    matches: Callable[[Subject, datetime], bool]

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which the answer may differ by itself.

        None when only an event can change it.  It may come early, never late.
        """
        return self.rule.next_change(subject, now)


def compile_rule(rule: Rule) -> Matcher:
    """Compile a rule to a Python function; takes about as long as a thousand answers, so keep it.

    Nothing is kept here on purpose: to a cache the rules `is 1` and `is true` are equal.
    """
    careful = Writer()
    matches = careful.finish(rule.source(careful))
    bold = Writer(is_bold=True)
    return Matcher(rule, bold.finish(rule.source(bold), otherwise=matches))


def to_sql(rule: Rule, catalogue: Catalogue, now: datetime) -> Fragment:
    """Return the query of the ids of all who pass at ``now``, events up to then considered."""
    selection = Selection(catalogue, now)
    return selection.finish(rule.to_sql(selection))


class Look(msgspec.Struct, frozen=True):
    """What rules need of one event's history: which properties, and how far back (None: ever)."""

    properties: frozenset[str] = frozenset()
    within_days: float | None = 0.0

    def join(self, other: "Look") -> "Look":
        """Return a look that serves both."""
        days = (self.within_days, other.within_days)
        return Look(
            self.properties | other.properties,
            None if None in days else max(day for day in days if day is not None),
        )


def join_looks(all_looks: Iterable[Mapping[str, Look]]) -> dict[str, Look]:
    """Return, by event, a look that serves all."""
    joined: dict[str, Look] = {}
    for looks in all_looks:
        for event, look in looks.items():
            joined[event] = joined.get(event, Look()).join(look)
    return joined


class Mentions(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule looks at: its answer can only change when one of these does, or with time."""

    traits: frozenset[str]
    fields: frozenset[str]
    looks: dict[str, Look]
    """By event, what is needed of its history."""
    purposes: frozenset[str]
    segments: frozenset[int]
    is_timed: bool
    """Whether the answer can change by the passing of time."""

    @property
    def events(self) -> frozenset[str]:
        """The events whose history the rule looks at."""
        return frozenset(self.looks)


def mentions(rule: Rule) -> Mentions:
    """Return what a rule looks at."""
    nodes = list(walk(rule))
    checks = [node for node in nodes if isinstance(node, Check)]
    counts = [node for node in nodes if isinstance(node, Did)]
    return Mentions(
        traits=frozenset(node.name for node in checks if node.is_trait),
        fields=frozenset(node.name for node in checks if not node.is_trait),
        looks=join_looks(
            {node.event: Look(frozenset(test.property for test in node.where), node.within_days)}
            for node in counts
        ),
        purposes=frozenset(
            node.purpose for node in nodes if isinstance(node, HasConsent | SaidYes)
        ),
        segments=frozenset(node.segment_id for node in nodes if isinstance(node, InSegment)),
        is_timed=any(node.is_timed for node in nodes)
        or any(node.is_.is_timed for node in checks)
        or any(
            node.within_days is not None or any(test.is_.is_timed for test in node.where)
            for node in counts
        ),
    )


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule holds for someone or not: its words and truth, and those of its parts."""

    words: str
    holds: bool
    parts: list["Explanation"] = []


def explain(rule: Node, subject: Subject, now: datetime, names: Names) -> Explanation:
    """Say of every part of the rule whether the subject passes it."""
    return Explanation(
        words=rule.describe(names),
        holds=rule.matches(subject, now),
        parts=[explain(part, subject, now, names) for part in rule.parts()],
    )
