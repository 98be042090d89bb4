"""What a customer will bring: purchases to expect times the spend to expect at each."""

from typing import Final

import numpy as np

from amity.analysis.estimator import Column, Fit, FloatArray, Histories
from amity.analysis.logic import purchase_counts

MONTH_DAYS: Final = 365.25 / 12
YEARLY_DISCOUNT_RATE: Final = 0.10
"""Money a year from now counts for 1 / 1.10 of money today."""


def expected_value(
    purchases: Column, spend: Column, alive: FloatArray, discounted: FloatArray | None = None
) -> Column:
    """Return purchases times spend; with ``discounted``, those purchases (if alive) instead.

    The interval is that of the number of purchases, each at the expected spend and, when
    discounted, at the average discount: how single purchases differ in amount is not in it.
    """
    if discounted is None:
        value, factor = purchases.value * spend.value, spend.value
    else:
        value = alive * discounted * spend.value
        factor = np.divide(
            value, purchases.value, out=np.zeros_like(value), where=purchases.value > 0
        )
    if purchases.low is None or purchases.high is None:
        return Column(value=value)
    return Column(value=value, low=purchases.low * factor, high=purchases.high * factor)


def months_ahead(months: int) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the coming months in days, and what money at each is worth today.

    A month's purchases count as if made at its end, as is usual with this model.
    """
    number = np.arange(1, months + 1, dtype=np.float64)
    factors: FloatArray = (1 + YEARLY_DISCOUNT_RATE) ** (-number / 12)
    return number * MONTH_DAYS, factors


def discounted_purchases(
    fit: Fit, histories: Histories, *, ends: FloatArray, factors: FloatArray
) -> FloatArray:
    """Return the purchases to expect of each customer if alive, discounted period by period.

    ``ends`` are the ends of the periods in days from now, ``factors`` what a purchase in each
    counts for.
    """
    model = purchase_counts.Model.of(fit)
    # Summed by parts: what is expected up to an end counts for what the factor then loses.
    lost = factors - np.append(factors[1:], 0.0)
    return purchase_counts.expect(model, histories, ends / fit.unit_days, weights=lost)
