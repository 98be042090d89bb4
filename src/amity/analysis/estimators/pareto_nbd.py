"""Pareto/NBD: how often each customer buys, and whether he or she still does.

Schmittlein, Morrison & Colombo (1987), Counting Your Customers: Who Are They and What Will They Do
Next?, Management Science 33(1).  While alive a customer buys at a rate that is gamma distributed
(r, alpha) over customers; he or she may leave at any moment, at a rate that is gamma distributed
(s, beta).  See docs/algorithms/pareto_nbd.md.
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
    FloatArray,
    Histories,
    IntArray,
    Predictions,
)
from amity.analysis.logic.lifetimes import pareto
from amity.analysis.logic.lifetimes.fitting import (
    Z95,
    as_fit,
    climb_best,
    refuse_thin,
    variance_along,
)
from amity.analysis.logic.lifetimes.quantiles import count_interval, make_pairs
from amity.analysis.logic.model_cards import PARETO_NBD

_STARTS: Final = ((0.0, 0.0, 0.0, 0.0), (-1.0, -1.0, -1.0, 0.0), (1.5, 1.0, -1.0, 2.0))


@ESTIMATORS.register("pareto_nbd")
class ParetoNbd(Estimator):
    """Probability of being alive, and purchases to expect within a horizon.

    Unlike in BG/NBD, who bought once may have left. The intervals are as those of BG/NBD: 95 % for
    ``p_alive`` from the uncertainty of the parameters, 80 % for the number of purchases itself.
    """

    name = "pareto_nbd"
    card = PARETO_NBD
    capabilities = Capabilities(
        predicts=("p_alive", "expected_purchases"),
        needs_amounts=False,
        uses_horizon=True,
        has_intervals=True,
    )

    def fit(self, histories: Histories) -> Fit:
        repeaters = refuse_thin("Pareto/NBD", histories)
        grouped, _ = pareto.group(histories, self.unit_days)
        mean_age = float(histories.age_days.mean()) / self.unit_days
        shift = np.log(max(mean_age, 1e-6) / 3)
        optimum = climb_best(
            "Pareto/NBD",
            partial(pareto.evaluate, grouped),
            _STARTS,
            scale=np.array([0.0, shift, 0.0, shift]),
        )
        return as_fit(
            optimum,
            estimator=self.name,
            unit_days=self.unit_days,
            names=pareto.NAMES,
            customers=len(histories),
            details={
                "repeaters": repeaters,
                "repeat_purchases": int(histories.frequency.sum()),
                "distinct_histories": len(grouped),
            },
        )

    def predict(self, fit: Fit, histories: Histories, *, horizon_days: float) -> Predictions:
        model, horizon = pareto.Model.of(fit), horizon_days / fit.unit_days
        grouped, place = pareto.group(histories, fit.unit_days)
        alive, slopes = pareto.probability_alive(model, grouped)
        bought = pareto.expect(model, grouped, np.array([horizon]))
        value = (alive * bought)[place]
        low, high = _interval(model, histories, alive[place], horizon)
        purchases = Column(
            value=value,
            # A mean can lie outside the quantiles of a skewed count; widening keeps the promise.
            low=np.minimum(low, np.floor(value)),
            high=np.maximum(high, np.ceil(value)),
        )
        return Predictions(
            customer_id=histories.customer_id,
            columns={
                "p_alive": _alive_column(fit, alive, slopes, place),
                "expected_purchases": purchases,
            },
        )


def _alive_column(fit: Fit, alive: FloatArray, slopes: FloatArray, place: IntArray) -> Column:
    from scipy.special import expit, logit  # noqa: PLC0415  # loads slowly

    if not fit.covariance:
        return Column(value=alive[place])
    spread = Z95 * np.sqrt(variance_along(slopes, np.array(fit.covariance)))
    with np.errstate(divide="ignore"):
        odds = logit(alive)
    return Column(
        value=alive[place], low=expit(odds - spread)[place], high=expit(odds + spread)[place]
    )


def _interval(
    model: pareto.Model, histories: Histories, alive: FloatArray, horizon: float
) -> tuple[FloatArray, FloatArray]:
    if not len(histories) or horizon <= 0:
        return np.zeros(len(histories)), np.zeros(len(histories))
    pairs = make_pairs(histories, model.unit_days)

    def as_group(frequency: FloatArray, age: FloatArray) -> pareto.Grouped:
        return pareto.Grouped(
            frequency=frequency, recency=age, age=age, weight=np.ones(len(frequency))
        )

    def cumulate(frequency: FloatArray, age: FloatArray, width: int) -> FloatArray:
        return pareto.count_chances(model, as_group(frequency, age), horizon, width)

    widths = pareto.widths(model, as_group(pairs.frequency, pairs.age), horizon)
    return count_interval(pairs, widths, cumulate, alive)
