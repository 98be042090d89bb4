"""The plug point of retention: one way of forgetting, which a rule says the days for.

The store brings its own (`logic/retention`); the engines above and the screens bring theirs, and
whoever runs them all puts them together. A sweep removes in bounded slices and is idempotent: a
slice that is done again removes nothing, so a run that dies is simply carried on.
"""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta

from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import Narrowing, Removal, RetentionRule, RetentionSlice


class Sweep(ABC):
    """One way of forgetting. What it says of itself is how its rule is delivered."""

    kind: str
    title: str
    does: str
    tables: tuple[str, ...]
    """The tables and kinds of files it is about, as the data map calls them."""
    reason: str
    basis: LawfulBasis = "legitimate_interest"
    days: int | None = None
    """None = what the data map says of the first of its tables."""
    least_days: int = 1
    every_hours: int = 24
    is_enabled: bool = True
    narrowing: Narrowing = ""
    keeps_cursor: bool = False
    """Whether a run goes on where the last one ended."""
    is_joined: bool = True
    """Whether a slice runs in the transaction that counts it; else it opens its own."""

    def least(self) -> int:
        """Return for how many days it is needed at least, as things are now."""
        return self.least_days

    def moment(self, rule: RetentionRule, before: datetime) -> datetime:
        """Return when a run began that forgets what is older than ``before``."""
        return before + timedelta(days=max(rule.keep_days, self.least()))

    @abstractmethod
    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Return what would go, and whether that was counted only up to a limit."""

    @abstractmethod
    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Remove one slice, beginning at ``cursor`` ("" at first)."""

    def follow_up(self, now: datetime) -> bool:
        """Do a bounded piece of what slices leave to do; say whether there may be more."""
        return False
