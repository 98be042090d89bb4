"""What crosses the doors about retention: rules, runs, and what they remove."""

from datetime import datetime
from typing import Literal

import msgspec

from amity.store.contracts_consent import LawfulBasis

RunState = Literal["running", "finished", "failed"]
Narrowing = Literal["", "events"]


class RetentionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What people decide about a rule."""

    keep_days: int
    basis: LawfulBasis
    reason: str
    is_enabled: bool = True
    every_hours: int = 24
    names: list[str] = []
    """Of events only those of these names; empty means all."""
    source_id: int | None = None
    """Of events only those of this source."""


class RetentionRule(RetentionPlan, frozen=True, kw_only=True):
    """How long something is kept, and why."""

    key: str
    kind: str
    title: str
    does: str
    """What happens to what is too old, in a sentence."""
    tables: list[str]
    """The tables and kinds of files it is about, as the data map calls them."""
    least_days: int
    """It cannot be kept for less: something else needs it for so long."""
    default_days: int
    narrowing: Narrowing = ""
    is_extra: bool = False
    """Whether people added it; then it can be deleted."""
    set_by: str = ""
    """"" = as delivered."""
    set_at: datetime | None = None
    next_run_at: datetime | None = None
    """None = as soon as the worker comes to it."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What a run removed, or would remove."""

    rows: int = 0
    size_bytes: int = 0
    """As the rows and files measured; freed space shows in the database's files later."""
    files: int = 0
    tables: dict[str, int] = {}
    oldest_at: datetime | None = None
    newest_at: datetime | None = None

    def join(self, other: "Removal") -> "Removal":
        """Return both together."""
        names = sorted(self.tables.keys() | other.tables.keys())
        oldest = [each for each in (self.oldest_at, other.oldest_at) if each is not None]
        newest = [each for each in (self.newest_at, other.newest_at) if each is not None]
        return Removal(
            rows=self.rows + other.rows,
            size_bytes=self.size_bytes + other.size_bytes,
            files=self.files + other.files,
            tables={n: self.tables.get(n, 0) + other.tables.get(n, 0) for n in names},
            oldest_at=min(oldest, default=None),
            newest_at=max(newest, default=None),
        )


class RetentionSlice(msgspec.Struct, frozen=True, kw_only=True):
    """What one bounded step removed, and where the next begins."""

    removed: Removal = Removal()
    cursor: str = ""
    is_last: bool


class RetentionPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would remove now."""

    rule_key: str
    before: datetime
    removal: Removal
    is_capped: bool = False
    """Counted only up to a limit: it is more."""


class RetentionRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a rule."""

    run_id: int
    rule_key: str
    state: RunState
    asked_by: str
    """"" = it was due."""
    before: datetime
    keep_days: int
    removed: Removal
    started_at: datetime
    finished_at: datetime | None
    worked_seconds: float
    failure: str


class TableSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much a table holds."""

    rows: int
    is_exact: bool
    """False: what the server last counted, about right."""
    size_bytes: int


class NoticeAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """How one wording was answered."""

    accepted: int
    """People, erased ones included, who said yes to these words."""
    refused: int
    last_at: datetime | None
