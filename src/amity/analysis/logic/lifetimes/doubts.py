"""What makes one doubt a forecast though it could be fitted: said in words, beside the numbers."""

from datetime import date, timedelta
from typing import Final

import numpy as np

from amity.analysis.estimator import FloatArray, Histories, IntArray, Transactions
from amity.analysis.logic.calibration import Calibration
from amity.analysis.logic.lifetimes.fitting import FEW_REPEATERS
from amity.analysis.logic.transactions import by_customer_day

_SURE: Final = 3.0
"""How many standard errors a difference must have to be said: one in a thousand by chance."""
_LARGE: Final = 0.15
_MIN_COHORT: Final = 50
_EPOCH: Final = date(1970, 1, 1)


def describe_few(histories: Histories) -> list[str]:
    """Say when few came back, so that little is known of how customers leave."""
    repeaters = int(np.count_nonzero(histories.frequency))
    if repeaters >= FEW_REPEATERS:
        return []
    return [
        f"only {repeaters} of {len(histories)} customers bought again: "
        "what is estimated from them is uncertain"
    ]


def describe_moved_rate(calibration: Calibration) -> list[str]:
    """Say when the held-out time brought clearly more or less than was predicted for it."""
    came, predicted = calibration.actual_purchases, calibration.predicted_purchases
    miss = came - predicted
    if abs(miss) <= _SURE * calibration.total_error or abs(miss) <= _LARGE * max(came, predicted):
        return []
    way = "more" if miss > 0 else "fewer"
    return [
        f"the base rate moved: in the last {calibration.horizon_days} days {came:,} purchases "
        f"came, {abs(miss) / max(predicted, 1):.0%} {way} than the {predicted:,.0f} that the time "
        "before lets one expect; a season, a campaign or a change may be the reason"
    ]


def describe_drift(transactions: Transactions, histories: Histories, *, until: int) -> list[str]:
    """Say when customers won later behave clearly otherwise than those won earlier.

    Each customer is looked at for the same time after the first purchase, a third of all there is.
    """
    first = until - histories.age_days
    window = int(histories.age_days.max(initial=0)) // 3
    seen = np.flatnonzero(histories.age_days >= window)
    if window < 7 or len(seen) < 2 * _MIN_COHORT:
        return []
    repeats = _count_within(transactions, histories, first + window, until)[seen]
    middle = int(np.median(first[seen]))
    late = first[seen] > middle
    if min(int(late.sum()), int((~late).sum())) < _MIN_COHORT:
        return []
    before, after = float(repeats[~late].mean()), float(repeats[late].mean())
    error = float(np.sqrt(_squared_error(repeats[~late]) + _squared_error(repeats[late])))
    if abs(after - before) <= max(_SURE * error, _LARGE * max(before, after)):
        return []
    return [
        f"drift across time: customers won after {_EPOCH + timedelta(days=middle)} came back "
        f"{after:.2f} times in their first {window} days, those before {before:.2f} times; "
        "one set of parameters for both is an average of two businesses"
    ]


def _squared_error(values: FloatArray) -> float:
    return float(values.var(ddof=1)) / len(values)


def _count_within(
    transactions: Transactions, histories: Histories, last: IntArray, until: int
) -> FloatArray:
    """Return how often each bought after the first day and up to a day of his or her own."""
    customers, days, _ = by_customer_day(transactions, until)
    place = np.searchsorted(histories.customer_id, customers)
    inside = days <= last[place]
    counts = np.bincount(place[inside], minlength=len(histories))
    return counts.astype(np.float64) - 1
