"""How far two groups lie apart in a share or a mean, and how surely (pure).

Intervals are simultaneous: with many things looked at, each has the level that makes all of them
together hold with 95 % (Bonferroni), so that what is shown is not what chance brings up.
"""

import math
from typing import Final

import msgspec

from amity.kernel.lift import Arm, rate_difference

FEWEST: Final = 30
"""Customers a group must have, and values of a number in each group."""
_TOGETHER: Final = 0.95


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A difference with its interval, and without its unit."""

    inside: float
    outside: float
    difference: float
    low: float
    high: float
    effect: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0


class Mean(msgspec.Struct, frozen=True):
    """How many values, their mean and their variance."""

    count: int
    mean: float | None
    variance: float | None


def level_of(looked_at: int) -> float:
    """Return the level of one interval so that all together hold with 95 %."""
    return 1 - (1 - _TOGETHER) / max(1, looked_at)


def share_gap(inside: tuple[int, int], outside: tuple[int, int], *, level: float) -> Gap | None:
    """Return the difference of two shares (how many, of how many) with Newcombe's interval.

    R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10. The effect is Cohen's h
    (Statistical Power Analysis, 1988, chapter 6). None when a group is empty.
    """
    arms = [Arm(customers=whole, converted=part, spent=[]) for part, whole in (inside, outside)]
    found = rate_difference(*arms, level=level)
    if found is None:
        return None
    one, other = inside[0] / inside[1], outside[0] / outside[1]
    return Gap(
        inside=one,
        outside=other,
        difference=found.value,
        low=found.low,
        high=found.high,
        effect=2 * (math.asin(math.sqrt(one)) - math.asin(math.sqrt(other))),
    )


def mean_gap(inside: Mean, outside: Mean, *, level: float) -> Gap | None:
    """Return the difference of two means with Welch's interval; None for too few values.

    The effect is Cohen's d.
    """
    from scipy.special import stdtrit  # noqa: PLC0415  # loads slowly

    if min(inside.count, outside.count) < FEWEST:
        return None
    if None in (inside.mean, outside.mean, inside.variance, outside.variance):
        return None
    assert inside.mean is not None
    assert outside.mean is not None
    assert inside.variance is not None
    assert outside.variance is not None
    parts = inside.variance / inside.count, outside.variance / outside.count
    spread = math.fsum(parts)
    pooled = math.sqrt((inside.variance + outside.variance) / 2)
    if spread <= 0 or pooled <= 0:
        return None  # all values alike: nothing tells how sure a difference is
    free = spread**2 / (parts[0] ** 2 / (inside.count - 1) + parts[1] ** 2 / (outside.count - 1))
    half = float(stdtrit(free, (1 + level) / 2)) * math.sqrt(spread)
    difference = inside.mean - outside.mean
    return Gap(
        inside=inside.mean,
        outside=outside.mean,
        difference=difference,
        low=difference - half,
        high=difference + half,
        effect=difference / pooled,
    )
