"""The base of every condition: a part of a rule, with its faces.

A condition is one file in `rules/conditions/`; `amity.testing.rules_kit` proves that its faces
agree.  It has the same faces as an operator: in memory (`matches`, and `source` for the
compiler), in SQL (`to_sql`) and in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, Union

import msgspec

from amity.kernel.registry import Registry
from amity.rules.fragment import Fragment
from amity.rules.mentions import Mentions
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import Foresight, Sway, Swayed, Timing, decided
from amity.rules.where import Where
from amity.rules.writer import Writer

Names = Mapping[int, str]
"""Names of segments by id, for words."""
NO_NAMES: Names = {}


class Named(dict[int, str]):
    """Names of segments by id, and of the campaigns and journeys that rules name by number."""

    def find_run(self, kind: str, number: int) -> str | None:
        """Return the name of a `campaign` or `journey`; None when nothing is known of it."""
        return None


def describe_run(names: Names, kind: str, number: int) -> str:
    """Name a `campaign` or `journey`, by its number where its name is not known."""
    name = names.find_run(kind, number) if isinstance(names, Named) else None
    return f"{kind} no. {number}" if name is None else f"{kind} “{name}”"


class Condition(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="node"
):
    """Any part of a rule.

    ``matches``, the compiled ``source`` and ``to_sql`` must agree on every subject at every time.
    """

    filled: ClassVar[frozenset[str]] = frozenset()
    """Fields that Amity fills in when the rule is kept, whatever stands there before."""

    def matches(self, subject: Subject, now: datetime) -> bool:
        """Say whether the subject passes, read plainly; `compile_rule` gives the fast form."""
        raise NotImplementedError

    def source(self, writer: Writer) -> str:
        """Return Python source of an expression that is the answer."""
        return writer.ask(self.matches)

    def to_sql(self, selection: Selection) -> Fragment:
        """Return a condition that is never NULL, adding to ``selection`` the joins it needs."""
        raise NotImplementedError

    def describe(self, names: Names = NO_NAMES) -> str:
        """Say the rule in words."""
        raise NotImplementedError

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which the answer may differ by itself.

        It may come early, never late.
        """
        return None

    def timing(self) -> Timing:
        """Return the fast form of `next_change`; keep it."""
        return self.next_change

    def mentions(self) -> Mentions:
        """Say what the condition itself looks at, its parts left out."""
        return Mentions()

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        """Give the events that change the answer: each by name, and what it must be like."""
        return ()

    @property
    def own_sway(self) -> Sway:
        """Which way each event it counts moves the answer of the condition itself."""
        return 0

    def sways(self) -> Iterable[Swayed]:
        """Give the events that change the answer, its parts' too, and which way each moves it."""
        for event, where in self.counts():
            yield event, where, self.own_sway
        for part in self.parts():
            for event, where, _ in part.sways():
                yield event, where, 0

    def foresee(self, subject: Subject, now: datetime) -> bool | None:
        """Return the answer if it is the same whatever else is true of the subject.

        Some of its events are known; there may be more of them, and of everything else nothing is
        known. None when the answer hangs on that. Until `next_change` of what is known it stays.
        """
        sway = self.own_sway
        return decided(sway, holds=self.matches(subject, now)) if sway else None

    def foresight(self) -> Foresight:
        """Return the fast form of `foresee`; making it takes long, so keep it."""
        sway = self.own_sway
        if not sway:
            return self.foresee
        writer = Writer()
        matches = writer.finish(self.source(writer))
        return lambda subject, now: decided(sway, holds=matches(subject, now))

    def parts(self) -> tuple[Condition, ...]:
        """Return the conditions directly inside."""
        return ()

    @classmethod
    def examples(cls) -> Iterable[Self]:
        """Return instances for the conformance kit and the reference, the plainest first."""
        raise NotImplementedError


conditions: Registry[Condition] = Registry(Condition, group="amity.conditions")

if TYPE_CHECKING:
    AnyCondition = Condition
else:
    AnyCondition: Any = None
    """The union of all conditions; `close` makes it, before the first rule is read."""


def close() -> Any:
    """Make the union of the conditions that are registered, for those that hold others."""
    globals()["AnyCondition"] = Union[tuple(conditions)]  # noqa: UP007  # made from the registry
    return AnyCondition


def name_of(condition: type[Condition]) -> str:
    """Return the name a condition has in JSON."""
    return str(condition.__struct_config__.tag)


def walk(rule: Condition) -> Iterator[Condition]:
    """Give the rule and every condition inside it, outermost first."""
    yield rule
    for part in rule.parts():
        yield from walk(part)
