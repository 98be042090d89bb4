"""The BG/NBD log-likelihood with its first and second derivatives, over distinct histories.

Customers with the same (frequency, recency, age) have the same likelihood, so each distinct
history is worked out once and weighted.  Everything that depends on the frequency alone is summed
over the distinct frequencies.  Derivation: docs/algorithms/bgnbd.md.
"""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Histories, IntArray
from amity.analysis.logic.newton import Evaluation, dot

_PIECE: Final = 8_192
_SPARSE: Final = 8
"""Counting in a table beats sorting while the table has no more places a customer than this."""


class Grouped(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Distinct histories with their number of customers, in units of time.

    Those who never came back need only their age: ``once_age``, ``once_weight``.
    """

    once_age: FloatArray
    once_weight: FloatArray
    frequency: FloatArray
    recency: FloatArray
    age: FloatArray
    weight: FloatArray
    levels: FloatArray
    """Distinct frequencies above zero, with ``level_weight`` customers each."""
    level_weight: FloatArray


def group(histories: Histories, unit_days: float) -> Grouped:
    """Count the customers of each distinct history."""
    keys, counts, base = _distinct(histories)
    rest, age = np.divmod(keys, base)
    frequency, recency = np.divmod(rest, base)
    again = frequency > 0
    levels, place = np.unique(frequency[again], return_inverse=True)
    return Grouped(
        once_age=age[~again] / unit_days,
        once_weight=counts[~again].astype(np.float64),
        frequency=frequency[again].astype(np.float64),
        recency=recency[again] / unit_days,
        age=age[again] / unit_days,
        weight=counts[again].astype(np.float64),
        levels=levels.astype(np.float64),
        level_weight=np.bincount(place, counts[again], len(levels)).astype(np.float64),
    )


def _distinct(histories: Histories) -> tuple[IntArray, IntArray, int]:
    """Return the distinct histories as (frequency, recency, age) in one number, and counts."""
    base = int(histories.age_days.max(initial=0)) + 1
    packed = (histories.frequency * base + histories.recency_days) * base + histories.age_days
    room = (int(histories.frequency.max(initial=0)) + 1) * base * base
    if room <= _SPARSE * len(packed):
        counts = np.bincount(packed, minlength=0)
        keys = np.flatnonzero(counts)
        return keys, counts[keys], base
    keys, counts = np.unique(packed, return_counts=True)
    return keys, counts, base


def evaluate(grouped: Grouped, logarithms: FloatArray) -> Evaluation:
    """Return log-likelihood, gradient and second derivatives in log (r, alpha, a, b)."""
    natural = np.exp(logarithms)
    value, gradient, hessian = 0.0, np.zeros(4), np.zeros((4, 4))
    for part in (_by_frequency, _once, _again):
        with np.errstate(over="ignore", invalid="ignore"):
            some, slope, bend = part(grouped, natural)
        value, gradient, hessian = value + some, gradient + slope, hessian + bend
    slope = gradient * natural
    return value, slope, hessian * np.outer(natural, natural) + np.diag(slope)


def _by_frequency(grouped: Grouped, natural: FloatArray) -> Evaluation:
    """Sum what depends on the frequency alone."""
    from scipy.special import digamma, gammaln, polygamma  # noqa: PLC0415  # loads slowly

    r, alpha, a, b = natural
    x, w = grouped.levels, grouped.level_weight
    n, many = float(w.sum()), len(x)
    # One call a function for every argument: the arrays are short, the calls are what costs.
    points = np.concatenate((r + x, b + x, a + b + x, [r, b, a + b]))
    log_gamma, slope, bend = gammaln(points), digamma(points), polygamma(1, points)

    def summed(table: FloatArray, place: int) -> float:
        return float(w @ table[place * many : (place + 1) * many]) - n * float(
            table[3 * many + place]
        )

    value = summed(log_gamma, 0) + summed(log_gamma, 1) - summed(log_gamma, 2)
    value += n * r * np.log(alpha)
    dr, db, dab = (summed(slope, place) for place in range(3))
    hr, hb, hab = (summed(bend, place) for place in range(3))
    gradient = np.array([dr + n * np.log(alpha), n * r / alpha, -dab, db - dab])
    hessian = np.array(
        [
            [hr, n / alpha, 0, 0],
            [n / alpha, -n * r / alpha**2, 0, 0],
            [0, 0, -hab, -hab],
            [0, 0, -hab, hb - hab],
        ]
    )
    return value, gradient, hessian


def _once(grouped: Grouped, natural: FloatArray) -> Evaluation:
    """Sum over those who bought once: (alpha / (alpha + T)) ** r."""
    r, alpha = natural[:2]
    w, whole = grouped.once_weight, alpha + grouped.once_age
    logs = dot(w, np.log(alpha / whole))
    first = dot(w, 1 / alpha - 1 / whole)
    second = dot(w, 1 / whole**2 - 1 / alpha**2)
    gradient = np.array([logs, r * first, 0, 0])
    hessian = np.zeros((4, 4))
    hessian[0, 1] = hessian[1, 0] = first
    hessian[1, 1] = r * second
    return r * logs, gradient, hessian


def _again(grouped: Grouped, natural: FloatArray) -> Evaluation:
    """Sum over those who came back, by pieces that stay in the processor's cache."""
    value, gradient, hessian = 0.0, np.zeros(4), np.zeros((4, 4))
    for at in range(0, len(grouped.weight), _PIECE):
        piece = slice(at, at + _PIECE)
        some, slope, bend = _again_piece(grouped, natural, piece)
        value, gradient, hessian = value + some, gradient + slope, hessian + bend
    return value, gradient, hessian


def _again_piece(grouped: Grouped, natural: FloatArray, piece: slice) -> Evaluation:
    """Sum ln((alpha+T)^-(r+x) + a/(b+x-1) (alpha+t_x)^-(r+x))."""
    from scipy.special import expit  # noqa: PLC0415  # loads slowly

    r, alpha, a, b = natural
    x, w = grouped.frequency[piece], grouped.weight[piece]
    whole, part, power = alpha + grouped.age[piece], alpha + grouped.recency[piece], r + x
    log_whole = np.log(whole)
    ratio = log_whole - np.log(part)
    odds = np.log(a / (b + x - 1)) + power * ratio
    gone = expit(odds)
    value = dot(w, np.logaddexp(0, odds) - power * log_whole)

    inverse, shift = 1 / whole, 1 / whole - 1 / part
    # The derivatives of `odds`: by r, alpha, a and b, and what is not zero of its second ones.
    rows = np.stack((ratio, power * shift, np.full_like(x, 1 / a), -1 / (b + x - 1)))
    wg = w * gone
    gradient = np.einsum("in,n->i", rows, wg)
    gradient[0] -= dot(w, log_whole)
    gradient[1] -= dot(w, power * inverse)
    hessian = np.einsum("in,jn->ij", rows * (wg * (1 - gone)), rows)
    hessian[0, 1] += dot(wg, shift) - dot(w, inverse)
    hessian[1, 0] = hessian[0, 1]
    hessian[1, 1] += dot(power, wg * (1 / part**2 - inverse**2) + w * inverse**2)
    hessian[2, 2] -= float(wg.sum()) / a**2
    hessian[3, 3] += dot(wg, rows[3] ** 2)
    return value, gradient, hessian
