"""How many leave for which reason, when one reason keeps the others from happening.

Aalen and Johansen's estimate of the cumulative incidence; the variance is that of Dinse and Larson
(1986), by the delta method. With one reason alone it is Kaplan and Meier's curve and Greenwood's
variance.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.overview_statistics import Z95, Measure


class Incidence(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The share that has left for one reason, after each of ``time``."""

    reason: str
    customers: int
    time: IntArray
    left: FloatArray
    deviation: FloatArray
    """Its standard error."""

    def at(self, time: int) -> Measure:
        """Measure the share that has left for this reason by a time, with its interval (95 %)."""
        place = int(np.searchsorted(self.time, time, side="right")) - 1
        if place < 0:
            return Measure(value=0.0, low=0.0)
        value, error = float(self.left[place]), float(self.deviation[place])
        if not 0 < value < 1:
            return Measure(value=value, low=value, high=value)
        spread = float(np.exp(Z95 * error / (value * abs(np.log(value)))))
        return Measure(
            value=value,
            low=float(value**spread),
            high=float(value ** (1 / spread)),
            variance=error * error,
        )


def estimate_incidence(
    duration: IntArray, reason: IntArray, names: Sequence[str]
) -> list[Incidence]:
    """Return the curve of each reason, in the order of ``names``.

    ``reason`` is a place in ``names``, or -1 for customers who are still there.
    """
    if not len(duration):
        return []
    span = int(duration.max()) + 1
    everyone = np.bincount(duration, minlength=span).astype(np.float64)
    at_risk = everyone[::-1].cumsum()[::-1]
    times = np.unique(duration[reason >= 0])
    risk = at_risk[times]
    by_reason = [
        np.bincount(duration[reason == place], minlength=span)[times].astype(np.float64)
        for place in range(len(names))
    ]
    gone = np.sum(by_reason, axis=0) if len(names) else np.zeros(len(times))
    after = np.cumprod(1 - gone / risk)
    before = np.concatenate(([1.0], after[:-1]))
    return [
        Incidence(
            reason=name,
            customers=int(mine.sum()),
            time=times.astype(np.int64),
            left=np.cumsum(before * mine / risk),
            deviation=_deviation(np.cumsum(before * mine / risk), before, mine, (gone, risk)),
        )
        for name, mine in zip(names, by_reason, strict=True)
    ]


def _deviation(
    left: FloatArray, before: FloatArray, mine: FloatArray, all_: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Return the standard error at each time, from sums that need one pass.

    The variance at t sums, over the times up to it, (F(t) - Fi)^2 a + b - 2 (F(t) - Fi) c; with
    the squares multiplied out, only cumulative sums remain.
    """
    gone, risk = all_
    rest = np.maximum(risk - gone, 0)
    a = np.divide(gone, risk * rest, out=np.zeros_like(risk), where=rest > 0)
    b = before**2 * (risk - mine) * mine / risk**3
    c = before * mine / risk**2
    squares = left**2 * np.cumsum(a) - 2 * left * np.cumsum(left * a) + np.cumsum(left**2 * a)
    crossed = left * np.cumsum(c) - np.cumsum(left * c)
    error: FloatArray = np.sqrt(np.maximum(squares + np.cumsum(b) - 2 * crossed, 0))
    return error
