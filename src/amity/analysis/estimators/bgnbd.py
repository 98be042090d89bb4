"""BG/NBD: how often each customer buys, and whether he or she still does.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
While alive a customer buys at a rate that is gamma distributed (r, alpha) over customers; after
each purchase he or she leaves with a probability that is beta distributed (a, b).
See docs/algorithms/bgnbd.md for the likelihood, the intervals and what the model cannot know.
"""

from functools import partial
from typing import Final

import numpy as np

from amity.analysis.estimator import (
    ESTIMATORS,
    Capabilities,
    Column,
    Estimator,
    Fit,
    Histories,
    Predictions,
)
from amity.analysis.logic import bgnbd_likelihood, purchase_counts
from amity.analysis.logic.lifetimes.fitting import (
    Z95,
    as_fit,
    climb_best,
    refuse_thin,
    variance_along,
)
from amity.analysis.logic.model_cards import BGNBD

NAMES: Final = ("r", "alpha", "a", "b")
_STARTS: Final = ((0.0, 0.0, 0.0, 1.0), (-1.5, -1.0, -1.5, 0.5), (1.5, 1.5, -3.0, 3.0))


@ESTIMATORS.register("bgnbd")
class BgNbd(Estimator):
    """Probability of being alive, and purchases to expect within a horizon.

    The interval of ``p_alive`` (95 %) is what the uncertainty of the parameters does to it, by
    the delta method on the logit.  That of ``expected_purchases`` (80 %) is of the number of
    purchases itself, from its distribution given the history, widened to whole numbers around
    the expectation where that lies outside.
    """

    name = "bgnbd"
    card = BGNBD
    capabilities = Capabilities(
        predicts=("p_alive", "expected_purchases"),
        needs_amounts=False,
        uses_horizon=True,
        has_intervals=True,
    )

    def fit(self, histories: Histories) -> Fit:
        repeaters = refuse_thin("BG/NBD", histories)
        grouped = bgnbd_likelihood.group(histories, self.unit_days)
        mean_age = float(histories.age_days.mean()) / self.unit_days
        scale = np.array([0.0, np.log(max(mean_age, 1e-6) / 4), 0.0, 0.0])
        optimum = climb_best(
            "BG/NBD", partial(bgnbd_likelihood.evaluate, grouped), _STARTS, scale=scale
        )
        return as_fit(
            optimum,
            estimator=self.name,
            unit_days=self.unit_days,
            names=NAMES,
            customers=len(histories),
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


def probability_alive(fit: Fit, histories: Histories) -> Column:
    """Return the probability that each customer has not left.

    Who bought once is alive for sure: in this model one can only leave after a repeat purchase.
    """
    from scipy.special import expit  # noqa: PLC0415  # loads slowly

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
    spread = Z95 * np.sqrt(variance_along(slopes, np.array(fit.covariance)))
    return Column(
        value=value,
        low=np.where(again, expit(odds - spread), 1.0),
        high=np.where(again, expit(odds + spread), 1.0),
    )
