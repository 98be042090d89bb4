"""Waiting until the worker has understood what was sent."""

import time
from typing import Final

from amity.cli.demo.sending import Progress
from amity.cli.demo.understand import SEGMENTS, count_filled_segments
from amity.kernel.errors import Unavailable
from amity.store import api

POLL_SECONDS: Final = 0.25
_STALLED_SECONDS: Final = 90.0
_FILLING_SECONDS: Final = 600.0


def wait_for_the_fold(progress: Progress) -> None:
    """Wait until every consumer has handled all events.

    Raises Unavailable when none of them moves for a minute and a half.
    """
    most = least = _lag()
    moved_at = time.monotonic()
    while least:
        progress("Understanding", most - least, most)
        time.sleep(POLL_SECONDS)
        lag = _lag()
        if lag != least:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _STALLED_SECONDS:
            raise Unavailable(f"{lag} events are waiting and the worker does not move")
        least, most = lag, max(most, lag)


def wait_for_the_segments(progress: Progress) -> None:
    """Wait until history has been read for every segment of the demo.

    Raises Unavailable after ten minutes.
    """
    deadline = time.monotonic() + _FILLING_SECONDS
    while (filled := count_filled_segments()) < len(SEGMENTS):
        progress("Segments", filled, len(SEGMENTS))
        if time.monotonic() > deadline:
            raise Unavailable("the worker does not fill the segments")
        time.sleep(POLL_SECONDS)


def _lag() -> int:
    return max((consumer.events for consumer in api.stats().consumers), default=0)
