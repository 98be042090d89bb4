"""A circuit breaker: a server that fails is left alone, and asked again from time to time."""

import random
from typing import Final

_LONGEST_SECONDS: Final = 60.0


class Circuit:
    """Opens after some failures in a row; then one attempt at a time, at growing distances.

    ``now`` is any monotonic clock in seconds.
    """

    def __init__(
        self, rng: random.Random, *, failures: int = 5, first_seconds: float = 0.5
    ) -> None:
        self._rng = rng
        self._allowed = failures
        self._first = first_seconds
        self._failures = 0
        self._asks_at = 0.0
        self._is_asking = False

    @property
    def is_open(self) -> bool:
        """Say whether the server is being left alone."""
        return self._failures >= self._allowed

    def room(self, now: float, wanted: int) -> int:
        """Return how many of ``wanted`` attempts may begin now: all, one that asks, or none."""
        if not self.is_open:
            return wanted
        return 0 if self._is_asking or now < self._asks_at else min(1, wanted)

    def enter(self, now: float) -> bool:
        """Begin an attempt; False when the server is to be left alone now."""
        if not self.is_open:
            return True
        if not self.room(now, 1):
            return False
        self._is_asking = True
        return True

    def succeed(self) -> None:
        """Note that the server works."""
        self._failures = 0
        self._is_asking = False

    def fail(self, now: float) -> None:
        """Note that it does not. What began before it opened says nothing new."""
        if self.is_open and not self._is_asking:
            return
        self._failures += 1
        self._is_asking = False
        if self.is_open:
            steps = min(self._failures - self._allowed, 10)
            wait = min(self._first * 2**steps, _LONGEST_SECONDS)
            self._asks_at = now + wait * self._rng.uniform(0.75, 1.0)
