"""How sure a figure is, and whether a change is more than chance."""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import IntArray

Z95: Final = 1.959963984540054


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval and the variance of its estimate; None without any data."""

    value: float | None
    low: float | None = None
    high: float | None = None
    variance: float = 0.0


NOTHING: Final = Measure(value=None)


def count(number: int) -> Measure:
    """Measure a number of independent happenings: Poisson, interval of Garwood (1936)."""
    from scipy.special import gammaincinv  # noqa: PLC0415  # loads slowly

    low = float(gammaincinv(number, 0.025)) if number else 0.0
    return Measure(
        value=float(number),
        low=low,
        high=float(gammaincinv(number + 1, 0.975)),
        variance=float(number),
    )


def share(part: int, whole: int) -> Measure:
    """Measure a share, with the interval of Wilson (1927)."""
    if not whole:
        return NOTHING
    rate, square = part / whole, Z95 * Z95
    middle = (rate + square / (2 * whole)) / (1 + square / whole)
    half = Z95 / (1 + square / whole)
    half *= float(np.sqrt(rate * (1 - rate) / whole + square / (4 * whole * whole)))
    return Measure(
        value=rate,
        low=max(0.0, middle - half),
        high=min(1.0, middle + half),
        variance=rate * (1 - rate) / whole,
    )


def mean(values: IntArray, scale: float) -> Measure:
    """Measure the mean of one number a customer, divided by ``scale``."""
    if not len(values):
        return NOTHING
    scaled = values / scale
    middle = float(scaled.mean())
    variance = float(scaled.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
    return _around(middle, variance if len(values) > 1 else None)


def mean_of_sums(number: int, sum_: float, squares: float) -> Measure:
    """Measure a mean from the sums of the values and of their squares, as SQL gives them."""
    if number <= 0:
        return NOTHING
    middle = sum_ / number
    if number == 1:
        return Measure(value=middle)
    variance = max(squares - sum_ * middle, 0.0) / (number - 1) / number
    return _around(middle, variance)


def total(values: IntArray, scale: float) -> Measure:
    """Measure a sum over customers who come by chance: a compound Poisson sum."""
    if not len(values):
        return Measure(value=0.0, low=0.0)
    scaled = values / scale
    return _around(float(scaled.sum()), float(scaled @ scaled))


def _around(value: float, variance: float | None) -> Measure:
    if variance is None:
        return Measure(value=value)
    half = Z95 * float(np.sqrt(variance))
    return Measure(value=value, low=max(0.0, value - half), high=value + half, variance=variance)


def is_within_chance(now: Measure, before: Measure) -> bool:
    """Say whether a difference as large comes by chance more often than once in twenty."""
    if now.value is None or before.value is None:
        return True
    spread = float(np.sqrt(now.variance + before.variance))
    return abs(now.value - before.value) <= Z95 * spread
