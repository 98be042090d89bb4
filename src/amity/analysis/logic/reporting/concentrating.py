"""How far a total hangs on few: shares, deciles and the whale curve, with bootstrap bands (pure).

The whale curve adds up contributions from the best customer to the worst, as a share of the whole:
it rises above all of it where some customers cost more than they bring (Kaplan and Narayanan 2001).
See docs/algorithms/concentration.md.
"""

import itertools
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RESAMPLES: Final = 400
POINTS: Final = 50
TENTHS: Final = 10
_SEED: Final = 8020
_LEAST: Final = 20
"""With fewer customers no band is drawn: resampling them says little."""
_MOST_ONE_BY_ONE: Final = 20_000
"""With more customers than these, neighbours in rank are drawn as groups."""
_GROUPS: Final = 2_000


class Curve(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A cumulative curve at evenly spaced shares of customers, the best first."""

    customers: FloatArray
    share: FloatArray
    low: FloatArray | None
    high: FloatArray | None


def sort_best_first(values: FloatArray) -> FloatArray:
    """Return the values, the largest first."""
    return np.sort(values)[::-1]


def whale_curve(values: FloatArray) -> Curve | None:
    """Return the curve of the cumulative share of the total; None unless the total is positive.

    The band is that of the percentile bootstrap (95 %, seeded): customers are drawn again with
    replacement and the curve is drawn of each draw.
    """
    total = float(values.sum())
    if not len(values) or total <= 0:
        return None
    grid = np.linspace(0.0, 1.0, min(len(values), POINTS) + 1)
    middle = _curve_at(sort_best_first(values), grid)
    if len(values) < _LEAST:
        return Curve(customers=grid, share=middle, low=None, high=None)
    draws = _resample(values, grid)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    # The ends are what they are: nobody brings nothing, all bring all.
    return Curve(
        customers=grid, share=middle, low=np.minimum(low, middle), high=np.maximum(high, middle)
    )


def top_share(values: FloatArray, part: float) -> float | None:
    """Return the share of the total that the best part of the customers brings."""
    total = float(values.sum())
    if not len(values) or total <= 0:
        return None
    return float(_curve_at(sort_best_first(values), np.array([part]))[0])


def top_share_interval(values: FloatArray, part: float) -> tuple[float, float] | None:
    """Return the bootstrap interval (95 %) of `top_share`; None of few customers or no total."""
    if len(values) < _LEAST or float(values.sum()) <= 0:
        return None
    draws = _resample(values, np.array([part]))[:, 0]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def gini(values: FloatArray) -> float | None:
    """Return the Gini coefficient of values that are not negative; None without a total.

    0 when all bring the same, towards 1 when one brings all (Gini 1912, by ranks).
    """
    total = float(values.sum())
    if not len(values) or total <= 0 or float(values.min()) < 0:
        return None
    ordered = np.sort(values)
    ranks = np.arange(1, len(values) + 1)
    return float(2 * (ranks @ ordered) / (len(values) * total) - (len(values) + 1) / len(values))


def split_tenths(count: int) -> list[tuple[int, int]]:
    """Return where each tenth of so many begins and ends; tenths differ by one at most."""
    edges = [round(place * count / TENTHS) for place in range(TENTHS + 1)]
    return list(itertools.pairwise(edges))


def _curve_at(ordered: FloatArray, grid: FloatArray) -> FloatArray:
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    places = np.linspace(0.0, 1.0, len(sums))
    curve: FloatArray = np.interp(grid, places, sums / sums[-1])
    return curve


def _resample(values: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the curves of resampled customers, a row a draw; draws without a total are left out.

    A draw with replacement is how often each customer is drawn: a multinomial over the ordered
    customers. Of very many it is drawn how often each group of neighbours is, and what those drawn
    bring together is normal, with the mean and the variance of that group.
    """
    rng = np.random.default_rng(_SEED)
    ordered = sort_best_first(values)
    size = len(ordered)
    edges = np.arange(size + 1)
    if size > _MOST_ONE_BY_ONE:
        edges = np.linspace(0, size, _GROUPS + 1).astype(np.int64)
    sizes = np.diff(edges)
    means = np.add.reduceat(ordered, edges[:-1]) / sizes
    squares = np.add.reduceat(np.square(ordered - np.repeat(means, sizes)), edges[:-1])
    deviations = np.sqrt(squares / sizes)
    curves = []
    for _ in range(RESAMPLES):
        times = rng.multinomial(size, sizes / size)
        drawn = means * times
        if size > _MOST_ONE_BY_ONE:
            drawn += deviations * np.sqrt(times) * rng.standard_normal(_GROUPS)
        sums = np.concatenate([[0.0], np.cumsum(drawn)])
        places = np.concatenate([[0.0], np.cumsum(times)]) / size
        if sums[-1] > 0:
            curves.append(np.interp(grid, places, sums / sums[-1]))
    return np.array(curves) if curves else _curve_at(ordered, grid)[None, :]
