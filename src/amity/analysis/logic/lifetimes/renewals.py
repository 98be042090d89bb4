"""The shifted-beta-geometric model of contracts: who does not renew, and who still will.

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1).
At the end of each period a customer leaves with a chance of his or her own, beta distributed
(alpha, beta) over customers; retention rises over the years as those who leave easily go first.
"""

from typing import Final

import msgspec
import numpy as np
from scipy.special import betaln, digamma, polygamma

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.newton import Evaluation, dot

NAMES: Final = ("alpha", "beta")


class Grouped(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Distinct outcomes with their number of customers.

    ``renewed`` periods were completed; who left did so at the end of the one after.
    """

    renewed: FloatArray
    left: FloatArray
    """1 for those who left, 0 for those still there."""
    weight: FloatArray


def group(renewed: IntArray, left: IntArray, weight: FloatArray) -> Grouped:
    """Sum the customers of each distinct outcome."""
    keys, place = np.unique(renewed * 2 + left, return_inverse=True)
    return Grouped(
        renewed=(keys // 2).astype(np.float64),
        left=(keys % 2).astype(np.float64),
        weight=np.bincount(place, weight).astype(np.float64),
    )


def evaluate(grouped: Grouped, logarithms: FloatArray) -> Evaluation:
    """Return log-likelihood, gradient and second derivatives in log (alpha, beta).

    Leaving after t renewals has the chance B(alpha + 1, beta + t) / B(alpha, beta), having renewed
    t times and being there still B(alpha, beta + t) / B(alpha, beta).
    """
    natural = np.exp(logarithms)
    alpha, beta = natural
    left, t, w = grouped.left, grouped.renewed, grouped.weight
    value = dot(w, betaln(alpha + left, beta + t) - betaln(alpha, beta))
    both, none = alpha + left + beta + t, alpha + beta
    shared = dot(w, digamma(both) - digamma(none))
    gradient = np.array(
        [
            dot(w, digamma(alpha + left) - digamma(alpha)) - shared,
            dot(w, digamma(beta + t) - digamma(beta)) - shared,
        ]
    )
    bend = dot(w, polygamma(1, both) - polygamma(1, none))
    hessian = np.full((2, 2), -bend)
    hessian[0, 0] += dot(w, polygamma(1, alpha + left) - polygamma(1, alpha))
    hessian[1, 1] += dot(w, polygamma(1, beta + t) - polygamma(1, beta))
    slope = gradient * natural
    return value, slope, hessian * np.outer(natural, natural) + np.diag(slope)


def survival(natural: FloatArray, periods: FloatArray | IntArray) -> FloatArray:
    """Return the share of new customers still there after some numbers of renewals."""
    alpha, beta = natural
    share: FloatArray = np.exp(betaln(alpha, beta + periods) - betaln(alpha, beta))
    return share


def stays(natural: FloatArray, renewed: FloatArray, ahead: float) -> FloatArray:
    """Return the chance that customers who renewed so often renew ``ahead`` times more."""
    alpha, beta = natural
    chance: FloatArray = np.exp(
        betaln(alpha, beta + renewed + ahead) - betaln(alpha, beta + renewed)
    )
    return chance


def remaining(
    natural: FloatArray, renewed: FloatArray, *, ahead: int, discount_rate: float = 0.0
) -> FloatArray:
    """Return the renewals to expect within ``ahead`` periods, each discounted per period."""
    numbers = np.arange(1, ahead + 1, dtype=np.float64)
    factors = (1 + discount_rate) ** -numbers
    chances = stays(natural, renewed[:, None], numbers[None, :])  # type: ignore[arg-type]
    expected: FloatArray = chances @ factors
    return expected
