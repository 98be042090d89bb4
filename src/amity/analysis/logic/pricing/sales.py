"""What was sold at which prices, and taking out of it what products and periods have in common."""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray

_TURNS: Final = 500
_STILL: Final = 1e-10


class Sales(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One place a product and period: what was sold, and what moves it (log price, discount)."""

    product: IntArray
    period: IntArray | None
    quantity: FloatArray
    mover: FloatArray

    def take(self, rows: IntArray) -> "Sales":
        """Return these rows, products and periods numbered anew."""
        return Sales(
            product=_renumber(self.product[rows]),
            period=None if self.period is None else _renumber(self.period[rows]),
            quantity=self.quantity[rows],
            mover=self.mover[rows],
        )


def take_out(values: FloatArray, weights: FloatArray, sales: Sales) -> FloatArray:
    """Return values less the weighted means of products and periods, in turn until nothing is."""
    left = values - _means(values, weights, sales.product)
    if sales.period is None:
        return left
    for _ in range(_TURNS):
        left = left - _means(left, weights, sales.period)
        back = _means(left, weights, sales.product)
        left = left - back
        if float(np.abs(back).max()) < _STILL:
            break
    return left


def _means(values: FloatArray, weights: FloatArray, group: IntArray) -> FloatArray:
    sums = np.bincount(group, values * weights) / np.bincount(group, weights)
    means: FloatArray = sums[group]
    return means


def _renumber(values: IntArray) -> IntArray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
