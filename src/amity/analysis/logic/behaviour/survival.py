"""How long until it happens, when for some it has not happened yet: Kaplan-Meier's curve.

Sources: Kaplan and Meier (1958); Greenwood (1926) for the variance; Kalbfleisch and Prentice
(1980) for the interval by the logarithm of minus the logarithm, which stays within 0 and 1.
"""

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.overview_statistics import Z95


class Curve(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The share to whom it has not happened yet, after each time at which it happened to one."""

    time: IntArray
    at_risk: IntArray
    happened: IntArray
    left: FloatArray
    low: FloatArray
    high: FloatArray
    total: int
    longest: int
    """The longest anybody was watched; beyond it nothing is known."""

    def at(self, time: int) -> tuple[float, float, float] | None:
        """Return the share left after a time and its interval; None when not watched so long."""
        if time > self.longest or not self.total:
            return None
        place = int(np.searchsorted(self.time, time, side="right")) - 1
        if place < 0:
            return 1.0, 1.0, 1.0
        return float(self.left[place]), float(self.low[place]), float(self.high[place])

    def median(self) -> int | None:
        """Return the time by which it has happened to half; None when it has not been so long."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> int | None:
        """Return the time by which it has happened to a share; None when it has not yet."""
        places = np.flatnonzero(self.left <= 1 - share + 1e-12)
        return int(self.time[places[0]]) if len(places) else None


def estimate_curve(duration: IntArray, happened: IntArray, customers: IntArray) -> Curve:
    """Return the curve of customers counted by duration and by whether it happened (1) or not (0).

    Whoever it has not happened to counts up to the duration and not beyond; at the same duration
    what happened comes first.
    """
    if not len(duration):
        nothing, none = np.zeros(0), np.zeros(0, np.int64)
        return Curve(
            time=none,
            at_risk=none,
            happened=none,
            left=nothing,
            low=nothing,
            high=nothing,
            total=0,
            longest=0,
        )
    span = int(duration.max()) + 1
    everyone = np.bincount(duration, weights=customers, minlength=span)
    events = np.bincount(duration, weights=customers * happened, minlength=span)
    at_risk = everyone[::-1].cumsum()[::-1]
    times = np.flatnonzero(events > 0)
    risk: FloatArray = at_risk[times].astype(np.float64)
    dead: FloatArray = events[times].astype(np.float64)
    left = np.asarray(np.cumprod(1 - dead / risk), np.float64)
    low, high = _bounds(left, risk, dead)
    return Curve(
        time=times.astype(np.int64),
        at_risk=np.rint(risk).astype(np.int64),
        happened=np.rint(dead).astype(np.int64),
        left=left,
        low=low,
        high=high,
        total=int(customers.sum()),
        longest=span - 1,
    )


def _bounds(left: FloatArray, risk: FloatArray, dead: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the 95 % interval; where nobody is left it is as wide as the step before."""
    inside = (left > 0) & (left < 1)
    low, high = left.copy(), left.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(dead / (risk * (risk - dead)))
        spread = Z95 * np.sqrt(greenwood) / np.abs(np.log(left))
        low[inside] = (left ** np.exp(spread))[inside]
        high[inside] = (left ** np.exp(-spread))[inside]
    ended = np.flatnonzero(left <= 0)
    if len(ended):
        low[ended] = 0.0
        high[ended] = high[ended[0] - 1] if ended[0] else 1.0
    return low, high
