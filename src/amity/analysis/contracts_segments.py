"""What crosses the analysis engine's door about segments beyond their definition."""

from datetime import datetime
from typing import Any, Literal

import msgspec


class RuleDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs between two rules, in words."""

    kind: Literal["added", "removed", "changed"]
    before: str
    """Empty for what was added."""
    after: str
    """Empty for what was removed."""
    inside: str = ""
    """The group of conditions it stands in, such as "at least one of"; empty at the top."""


class SegmentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """How a segment stood from one change of its name, description or rule to the next."""

    segment_id: int
    number: int
    name: str
    description: str
    rule: dict[str, Any]
    words: str
    rule_version: int
    how: Literal["made", "changed", "restored", "recorded"]
    """`recorded`: as it stood when versions began to be kept."""
    restored_from: int | None
    changed_by: str
    changed_at: datetime
    changes: list[RuleDifference]
    """What differs from the version before; nothing for the first."""


class SegmentImpact(msgspec.Struct, frozen=True, kw_only=True):
    """Who would enter and who would leave one segment."""

    segment_id: int
    name: str
    members: int
    """Now."""
    entering: int | None
    """None where it cannot be told: the rule would be too large to look through."""
    leaving: int | None

    @property
    def after(self) -> int | None:
        """How many it would have then."""
        if self.entering is None or self.leaving is None:
            return None
        return self.members + self.entering - self.leaving


class RuleImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What another rule would do to a segment, if it were saved now."""

    changed: SegmentImpact
    differences: list[RuleDifference]
    examples_entering: list[int]
    """Profile ids, the most recently seen first."""
    examples_leaving: list[int]
    dependants: list[SegmentImpact]
    """The segments whose rules ask for this one, directly or through others; the first ten."""
    dependants_left_out: int
    is_building: bool
    """Whether the segment is still being filled by its last rule, so that the numbers may move."""

    @property
    def segment_ids(self) -> list[int]:
        """The segment and those that ask for it."""
        return [each.segment_id for each in (self.changed, *self.dependants)]
