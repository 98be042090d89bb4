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
