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


def discounted_purchases(fit: Fit, histories: Histories, *, months: int) -> FloatArray:
    """Return the purchases to expect in the coming months if alive, each month discounted.

    A month's purchases count as if made at its end, as is usual with this model.
    """
    model = purchase_counts.Model.of(fit)
    ends = np.arange(1, months + 1, dtype=np.float64) * (MONTH_DAYS / fit.unit_days)
    by_end = purchase_counts.expect(model, histories, ends)
    factors = (1 + YEARLY_DISCOUNT_RATE) ** (-np.arange(1, months + 1) / 12)
    # Summing the months by parts spares a copy of the table: each end keeps what it loses after.
    kept = factors - np.append(factors[1:], 0.0)
    total: FloatArray = kept @ by_end
    return total
