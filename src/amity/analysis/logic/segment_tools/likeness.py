"""Telling members from others by a regularised logistic regression, tried on who was held out.

Pure. Members and others are drawn apart (case-control), so the weights rank and are no
probabilities (Prentice and Pyke, Biometrika 66 (1979) 403-411).
"""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.learning.measures import auc_interval
from amity.kernel.estimate import Estimate

FEWEST: Final = 100
"""Members, and others, that must be there to learn from."""
IMPLAUSIBLE: Final = 0.97
_HELD_OUT: Final = 0.3
_STRENGTH: Final = 0.1
"""The inverse of the penalty on standardised weights (L2)."""


class Likeness(msgspec.Struct, frozen=True, eq=False):
    """A weight a column in its own unit, and how the ranking did on those held out."""

    intercept: float
    weights: FloatArray
    strengths: FloatArray
    auc: Estimate
    held_out: int


def learn(values: FloatArray, is_member: FloatArray, rng: np.random.Generator) -> Likeness:
    """Learn to rank; ``values`` has a row a customer. Raises Refused where there is nothing to."""
    members = int(is_member.sum())
    for count, who in ((members, "members"), (len(is_member) - members, "other customers")):
        if count < FEWEST:
            raise Refused(f"only {count:,} {who}; likeness is learnt from at least {FEWEST}")
    if not values.shape[1]:
        raise Refused("nothing is known of the customers but what the rule itself asks for")
    is_held = np.zeros(len(is_member), bool)
    for each in (0.0, 1.0):
        places = rng.permutation(np.flatnonzero(is_member == each))
        is_held[places[: int(len(places) * _HELD_OUT)]] = True
    tried = _fit(values[~is_held], is_member[~is_held])
    auc = auc_interval(values[is_held] @ tried[1], is_member[is_held])
    if auc.low <= 0.5:
        raise Refused(
            f"members cannot be told from others: held out, the ranking is right in {auc.value:.0%}"
            f" of pairs ({auc.low:.0%} to {auc.high:.0%}), and a coin is in 50%"
        )
    intercept, weights, strengths = _fit(values, is_member)
    return Likeness(intercept, weights, strengths, auc, int(is_held.sum()))


def _fit(values: FloatArray, is_member: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the intercept and weights in plain units, and those in standard deviations."""
    import sklearn.linear_model  # noqa: PLC0415  # loads slowly
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  # comes with scikit-learn

    means, deviations = values.mean(axis=0), values.std(axis=0)
    scale = np.where(deviations > 0, deviations, np.inf)
    with threadpool_limits(1):  # threads would only wait for each other
        fitted = sklearn.linear_model.LogisticRegression(C=_STRENGTH, max_iter=1_000).fit(
            (values - means) / scale, is_member
        )
    strengths = np.asarray(fitted.coef_[0], np.float64)
    weights = strengths / scale
    return float(fitted.intercept_[0] - means @ weights), weights, strengths
