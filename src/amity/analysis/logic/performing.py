"""Every kind of long work by its name, for the worker: from what was asked to who does it."""

from collections.abc import Callable, Collection
from datetime import datetime
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from amity.analysis.contracts_reports import ReportRow
from amity.analysis.contracts_work import WorkKind
from amity.analysis.logic.reporting import row_customers, running
from amity.analysis.logic.segment_tools import tasks
from amity.analysis.logic.working import queue
from amity.analysis.logic.working.doing import Task, perform
from amity.kernel.errors import AmityError


class _Turn(NamedTuple):
    """When work is done, by what chance, for whom."""

    now: datetime
    rng: np.random.Generator
    by: str


def _open_row(asked: dict[str, Any], turn: _Turn) -> Task[Any]:
    row = ReportRow(
        name=asked["report"], given=asked["given"], table=asked["table"], key=asked["row"]
    )
    return row_customers.make_task(row, now=turn.now)


_TASKS: Final[dict[WorkKind, Callable[[dict[str, Any], _Turn], Task[Any]]]] = {
    "report": lambda asked, turn: running.make_task(asked["report"], asked["given"], now=turn.now),
    "row_customers": _open_row,
    "differences": lambda asked, turn: tasks.compare(**asked, now=turn.now),
    "lookalikes": lambda asked, turn: tasks.resemble(**asked, now=turn.now, rng=turn.rng),
    "lookalikes_saved": lambda asked, turn: tasks.save_nearest(**asked, by=turn.by, now=turn.now),
    "groups": lambda _, turn: tasks.group(now=turn.now, rng=turn.rng),
    "groups_saved": lambda _, turn: tasks.save_groups(by=turn.by, now=turn.now),
    "model": lambda asked, turn: _scoring().learn(**asked, now=turn.now),
    "scores": lambda _, turn: _scoring().score(now=turn.now),
    "store_scores": lambda asked, turn: _scoring().score_store(**asked, now=turn.now),
}


def _scoring() -> ModuleType:
    from amity.analysis.logic.scoring import tasks as scoring  # noqa: PLC0415  # loads slowly

    return scoring


def run_waiting(*, kinds: Collection[WorkKind], now: datetime, rng: np.random.Generator) -> int:
    """Do the work of some kinds that waits longest; return 1, or 0 when none waits."""
    taken = queue.take(kinds, now=now)
    if taken is None:
        return 0
    turn = _Turn(now, rng, taken.by)
    try:
        # What was asked may not be there any more: that is said to who waits, too.
        perform(taken.work_id, lambda doing: _TASKS[taken.kind](taken.parameters, turn).act(doing))
    except AmityError:
        # Said to who waits.
        return 1
    return 1
