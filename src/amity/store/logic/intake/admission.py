"""Who is let in, and when the others may come back (rule D7). Pure: time is an argument."""

import math
import random
from typing import Final

MAX_RETRY_SECONDS: Final = 300


def retry_after_seconds(wait_seconds: float, rng: random.Random) -> int:
    """Return when to come back: never before ``wait_seconds``, spread so that not all do at once.

    A whole number from 1 to 300, which is what the SDKs understand.
    """
    spread = wait_seconds + rng.uniform(0, 1 + wait_seconds)
    return max(1, min(MAX_RETRY_SECONDS, math.ceil(spread)))


class TokenBucket:
    """Events one sender may send: a steady rate, and a second's worth at once.

    A batch is counted after it was read, so the bucket may go below zero; the next request
    waits until it is above.
    """

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """Return 0 when a request may come in, else how long until it may."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens > 0 else (1 - self._tokens) / self._rate

    def take(self, events: int) -> None:
        """Count events that were let in."""
        self._tokens -= events
