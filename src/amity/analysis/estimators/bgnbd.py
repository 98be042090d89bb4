"""BG/NBD: how often each customer buys, and whether he or she still does.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
While alive a customer buys at a rate that is gamma distributed (r, alpha) over customers; after
each purchase he or she leaves with a probability that is beta distributed (a, b).
See docs/algorithms/bgnbd.md for the likelihood, the intervals and what the model cannot know.
"""

from functools import partial
from typing import Final

import numpy as np
from scipy.special import expit

from amity.analysis.estimator import (
    ESTIMATORS,
    Capabilities,
    Column,
    Estimator,
    Fit,
    FloatArray,
    Histories,
    Predictions,
    Refused,
)
from amity.analysis.logic import bgnbd_likelihood, purchase_counts
from amity.analysis.logic.newton import Optimum, describe_doubts, maximise

NAMES: Final = ("r", "alpha", "a", "b")
MIN_CUSTOMERS: Final = 30
MIN_REPEATERS: Final = 10
_STARTS: Final = ((0.0, 0.0, 0.0, 1.0), (-1.5, -1.0, -1.5, 0.5), (1.5, 1.5, -3.0, 3.0))
_Z95: Final = 1.959963984540054


@ESTIMATORS.register("bgnbd")
class BgNbd(Estimator):
    """Probability of being alive, and purchases to expect within a horizon.

    The interval of ``p_alive`` (95 %) is what the uncertainty of the parameters does to it, by
    the delta method on the logit.  That of ``expected_purchases`` (80 %) is of the number of
    purchases itself, from its distribution given the history, widened to whole numbers around
    the expectation where that lies outside.
    """

    name = "bgnbd"
    capabilities = Capabilities(
        predicts=("p_alive", "expected_purchases"),
        needs_amounts=False,
        uses_horizon=True,
        has_intervals=True,
    )

    def fit(self, histories: Histories) -> Fit:
        repeaters = int(np.count_nonzero(histories.frequency))
        _refuse_thin(histories, repeaters)
        grouped = bgnbd_likelihood.group(histories, self.unit_days)
        mean_age = float(histories.age_days.mean()) / self.unit_days
        optimum = _best(grouped, mean_age)
        natural = np.exp(optimum.point)
        covariance = optimum.covariance()
        errors = {}
        if covariance is not None:
            spread = np.sqrt(np.diag(covariance)) * natural
            errors = dict(zip(NAMES, spread.tolist(), strict=True))
        return Fit(
            estimator=self.name,
            unit_days=self.unit_days,
            parameters=dict(zip(NAMES, natural.tolist(), strict=True)),
            customers=len(histories),
            standard_errors=errors,
            covariance=[] if covariance is None else covariance.tolist(),
            log_likelihood=optimum.value,
            iterations=optimum.iterations,
            warnings=describe_doubts(optimum, NAMES),
            details={
                "repeaters": repeaters,
                "repeat_purchases": int(histories.frequency.sum()),
                "distinct_histories": len(grouped.weight) + len(grouped.once_weight),
            },
        )

    def predict(self, fit: Fit, histories: Histories, *, horizon_days: float) -> Predictions:
        alive = probability_alive(fit, histories)
        bought = purchase_counts.expect(
            purchase_counts.Model.of(fit), histories, np.array([horizon_days / fit.unit_days])
        )
        low, high = purchase_counts.interval(
            purchase_counts.Model.of(fit),
            histories,
            alive=alive.value,
            horizon=horizon_days / fit.unit_days,
        )
        value = alive.value * bought
        # A mean can lie outside the quantiles of a skewed count; widening keeps the promise.
        purchases = Column(
            value=value,
            low=np.minimum(low, np.floor(value)),
            high=np.maximum(high, np.ceil(value)),
        )
        return Predictions(
            customer_id=histories.customer_id,
            columns={"p_alive": alive, "expected_purchases": purchases},
        )


def _refuse_thin(histories: Histories, repeaters: int) -> None:
    if len(histories) < MIN_CUSTOMERS:
        raise Refused(f"BG/NBD needs {MIN_CUSTOMERS} customers, there are {len(histories)}")
    if repeaters < MIN_REPEATERS:
        raise Refused(
            f"BG/NBD needs {MIN_REPEATERS} customers who bought on more than one day, "
            f"there are {repeaters} of {len(histories)}"
        )


def _best(grouped: bgnbd_likelihood.Grouped, mean_age: float) -> Optimum:
    """Return the first start's maximum that converged; raise Refused when none does."""
    scale = np.log(max(mean_age, 1e-6) / 4)
    low = np.full(4, np.log(1e-5))
    high = np.full(4, np.log(1e4))
    low[1] += scale
    high[1] += scale
    for start in _STARTS:
        point = np.array(start)
        point[1] += scale
        optimum = maximise(partial(bgnbd_likelihood.evaluate, grouped), point, low=low, high=high)
        if optimum.converged and np.isfinite(optimum.value):
            return optimum
    raise Refused("the likelihood of BG/NBD has no maximum that could be found on these data")


def probability_alive(fit: Fit, histories: Histories) -> Column:
    """Return the probability that each customer has not left.

    Who bought once is alive for sure: in this model one can only leave after a repeat purchase.
    """
    r, alpha, a, b = (fit.parameters[name] for name in NAMES)
    x = histories.frequency.astype(np.float64)
    again = x > 0
    whole = alpha + histories.age_days / fit.unit_days
    part = alpha + histories.recency_days / fit.unit_days
    ratio, after = np.log(whole / part), b + np.maximum(x, 1) - 1
    odds = -(np.log(a / after) + (r + x) * ratio)
    value = np.where(again, expit(odds), 1.0)
    if not fit.covariance:
        return Column(value=value)
    slopes = np.stack(
        (
            -r * ratio,
            -alpha * (r + x) * (1 / whole - 1 / part),
            np.full_like(x, -1.0),
            b / after,
        )
    )
    spread = _Z95 * np.sqrt(_quadratic(slopes, np.array(fit.covariance)))
    return Column(
        value=value,
        low=np.where(again, expit(odds - spread), 1.0),
        high=np.where(again, expit(odds + spread), 1.0),
    )


def _quadratic(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the variance along each column of ``slopes``, never below zero."""
    variance: FloatArray = np.maximum((slopes * (covariance @ slopes)).sum(axis=0), 0.0)
    return variance
