"""Between how many purchases a customer's number will lie, from a model's own distribution."""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Histories, IntArray

COVERAGE: Final = 0.80
_TAIL: Final = (1 - COVERAGE) / 2
_BLOCK: Final = 512
_CELLS: Final = 4_000_000
"""How many numbers a comparison may hold at once, so that memory stays flat."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Distinct (frequency, age) pairs, sorted by frequency, and each customer's place in them."""

    frequency: FloatArray
    age: FloatArray
    place: IntArray


def make_pairs(histories: Histories, unit_days: float) -> Pairs:
    """Return the distinct pairs; given being alive, only they matter."""
    base = int(histories.age_days.max(initial=0)) + 1
    keys, place = np.unique(histories.frequency * base + histories.age_days, return_inverse=True)
    frequency, age = np.divmod(keys, base)
    return Pairs(
        frequency=frequency.astype(np.float64), age=age / unit_days, place=place.astype(np.int64)
    )


def count_interval(
    pairs: Pairs,
    widths: IntArray,
    cumulate: Callable[[FloatArray, FloatArray, int], FloatArray],
    alive: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return between which numbers of purchases a customer's will lie, 80 times in a hundred.

    ``cumulate`` gives P(X <= n) of those alive for some frequencies and ages, n from 0 to a width.
    The chance of having left is included, the uncertainty of the parameters is not.
    """
    low, high = np.zeros(len(pairs.place)), np.zeros(len(pairs.place))
    order = np.argsort(pairs.place, kind="stable")
    sorted_place = pairs.place[order]
    for at in range(0, len(widths), _BLOCK):
        block = slice(at, at + _BLOCK)
        table = cumulate(pairs.frequency[block], pairs.age[block], int(widths[block].max()))
        first, last = np.searchsorted(sorted_place, [at, at + _BLOCK])
        some = order[first:last]
        for quantile, column in ((_TAIL, low), (1 - _TAIL, high)):
            column[some] = _smallest(table, pairs.place[some] - at, alive[some], quantile)
    return low, high


def _smallest(table: FloatArray, row: IntArray, alive: FloatArray, quantile: float) -> FloatArray:
    """Return the smallest count whose probability of not being exceeded reaches the quantile."""
    needed = 1 - (1 - quantile) / np.maximum(alive, 1e-300)
    result = np.zeros(len(row))
    chunk = max(1, _CELLS // table.shape[1])
    for at in range(0, len(row), chunk):
        part = slice(at, at + chunk)
        result[part] = (table[row[part]] < needed[part, None]).sum(axis=1)
    return result
