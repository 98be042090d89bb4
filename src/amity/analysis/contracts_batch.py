"""What crosses the door about rules asked of the warehouse, and of the past."""

from datetime import datetime

import msgspec

from amity.rules import Explanation


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who passes a rule by what the warehouse holds."""

    words: str
    profile_ids: list[int]
    """In order; of profiles merged into others only those that live on."""
    of_profiles: int
    asked_at: datetime
    """The moment the rule was asked about."""
    complete_at: datetime | None
    """Since when the warehouse may lack what happened; None when that is not known."""


class PastMembership(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody was in a segment at a moment, and why, by what was known then."""

    segment_id: int
    profile_id: int
    at: datetime
    entered_at: datetime | None
    """When the stay began; None when she was not in it."""
    left_at: datetime | None
    """When it ended; None while it lasts."""
    rule_version: int
    """The version of the rule that was in force."""
    why: Explanation
    """That rule, part by part, asked of her as she was known then."""
    notes: list[str]
    """What is not known of then, and so counts as missing or as it is now."""
