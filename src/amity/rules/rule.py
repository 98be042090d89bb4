"""A rule: any condition. Which there are, the folder of conditions decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from amity.kernel.structs import settle_types
from amity.rules import condition
from amity.rules import conditions as _package
from amity.rules.condition import Condition, conditions, walk
from amity.rules.mentions import Mentions, join_mentions

# Conditions hold conditions: which there are is known when all are there.
conditions.discover(_package, is_whole=False)

if TYPE_CHECKING:
    Rule = Condition
else:
    Rule = condition.close()
settle_types({_package.__name__, condition.__name__})


def mentions(rule: Rule) -> Mentions:
    """Return what a rule looks at, its parts included."""
    return join_mentions(part.mentions() for part in walk(rule))


def iter_conditions() -> Iterator[type[Condition]]:
    """Give every condition there is, for builders and for the reference; by name."""
    yield from sorted(conditions, key=condition.name_of)
