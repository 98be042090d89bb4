"""What all customers together will do, with an interval of what will come and not of a mean only.

Two things keep a total from being known: each customer's own chance, whose variances add up, and
the parameters, by the delta method on their logarithms. Both are worked out on some thousand
customers where there are more. Derivation: docs/algorithms/profit.md.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import Fit, FloatArray, Histories
from amity.analysis.estimators.bgnbd import probability_alive
from amity.analysis.logic import purchase_counts
from amity.analysis.logic.lifetimes import pareto
from amity.analysis.logic.lifetimes.fitting import Z95
from amity.analysis.logic.lifetimes.waiting import chance_of_none
from amity.kernel.estimate import Estimate

_STEP: Final = 1e-4
_SOME: Final = 4_000


def total_of(
    fit: Fit, value: float, chance: float, again: Callable[[Fit], float]
) -> Estimate | None:
    """Return a total with 95 % of what will come; None where the parameters are undetermined.

    ``chance`` is the variance that customers' own chances give it, ``again`` what the total is by
    other parameters.
    """
    if not fit.covariance:
        return None
    slopes = slopes_of(fit, again)
    variance = chance + float(slopes @ np.array(fit.covariance) @ slopes)
    half = Z95 * float(np.sqrt(max(variance, 0.0)))
    return Estimate(value=value, low=max(value - half, 0.0), high=value + half)


def slopes_of(fit: Fit, again: Callable[[Fit], float]) -> FloatArray:
    """Return how a figure changes with the logarithm of each parameter."""
    slopes = []
    for name, value in fit.parameters.items():
        up, down = (
            again(
                msgspec.structs.replace(
                    fit, parameters={**fit.parameters, name: value * np.exp(step)}
                )
            )
            for step in (_STEP, -_STEP)
        )
        slopes.append((up - down) / (2 * _STEP))
    return np.array(slopes)


def some_of(histories: Histories) -> tuple[Histories, float]:
    """Return every so many of the customers, and how many each stands for."""
    each = max(1, -(-len(histories) // _SOME))
    chosen = histories.take(np.arange(0, len(histories), each))
    return chosen, len(histories) / max(len(chosen), 1)


def total_purchases(
    fit: Fit, histories: Histories, value: float, horizon_days: float
) -> Estimate | None:
    """Return the purchases to expect of all customers within a horizon, with their interval."""
    some, weight = some_of(histories)
    mean, square = count_moments(fit, some, horizon_days)
    chance = float(np.sum(square - mean**2)) * weight
    return total_of(
        fit, value, chance, lambda moved: float(_expect(moved, some, horizon_days).sum()) * weight
    )


def total_value(
    fits: tuple[Fit, Fit], histories: Histories, value: float, horizon_days: float
) -> Estimate | None:
    """Return the same of what is spent, by Gamma-Gamma; None where its spread is not finite."""
    buying, spending = fits
    some, weight = some_of(histories)
    if not (buying.covariance and spending.covariance):
        return None
    number, square = count_moments(buying, some, horizon_days)
    shape, scale = _spending(spending, some)
    if float(shape.min(initial=np.inf)) <= 2:  # the variance of what is spent is not finite then
        return None
    p = spending.parameters["p"]
    each = p * scale / (shape - 1)
    finer = scale**2 / ((shape - 1) * (shape - 2))
    chance = float(np.sum(square * p**2 * finer + number * p * finer - (number * each) ** 2))

    def again(buying: Fit, spending: Fit) -> float:
        shape, scale = _spending(spending, some)
        amount = spending.parameters["p"] * scale / (shape - 1)
        return float(_expect(buying, some, horizon_days) @ amount) * weight

    of_buying = slopes_of(buying, lambda moved: again(moved, spending))
    of_spending = slopes_of(spending, lambda moved: again(buying, moved))
    variance = chance * weight + sum(
        float(slopes @ np.array(fit.covariance) @ slopes)
        for slopes, fit in ((of_buying, buying), (of_spending, spending))
    )
    half = Z95 * float(np.sqrt(max(variance, 0.0)))
    return Estimate(value=value, low=max(value - half, 0.0), high=value + half)


def total_silent(
    fit: Fit, histories: Histories, chance: FloatArray, horizon_days: float
) -> Estimate | None:
    """Return how many will buy nothing within a horizon, by the chance of each."""
    some, weight = some_of(histories)

    def again(moved: Fit) -> float:
        alive = alive_by(moved, some)
        return float(chance_of_none(moved, some, alive, horizon_days).sum()) * weight

    return total_of(fit, float(chance.sum()), float(chance @ (1 - chance)), again)


def total_alive(fit: Fit, histories: Histories, alive: FloatArray) -> Estimate | None:
    """Return how many have not left, by the chance of each."""
    some, weight = some_of(histories)
    return total_of(
        fit,
        float(alive.sum()),
        float(alive @ (1 - alive)),
        lambda moved: float(alive_by(moved, some).sum()) * weight,
    )


def _spending(fit: Fit, histories: Histories) -> tuple[FloatArray, FloatArray]:
    """Return shape and scale of what is known of each customer's own average (Gamma-Gamma)."""
    p, q, v = (fit.parameters[name] for name in ("p", "q", "v"))
    number = np.where(histories.spend > 0, histories.frequency, 0).astype(np.float64)
    return q + p * number, v + number * histories.spend


def alive_by(fit: Fit, histories: Histories) -> FloatArray:
    """Return the chance of each not to have left, by whichever model it is."""
    if fit.estimator != "pareto_nbd":
        return probability_alive(fit, histories).value
    grouped, place = pareto.group(histories, fit.unit_days)
    alive, _ = pareto.probability_alive(pareto.Model.of(fit), grouped)
    chosen: FloatArray = alive[place]
    return chosen


def _expect(fit: Fit, histories: Histories, horizon_days: float) -> FloatArray:
    horizon, alive = np.array([horizon_days / fit.unit_days]), alive_by(fit, histories)
    if fit.estimator != "pareto_nbd":
        return alive * purchase_counts.expect(purchase_counts.Model.of(fit), histories, horizon)
    grouped, place = pareto.group(histories, fit.unit_days)
    bought: FloatArray = pareto.expect(pareto.Model.of(fit), grouped, horizon)[place]
    return alive * bought


def count_moments(
    fit: Fit, histories: Histories, horizon_days: float
) -> tuple[FloatArray, FloatArray]:
    """Return the mean of each customer's number of purchases, and of its square."""
    horizon, alive = horizon_days / fit.unit_days, alive_by(fit, histories)
    if fit.estimator == "pareto_nbd":
        grouped, place = pareto.group(histories, fit.unit_days)
        first, second = pareto.count_moments(pareto.Model.of(fit), grouped, horizon)
        first, second = first[place], second[place]
    else:
        first, second = purchase_counts.count_moments(
            purchase_counts.Model.of(fit), histories, horizon
        )
    return alive * first, alive * second
