"""Doing the long work that waits, as the worker does."""

from datetime import datetime

import numpy as np

from amity.analysis import api_work

_KINDS = tuple(kind for kinds in api_work.LANES.values() for kind in kinds)


def work_off(*, now: datetime, most: int = 100) -> int:
    """Do all work that waits, the longest waiting first; return how many pieces were done."""
    done = 0
    while done < most and api_work.run_waiting_work(
        kinds=_KINDS, now=now, rng=np.random.default_rng(1)
    ):
        done += 1
    return done
