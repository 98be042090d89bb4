"""How good probabilities are: ranking, errors, and whether what is said to happen does.

All on rows the model has not seen. Intervals are at 95 %.
"""

import math
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.kernel.estimate import Estimate
from amity.kernel.lift import wilson

Z95: Final = 1.959963984540054
_GROUPS: Final = 10
_LEAST: Final = 1e-6
_FLAT: Final = 1e-6
_ROUNDS: Final = 50
_CLOSE: Final = 1e-8
_SINGULAR: Final = 1e12


class CalibrationGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with alike probabilities: what was said, and what came, with Wilson's interval."""

    label: str
    customers: int
    predicted: float
    actual: float
    actual_low: float
    actual_high: float
    up_to: float
    """The highest probability in it."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good the probabilities of rows that were held out are."""

    rows: int
    positives: int
    auc: Estimate
    brier: float
    brier_of_base_rate: float
    """The same when everybody is given the base rate."""
    log_loss: float
    calibration_error: float
    """Mean distance of what was said from what came, over the groups (ECE)."""
    top_decile_lift: Estimate
    """How many times the base rate the tenth with the highest probabilities does it."""
    groups: list[CalibrationGroup]
    slope: Estimate | None = None
    """How far apart what came is, on the logit, for one apart in what was said: 1 is exact, less
    means that what was said is too sure. None where all were told the same, or labels part."""
    intercept: Estimate | None = None
    """How much more likely it was than said, on the logit, over all rows: 0 is exact."""


def measure(probability: FloatArray, label: FloatArray) -> Quality:
    """Return how good probabilities are; both kinds of labels must be there."""
    groups = group_by_probability(probability, label)
    weights = np.array([group.customers for group in groups]) / len(label)
    distances = np.array([abs(group.predicted - group.actual) for group in groups])
    base = float(label.mean())
    slope, intercept = recalibrate(probability, label)
    return Quality(
        rows=len(label),
        positives=int(label.sum()),
        auc=auc_interval(probability, label),
        brier=float(np.mean((probability - label) ** 2)),
        brier_of_base_rate=base * (1 - base),
        log_loss=log_loss(probability, label),
        calibration_error=float(weights @ distances),
        top_decile_lift=_top_lift(probability, label),
        groups=groups,
        slope=slope,
        intercept=intercept,
    )


def recalibrate(
    probability: FloatArray, label: FloatArray
) -> tuple[Estimate | None, Estimate | None]:
    """Return the slope and the intercept of what came on what was said, on the logit.

    Cox, Two further applications of a model for binary regression, Biometrika 45 (1958) 562-565;
    the intercept is that with the slope at 1.
    """
    sure = np.clip(probability, _LEAST, 1 - _LEAST)
    logit = np.log(sure / (1 - sure))
    spread = np.ptp(logit) > _FLAT
    centred = logit - logit.mean()
    slope = _climb(np.column_stack([centred, np.ones(len(logit))]), label, 0.0) if spread else None
    return slope, _climb(np.ones((len(logit), 1)), label, logit)


def _climb(design: FloatArray, label: FloatArray, offset: FloatArray | float) -> Estimate | None:
    """Return the first weight of a logistic regression; None where it runs away."""
    weights = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights + offset, -500, 500)))
        curve = (design * (chance * (1 - chance))[:, None]).T @ design
        if np.linalg.cond(curve) > _SINGULAR:
            return None
        step = np.linalg.solve(curve, design.T @ (label - chance))
        weights = weights + step / max(1.0, float(np.abs(step).max()) / 2)
        if float(np.abs(step).max()) < _CLOSE:
            value, half = float(weights[0]), Z95 * math.sqrt(float(np.linalg.inv(curve)[0, 0]))
            return Estimate(value=value, low=value - half, high=value + half)
    return None


def log_loss(probability: FloatArray, label: FloatArray) -> float:
    """Return the mean of minus the logarithm of what was said of what came."""
    sure = np.clip(probability, _LEAST, 1 - _LEAST)
    return float(-np.mean(label * np.log(sure) + (1 - label) * np.log(1 - sure)))


def auc(score: FloatArray, label: FloatArray) -> float:
    """Return the chance that one who did has a higher score than one who did not."""
    ranks = average_ranks(score)
    positives = float(label.sum())
    negatives = len(label) - positives
    above = float(ranks[label == 1].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def auc_interval(score: FloatArray, label: FloatArray) -> Estimate:
    """Return the AUC with DeLong's interval, on the logit so that it stays within 0..1.

    DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845.
    """
    is_positive = label == 1
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    ranks = average_ranks(score)
    among_positives = average_ranks(score[is_positive])
    among_negatives = average_ranks(score[~is_positive])
    beaten = (ranks[is_positive] - among_positives) / negatives
    lost = 1 - (ranks[~is_positive] - among_negatives) / positives
    value = float(beaten.mean())
    spread = sum(
        float(each.var(ddof=1)) / len(each) if len(each) > 1 else 0.0 for each in (beaten, lost)
    )
    inside = min(max(value, 0.5 / len(score)), 1 - 0.5 / len(score))
    half = Z95 * math.sqrt(spread) / (inside * (1 - inside))
    middle = math.log(inside / (1 - inside))
    low, high = (1 / (1 + math.exp(-min(max(middle + sign * half, -500), 500))) for sign in (-1, 1))
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def average_ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[place]
    return ranks


def group_by_probability(probability: FloatArray, label: FloatArray) -> list[CalibrationGroup]:
    """Return up to ten groups of about equal size, by probability; equal ones stay together."""
    place = tenths(probability)
    groups = []
    for each in np.unique(place):
        inside = place == each
        customers, came = int(inside.sum()), float(label[inside].sum())
        low, high = wilson(came, customers)
        first, last = float(probability[inside].min()), float(probability[inside].max())
        groups.append(
            CalibrationGroup(
                label=f"{first:.1%} to {last:.1%}",
                customers=customers,
                predicted=float(probability[inside].mean()),
                actual=came / customers,
                actual_low=low,
                actual_high=high,
                up_to=last,
            )
        )
    return groups


def tenths(values: FloatArray) -> IntArray:
    """Return the tenth of each value, 0 for the lowest; equal values are in the same."""
    ranks = average_ranks(values)
    place = np.ceil(ranks * _GROUPS / len(values)).astype(np.int64) - 1
    return np.clip(place, 0, _GROUPS - 1)


def _top_lift(probability: FloatArray, label: FloatArray) -> Estimate:
    """Return the lift of the best tenth; its interval is that of the share in it."""
    count = max(1, len(label) // _GROUPS)
    best = np.argsort(-probability, kind="stable")[:count]
    came, base = float(label[best].sum()), float(label.mean())
    low, high = wilson(came, count)
    return Estimate(value=came / count / base, low=low / base, high=high / base)
