"""What crosses the store's door about databases that are pulled."""

from datetime import datetime
from typing import Literal

import msgspec

from amity.store.contracts import ImportProblem

PullState = Literal["draft", "paused", "waiting", "running", "failing"]
ColumnKind = Literal["time", "number", "text", "other"]


class PullTable(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A table or a view of somebody's database."""

    schema: str
    name: str
    is_view: bool = False

    @property
    def label(self) -> str:
        """Its name as people write it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


class PullColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column: what its type is called there, and its place in the primary key (0: none)."""

    name: str
    type: str
    kind: ColumnKind
    key_place: int = 0


class PullPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a database, and as what."""

    schema: str
    relation: str
    cursor_column: str
    """Grows with every change of a row: a time, or a number."""
    key_columns: list[str]
    """Tell rows with the same cursor apart; empty when no two have the same."""
    connector: str
    mapping: dict[str, str] | None = None
    """As of an import; None: guessed from the columns' names."""
    interval_seconds: int = 900
    overlap: int = 300
    """How far each run goes back for what was committed late: seconds, or numbers."""


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A database that is asked again and again for what is new in one of its tables."""

    pull_id: int
    name: str
    source_id: int
    address: str
    """Where it is, for people; without the password."""
    state: PullState
    schema: str
    relation: str
    cursor_column: str
    key_columns: list[str]
    connector: str
    mapping: dict[str, str]
    interval_seconds: int
    overlap: int
    position: str
    """The cursor of the last row that is in, as text; "" before the first."""
    next_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    failures: int
    """Runs in a row that failed."""
    failure: str
    rows_done: int
    stored: int
    duplicate: int
    rejected: int
    problems: list[ImportProblem]
    created_by: str
    created_at: datetime
    revision: int
