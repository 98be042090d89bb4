"""How good the predictions are: fit on the first three quarters of time, predict the last.

The answer is ready to plot: for groups of customers by their purchases so far, what was predicted
and what came, with the uncertainty of both.
"""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import (
    Estimator,
    FloatArray,
    Histories,
    IntArray,
    Refused,
    Transactions,
)
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic.transactions import count_between, summarise

TRAINING_SHARE: Final = 0.75
MIN_SPAN_DAYS: Final = 28
_MIN_GROUP: Final = 30
_MAX_GROUPS: Final = 8
_Z95: Final = 1.959963984540054


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Customers with alike numbers of purchases in the training time."""

    label: str
    customers: int
    predicted: float
    """Mean number of purchases predicted for the held-out time."""
    actual: float
    actual_low: float
    """95 % confidence interval of the mean of what such customers do."""
    actual_high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of a held-out time beside what happened in it."""

    trained_until_day: int
    """Days since 1970-01-01; so is `tested_until_day`."""
    tested_until_day: int
    horizon_days: int
    customers: int
    parameters: dict[str, float]
    groups: list[Group]
    predicted_purchases: float
    actual_purchases: int
    total_error: float
    """Standard error of all purchases together, from how customers differ."""
    error_rate: float
    """(predicted - actual) / actual, of all customers together."""
    mean_absolute_error: float
    """Of a customer's number of purchases."""
    naive_mean_absolute_error: float
    """The same when everyone simply goes on as before: repeat purchases by age."""
    correlation: float | None
    interval_coverage: float
    """Share of customers whose purchases lay within their 80 % interval."""
    predicted_value: float | None
    actual_value: float | None
    value_error_rate: float | None
    sentence: str


def calibrate(
    transactions: Transactions, *, until: int, estimator: Estimator | None = None
) -> Calibration:
    """Judge a model of purchases, BG/NBD unless told, on the last quarter of the time.

    With amounts Gamma-Gamma is judged too.  Customers who first bought in that quarter are not
    looked at.  Raises Refused when the time is too short or the training part cannot carry the fit.
    """
    first = int(transactions.day.min(initial=until))
    split = first + int((until - first) * TRAINING_SHARE)
    if until - first < MIN_SPAN_DAYS:
        raise Refused(
            f"a check against held-out time needs {MIN_SPAN_DAYS} days, there are {until - first}"
        )
    histories = summarise(transactions, until=split)
    estimator = estimator or BgNbd(unit_days=7)
    fit = estimator.fit(histories)
    horizon = until - split
    prediction = estimator.predict(fit, histories, horizon_days=horizon).columns[
        "expected_purchases"
    ]
    actual, value = count_between(transactions, histories.customer_id, after=split, until=until)
    assert prediction.low is not None
    assert prediction.high is not None
    covered = (actual >= prediction.low) & (actual <= prediction.high)
    expected_value = _predict_value(histories, prediction.value)
    total, came = float(prediction.value.sum()), int(actual.sum())
    return Calibration(
        trained_until_day=split,
        tested_until_day=until,
        horizon_days=horizon,
        customers=len(histories),
        parameters=fit.parameters,
        groups=group_by_frequency(histories.frequency, prediction.value, actual),
        predicted_purchases=total,
        actual_purchases=came,
        total_error=float(np.sqrt(len(actual)) * actual.std()),
        error_rate=_relative(total, came) or 0.0,
        mean_absolute_error=float(np.abs(prediction.value - actual).mean()),
        naive_mean_absolute_error=_naive_error(histories, actual, horizon),
        correlation=_correlation(prediction.value, actual),
        interval_coverage=float(covered.mean()),
        predicted_value=expected_value,
        actual_value=None if expected_value is None else float(value.sum()),
        value_error_rate=(
            None if expected_value is None else _relative(expected_value, float(value.sum()))
        ),
        sentence=describe_miss(total, came),
    )


def describe_miss(predicted: float, came: float, things: str = "purchases") -> str:
    """Say in a sentence how far a prediction of a total was off."""
    if not came:
        return f"{predicted:,.0f} {things} were predicted for the held-out time and none came"
    error = (predicted - came) / came
    if abs(error) < 0.005:
        return f"Predicted {predicted:,.0f} {things}, {came:,.0f} came: as good as exact"
    direction = "too many" if error > 0 else "too few"
    return f"Predicted {predicted:,.0f} {things}, {came:,.0f} came: {abs(error):.0%} {direction}"


def as_report(calibration: Calibration) -> dict[str, Any]:
    """Return it as plain data, for a report kept as JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(calibration)
    return plain


def _predict_value(histories: Histories, purchases: FloatArray) -> float | None:
    if not histories.has_amounts:
        return None
    estimator = GammaGamma(unit_days=7)
    try:
        fit = estimator.fit(histories)
    except Refused:
        return None
    spend = estimator.predict(fit, histories, horizon_days=0).columns["expected_spend"]
    return float(purchases @ spend.value)


def _relative(predicted: float, actual: float) -> float | None:
    return (predicted - actual) / actual if actual else None


def _naive_error(histories: Histories, actual: IntArray, horizon: int) -> float:
    rate = histories.frequency / np.maximum(histories.age_days, 1)
    return float(np.abs(rate * horizon - actual).mean())


def _correlation(predicted: FloatArray, actual: IntArray) -> float | None:
    if np.ptp(predicted) == 0 or np.ptp(actual) == 0:
        return None
    return float(np.corrcoef(predicted, actual)[0, 1])


def group_by_frequency(frequency: IntArray, predicted: FloatArray, actual: IntArray) -> list[Group]:
    """Cut by frequency so that no group is too small to say anything, and few are left."""
    groups = []
    for low, high in _ranges(frequency):
        inside = (frequency >= low) & (frequency <= high)
        some = actual[inside].astype(np.float64)
        mean = float(some.mean())
        spread = _Z95 * float(some.std(ddof=1)) / np.sqrt(len(some)) if len(some) > 1 else 0.0
        groups.append(
            Group(
                label=str(low) if low == high else f"{low}–{high}",
                customers=len(some),
                predicted=float(predicted[inside].mean()),
                actual=mean,
                actual_low=max(0.0, mean - float(spread)),
                actual_high=mean + float(spread),
            )
        )
    return groups


def _ranges(frequency: IntArray) -> list[tuple[int, int]]:
    """Return ranges of frequency that share the customers about evenly, none of them tiny."""
    values, counts = np.unique(frequency, return_counts=True)
    ranges: list[tuple[int, int]] = []
    start, held, left = None, 0, len(frequency)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        start = value if start is None else start
        held, left = held + count, left - count
        fair = (held + left) // (_MAX_GROUPS - len(ranges))
        if (held >= max(_MIN_GROUP, fair) and left >= _MIN_GROUP) or not left:
            ranges.append((start, value))
            start, held = None, 0
    return ranges
