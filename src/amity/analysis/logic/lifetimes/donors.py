"""BG/BB fitted to customers whose purchases are counted by period, and checked against time."""

from functools import partial
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import Fit, FloatArray, IntArray, Refused
from amity.analysis.logic.calibration import describe_miss, group_by_frequency
from amity.analysis.logic.lifetimes import discrete
from amity.analysis.logic.lifetimes.fitting import (
    MIN_CUSTOMERS,
    MIN_REPEATERS,
    as_fit,
    climb_best,
)
from amity.analysis.logic.lifetimes.periods import (
    Presence,
    count_periods,
    summarise_periods,
)
from amity.analysis.logic.lifetimes.totals import total_of
from amity.kernel.estimate import Estimate

MIN_PERIODS: Final = 3
_STARTS: Final = ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0), (-1.0, 1.0, 1.0, 2.0))
_TAIL: Final = 0.1


class DonorForecast(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is to expect of each customer, in the order they were given."""

    alive: FloatArray
    expected: FloatArray
    low: FloatArray
    """80 % of customers alike end up from here to `high`."""
    high: FloatArray
    none: FloatArray
    """The chance of no purchase at all."""
    spread: FloatArray
    """The variance of the number of purchases."""


def fit_donors(grouped: discrete.Grouped) -> Fit:
    """Fit BG/BB; raise Refused when customers or periods are too few."""
    customers = int(grouped.weight.sum())
    if customers < MIN_CUSTOMERS:
        raise Refused(f"BG/BB needs {MIN_CUSTOMERS} customers, there are {customers}")
    if (most := int(grouped.periods.max())) < MIN_PERIODS:
        raise Refused(f"BG/BB needs {MIN_PERIODS} periods after a first purchase, there are {most}")
    repeaters = int(grouped.weight[grouped.frequency > 0].sum())
    if repeaters < MIN_REPEATERS:
        raise Refused(
            f"BG/BB needs {MIN_REPEATERS} customers who bought in more than one period, "
            f"there are {repeaters} of {customers}"
        )
    optimum = climb_best("BG/BB", partial(discrete.evaluate, grouped), _STARTS, scale=np.zeros(4))
    return as_fit(
        optimum,
        estimator="bgbb",
        unit_days=1.0,
        names=discrete.NAMES,
        customers=customers,
        details={"repeaters": repeaters, "periods": most, "distinct_histories": len(grouped)},
    )


def forecast_donors(fit: Fit, grouped: discrete.Grouped, ahead: int) -> DonorForecast:
    """Say what to expect of each distinct history within some periods ahead."""
    natural = np.array([fit.parameters[name] for name in discrete.NAMES])
    chances = discrete.count_chances(grouped, natural, ahead)
    expected = discrete.expect(grouped, natural, ahead)
    low = (chances < _TAIL).sum(axis=1).astype(np.float64)
    high = (chances < 1 - _TAIL).sum(axis=1).astype(np.float64)
    return DonorForecast(
        alive=discrete.probability_alive(grouped, natural),
        expected=expected,
        # A mean can lie outside the quantiles of a skewed count; widening keeps the promise.
        low=np.minimum(low, np.floor(expected)),
        high=np.maximum(high, np.ceil(expected)),
        none=chances[:, 0],
        spread=(1 - chances) @ (2 * np.arange(ahead + 1) + 1.0) - expected**2,
    )


def total_donors(
    fit: Fit, grouped: discrete.Grouped, found: DonorForecast, ahead: int
) -> tuple[Estimate | None, Estimate | None]:
    """Return all purchases to expect, and who will still be there, with 95 % of what will come."""

    def natural(moved: Fit) -> FloatArray:
        return np.array([moved.parameters[name] for name in discrete.NAMES])

    weight, alive = grouped.weight, found.alive
    return (
        total_of(
            fit,
            float(weight @ found.expected),
            float(weight @ found.spread),
            lambda moved: float(weight @ discrete.expect(grouped, natural(moved), ahead)),
        ),
        total_of(
            fit,
            float(weight @ alive),
            float(weight @ (alive * (1 - alive))),
            lambda moved: float(weight @ discrete.probability_alive(grouped, natural(moved))),
        ),
    )


def check_donors(presence: Presence, *, until: int) -> dict[str, Any]:
    """Fit to the first three quarters of the periods and compare the rest with what came."""
    first = int(presence.period.min())
    ahead = max(1, (until - first) // 4)
    split = until - ahead
    known = summarise_periods(presence, until=split)
    try:
        grouped, place = discrete.group(known.frequency, known.recency, known.periods)
        fit = fit_donors(grouped)
    except Refused as error:
        return {"refused": error.message}
    expected = forecast_donors(fit, grouped, ahead).expected[place]
    came = count_periods(presence, known.customer_id, after=split)
    return {
        "sentence": describe_miss(
            float(expected.sum()), float(came.sum()), "periods with a purchase"
        ),
        "horizon_periods": ahead,
        "customers": len(known),
        "predicted_purchases": float(expected.sum()),
        "actual_purchases": int(came.sum()),
        "total_error": float(np.sqrt(len(came)) * came.std()),
        "mean_absolute_error": float(np.abs(expected - came).mean()),
        "parameters": fit.parameters,
        "groups": msgspec.to_builtins(group_by_frequency(known.frequency, expected, came)),
    }


def weigh(
    frequency: IntArray, recency: IntArray, periods: IntArray, count: IntArray | None
) -> tuple[discrete.Grouped, IntArray]:
    """Group histories that may stand for several customers each."""
    grouped, place = discrete.group(frequency, recency, periods)
    if count is None:
        return grouped, place
    weight = np.bincount(place, count, len(grouped)).astype(np.float64)
    return msgspec.structs.replace(grouped, weight=weight), place
