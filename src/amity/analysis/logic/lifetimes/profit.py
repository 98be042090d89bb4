"""Lifetime value in profit: discounted margin of the purchases to come, less the cost to serve.

The interval says what the uncertainty of the parameters does to the expectation, by the delta
method: how far single customers then differ from theirs is not in it.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import Column, Fit, FloatArray, Histories
from amity.analysis.estimators.bgnbd import probability_alive
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic import purchase_counts
from amity.analysis.logic.lifetime_value import MONTH_DAYS
from amity.analysis.logic.lifetimes.fitting import Z95, variance_along
from amity.kernel.estimate import Estimate

YEAR_DAYS: Final = 365.25
_STEP: Final = 1e-4
_MAX_STEPS: Final = 120


class ProfitTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a purchase, and what a customer costs while he or she is one."""

    margin_rate: float = 1.0
    """Of the amount, after the goods and before what follows."""
    cost_per_order: float = 0.0
    """Of handling one, in units of the currency, as all costs."""
    cost_per_day: float = 0.0
    """Of serving and contacting somebody who still is a customer."""
    yearly_discount_rate: float = 0.0


class Profit(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The profit to expect of each customer, and of all; costs are part of it already."""

    profit: Column
    cost_to_serve: FloatArray
    total: Estimate | float
    """With its interval where the data determine the parameters."""


def expect_profit(
    fits: tuple[Fit, Fit], histories: Histories, terms: ProfitTerms, *, horizon_days: float
) -> Profit:
    """Return the profit to expect within a horizon from fits of BG/NBD and Gamma-Gamma."""
    margin, cost = _work_out(fits, histories, terms, horizon_days)
    value = margin - cost

    def again(changed: tuple[Fit, Fit]) -> FloatArray:
        one, other = _work_out(changed, histories, terms, horizon_days)
        return one - other

    covariance = _covariance(fits)
    if covariance is None:
        return Profit(profit=Column(value=value), cost_to_serve=cost, total=float(value.sum()))
    slopes = _slopes(fits, again)
    spread = Z95 * np.sqrt(variance_along(slopes, covariance))
    whole = slopes.sum(axis=1, keepdims=True)
    half = float(Z95 * np.sqrt(variance_along(whole, covariance))[0])
    total = float(value.sum())
    return Profit(
        profit=Column(value=value, low=value - spread, high=value + spread),
        cost_to_serve=cost,
        total=Estimate(value=total, low=total - half, high=total + half),
    )


def _work_out(
    fits: tuple[Fit, Fit], histories: Histories, terms: ProfitTerms, horizon_days: float
) -> tuple[FloatArray, FloatArray]:
    """Return each customer's discounted margin, and the discounted cost to serve."""
    buying, spending = fits
    model = purchase_counts.Model.of(buying)
    alive = probability_alive(buying, histories).value
    spend = GammaGamma(unit_days=spending.unit_days).predict(
        spending, histories, horizon_days=horizon_days
    )
    number = int(np.clip(round(horizon_days / MONTH_DAYS), 1, _MAX_STEPS))
    ends = horizon_days * np.arange(1, number + 1) / number
    factors = (1 + terms.yearly_discount_rate) ** (-ends / YEAR_DAYS)
    # Summed by parts: what is expected up to an end counts for what the factor then loses.
    lost = factors - np.append(factors[1:], 0.0)
    bought = purchase_counts.expect(model, histories, ends / buying.unit_days, weights=lost)
    each = spend.columns["expected_spend"].value * terms.margin_rate - terms.cost_per_order
    margin: FloatArray = alive * bought * each
    if not terms.cost_per_day:
        return margin, np.zeros(len(margin))
    length = horizon_days / number
    served = purchase_counts.stay(
        model, histories, (ends - length / 2) / buying.unit_days, weights=factors * length
    )
    return margin, alive * served * terms.cost_per_day


def _covariance(fits: tuple[Fit, Fit]) -> FloatArray | None:
    """Return the covariance of the logarithms of all parameters; the two fits are independent."""
    if not all(fit.covariance for fit in fits):
        return None
    one, other = (np.array(fit.covariance) for fit in fits)
    whole = np.zeros((len(one) + len(other),) * 2)
    whole[: len(one), : len(one)] = one
    whole[len(one) :, len(one) :] = other
    return whole


def _slopes(fits: tuple[Fit, Fit], again: Callable[[tuple[Fit, Fit]], FloatArray]) -> FloatArray:
    """Return how each customer's profit changes with the logarithm of each parameter."""
    rows = []
    for place, fit in enumerate(fits):
        for name, value in fit.parameters.items():
            ends = []
            for step in (_STEP, -_STEP):
                moved = msgspec.structs.replace(
                    fit, parameters={**fit.parameters, name: value * np.exp(step)}
                )
                changed = (moved, fits[1]) if place == 0 else (fits[0], moved)
                ends.append(again(changed))
            rows.append((ends[0] - ends[1]) / (2 * _STEP))
    return np.stack(rows)
