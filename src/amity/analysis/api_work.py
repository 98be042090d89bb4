"""The analysis engine's door for work that takes long: asked for, seen by all, stopped by some.

Each piece is done once however many ask for it; its result, with its age, is where it is always
found. Who has it done at once (`api_segment_tools.refresh_clusters`) is seen here too.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import numpy as np

from amity.analysis.contracts import Segment
from amity.analysis.contracts_work import AREAS, Work, WorkArea, WorkKind
from amity.analysis.logic import performing
from amity.analysis.logic.segment_tools import automatic, lookalikes, tasks
from amity.analysis.logic.working import doing, queue
from amity.kernel.errors import Denied, NotFound

LANES: Final[dict[str, tuple[WorkKind, ...]]] = {
    "reports": ("report",),
    "tools": (
        "row_customers",
        "differences",
        "lookalikes",
        "lookalikes_saved",
        "groups",
        "groups_saved",
    ),
    "models": ("model", "scores", "store_scores"),
}
"""What the worker does side by side: seconds of one kind do not wait for an hour of another."""


def run_waiting_work(
    *, kinds: Collection[WorkKind], now: datetime, rng: np.random.Generator
) -> int:
    """Do the work of some kinds that waits longest; return 0 when none waits. For the worker."""
    return performing.run_waiting(kinds=kinds, now=now, rng=rng)


def list_work(*, area: WorkArea | None = None) -> list[Work]:
    """Return what is being done, what waits, and what gave nothing in the last 30 days."""
    return [each for each in queue.list_work() if area in (None, AREAS[each.kind])]


def find_work(*, work_id: int) -> Work | None:
    """Return a piece of work by its number; None when it is done, or there is none."""
    return queue.find_by_id(work_id)


def may_stop(work: Work, *, by: str, may_all: bool) -> bool:
    """Say whether somebody may stop work: what they asked for, with ``may_all`` anybody's."""
    return may_all or work.wanted_by == by != ""


def stop_work(*, work_id: int, by: str, may_all: bool = False) -> None:
    """Stop work within a second or at its next step; an earlier result stays.

    Who waits for it is told who stopped it. Raises NotFound when there is none by that number, or
    it is done, and Denied for what somebody else asked for, without ``may_all``.
    """
    work = queue.find_by_id(work_id)
    if work is None:
        raise NotFound("there is no such work any more", code="no_work")
    if not may_stop(work, by=by, may_all=may_all):
        asked = work.wanted_by or "Amity itself"
        raise Denied(
            f"{asked} asked for it, so it is stopped by them or by who may change things there",
            code="not_yours",
        )
    queue.cancel(work_id, by=by)


def ask_differences(
    *, segment_id: int, against_id: int | None = None, by: str, now: datetime
) -> int:
    """Have it found what sets a segment apart; see `refresh_differences`. Returns its number."""
    return doing.ask(
        tasks.compare(segment_id=segment_id, against_id=against_id, now=now), by=by, now=now
    )


def find_differences_work(*, segment_id: int, against_id: int | None = None) -> Work:
    """Return how far that is."""
    return queue.find("differences", {"segment_id": segment_id, "against_id": against_id})


def ask_lookalikes(*, segment_id: int, by: str, now: datetime) -> int:
    """Have it learnt who resembles a segment's members; see `refresh_lookalikes`."""
    task = tasks.resemble(segment_id=segment_id, now=now, rng=np.random.default_rng(0))
    return doing.ask(task, by=by, now=now)


def find_lookalikes_work(*, segment_id: int) -> Work:
    """Return how far that is."""
    return queue.find("lookalikes", {"segment_id": segment_id})


def ask_saved_lookalikes(*, segment_id: int, size: int, by: str, now: datetime) -> int:
    """Have a segment made of the nearest; see `save_lookalikes`."""
    task = tasks.save_nearest(segment_id=segment_id, size=size, by=by, now=now)
    return doing.ask(task, by=by, now=now)


def find_saved_lookalikes_work(*, segment_id: int) -> Work:
    """Return how far that is."""
    return queue.find("lookalikes_saved", {"segment_id": segment_id})


def find_saved_lookalikes(*, segment_id: int) -> Segment | None:
    """Return the segment that was made of the nearest, or None."""
    return lookalikes.find_saved(segment_id=segment_id)


def ask_clusters(*, by: str, now: datetime) -> int:
    """Have groups of alike customers found; see `refresh_clusters`."""
    return doing.ask(tasks.group(now=now, rng=np.random.default_rng(0)), by=by, now=now)


def ask_saved_clusters(*, by: str, now: datetime) -> int:
    """Have segments made of the groups last found; see `save_clusters`."""
    return doing.ask(tasks.save_groups(by=by, now=now), by=by, now=now)


def find_saved_clusters() -> list[Segment]:
    """Return the segments that were made of the groups last found."""
    return automatic.find_saved()


def find_clusters_work() -> tuple[Work, Work]:
    """Return how far finding groups is, and making segments of them."""
    return queue.find("groups", {}), queue.find("groups_saved", {})
