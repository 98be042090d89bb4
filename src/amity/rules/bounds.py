"""A count between two bounds, as conditions that count share it."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.rules.fragment import Fragment, sql
from amity.rules.sway import Sway

AtLeast = Annotated[int, Meta(ge=1, le=1_000_000)]
AtMost = Annotated[int, Meta(ge=0, le=1_000_000)]


class Bounds(msgspec.Struct, frozen=True):
    """The fewest and the most that pass; ``high`` None is no limit."""

    low: int
    high: int | None

    @classmethod
    @cache
    def make(cls, at_least: int | None, at_most: int | None) -> Bounds:
        """Return the bounds that two fields say; with neither it is at least one."""
        if at_least is not None:
            return cls(at_least, at_most)
        return cls(1 if at_most is None else 0, at_most)

    def check(self) -> None:
        """Raise ValueError when nothing can lie between."""
        if self.high is not None and self.low > self.high:
            raise ValueError("`at_least` is above `at_most`")

    def holds(self, count: int) -> bool:
        """Say whether a count passes."""
        return count >= self.low and (self.high is None or count <= self.high)

    @property
    def sway(self) -> Sway:
        """Which way one more moves the answer."""
        return 1 if self.high is None else -1 if self.low == 0 else 0

    @property
    def takes_none(self) -> bool:
        """Whether nothing at all passes."""
        return self.low == 0

    def having(self, count: Fragment) -> Fragment:
        """Return the condition on grouped rows; when nothing passes too, its contrary.

        Nobody without such an event is in the grouped rows, so "at most" asks for the contrary.
        """
        if self.takes_none:
            return sql("{} > {}", count, self.high)
        if self.high is None:
            return sql("{} >= {}", count, self.low)
        return sql("{} BETWEEN {} AND {}", count, self.low, self.high)

    def describe(self, one: str, many: str) -> str:
        """Say how often, such as “at least 2 times”; nothing when it is at least once."""
        if self.high is None:
            return "" if self.low == 1 else f"at least {self.low:,} {many}"
        if self.low == self.high:
            return f"exactly {_count(self.low, one, many)}"
        if self.low == 0:
            return f"at most {_count(self.high, one, many)}"
        return f"{self.low:,} to {self.high:,} {many}"


def _count(count: int, one: str, many: str) -> str:
    return one if count == 1 else f"{count:,} {many}"
