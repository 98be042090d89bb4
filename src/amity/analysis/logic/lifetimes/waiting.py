"""When each customer buys next and what is in the basket, from fits of the purchase models.

Given a history and being a customer still, the rate of buying is gamma distributed
(r + x, alpha + T) in BG/NBD and in Pareto/NBD alike, so waiting for the next purchase is Lomax
distributed. In Pareto/NBD one may leave while waiting, which only `silence` allows for.
"""

from typing import Final

import numpy as np

from amity.analysis.estimator import Fit, FloatArray, Histories
from amity.analysis.logic import purchase_counts
from amity.analysis.logic.lifetimes import pareto

QUANTILES: Final = (0.1, 0.5, 0.9)


def wait_days(fit: Fit, histories: Histories, quantile: float) -> FloatArray:
    """Return after how many days this share of customers alike have bought, if they still do."""
    shape = fit.parameters["r"] + histories.frequency
    scale = fit.parameters["alpha"] * fit.unit_days + histories.age_days
    days: FloatArray = scale * np.expm1(-np.log1p(-quantile) / shape)
    return days


def mean_wait_days(fit: Fit, histories: Histories) -> FloatArray:
    """Return the mean wait of those who still buy; infinite where the mean does not exist."""
    shape = fit.parameters["r"] + histories.frequency
    scale = fit.parameters["alpha"] * fit.unit_days + histories.age_days
    mean: FloatArray = np.where(shape > 1, scale / np.maximum(shape - 1, 1e-300), np.inf)
    return mean


def chance_of_none(
    fit: Fit, histories: Histories, alive: FloatArray, horizon_days: float
) -> FloatArray:
    """Return the chance that each buys nothing within a horizon: gone, or there and silent."""
    horizon = horizon_days / fit.unit_days
    if fit.estimator == "pareto_nbd":
        grouped, place = pareto.group(histories, fit.unit_days)
        quiet = pareto.count_chances(pareto.Model.of(fit), grouped, horizon, 1)[:, 0][place]
    else:
        quiet = purchase_counts.silence(purchase_counts.Model.of(fit), histories, horizon)
    none: FloatArray = 1 - alive * (1 - quiet)
    return none


def basket_quantile(fit: Fit, histories: Histories, quantile: float) -> FloatArray:
    """Return below which amount this share of next purchases of customers alike lie.

    The next amount is gamma distributed (p, nu) and nu gamma distributed (q + p x, v + x z) given
    the history: a beta prime distribution.
    """
    from scipy.special import betaincinv  # noqa: PLC0415  # loads slowly

    p, q, v = (fit.parameters[name] for name in ("p", "q", "v"))
    x = np.where(histories.spend > 0, histories.frequency, 0).astype(np.float64)
    share = betaincinv(p, q + p * x, quantile)
    amount: FloatArray = (v + x * histories.spend) * share / (1 - share)
    return amount
