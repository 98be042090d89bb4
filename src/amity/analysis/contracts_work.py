"""Work that takes long: what is being done, since when, how far it is, why it gave nothing."""

from datetime import datetime
from typing import Final, Literal

import msgspec

WorkKind = Literal[
    "report",
    "row_customers",
    "differences",
    "lookalikes",
    "lookalikes_saved",
    "groups",
    "groups_saved",
    "model",
    "scores",
    "store_scores",
]
WorkArea = Literal["reports", "segments", "models"]
AREAS: Final[dict[WorkKind, WorkArea]] = {
    "report": "reports",
    "row_customers": "reports",
    "differences": "segments",
    "lookalikes": "segments",
    "lookalikes_saved": "segments",
    "groups": "segments",
    "groups_saved": "segments",
    "model": "models",
    "scores": "models",
    "store_scores": "models",
}
"""To which part of the screens each kind of work belongs."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of long work: waiting while `wanted_at` is told, being done since `started_at`.

    With neither it ended, and `error` says why it gave nothing. What was done goes from the list:
    its result, with its age, is where it is always found.
    """

    work_id: int = 0
    kind: WorkKind = "report"
    title: str = ""
    """What is done, for people."""
    wanted_by: str = ""
    wanted_at: datetime | None = None
    started_at: datetime | None = None
    step: int = 0
    """How many steps are done, of how many."""
    steps: int = 0
    doing: str = ""
    """The step it is at."""
    is_cancelled: bool = False
    error: str = ""

    @property
    def area(self) -> WorkArea:
        """To which part of the screens it belongs."""
        return AREAS[self.kind]


class RowCustomers(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers were behind a row of a report, and when that was looked up."""

    list_id: int
    customers: int
    computed_at: datetime


class RowState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a row's customers: the list that was made last, and the next one."""

    found: RowCustomers | None
    work: Work
    is_stale: bool
    """Whether the list is older than lists should be."""
