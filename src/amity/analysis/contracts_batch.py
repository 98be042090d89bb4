"""What crosses the door about rules asked of the warehouse, and of the past."""

from datetime import datetime

import msgspec


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
