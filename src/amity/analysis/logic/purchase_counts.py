"""How many purchases to expect of a customer who is still there, and between how many.

Given a history and being alive at its end, the rate is gamma (r + x, alpha + T) and the chance of
leaving beta (a, b + x): a new customer with other parameters.  So only (x, T) matter, and the work
is done once for each distinct pair.  Equations (8) to (10) of Fader, Hardie & Lee (2005).
"""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import Fit, FloatArray, Histories, IntArray
from amity.analysis.logic.lifetimes.quantiles import Pairs, count_interval, make_pairs

_MAX_COUNT: Final = 2_000
_BLOCK: Final = 512


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The four parameters and their unit of time."""

    r: float
    alpha: float
    a: float
    b: float
    unit_days: float

    @staticmethod
    def of(fit: Fit) -> "Model":
        """Read them from a fit."""
        return Model(**fit.parameters, unit_days=fit.unit_days)


def expect(
    model: Model,
    histories: Histories,
    horizons: FloatArray,
    *,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Return the purchases to expect of each customer if alive, summed over some horizons.

    Each horizon, in the model's unit, counts with its weight, by default 1.

    E[X(t)] is the mean over p of (1 - (1 + p t / alpha) ** -r) / p, taken by Gauss-Jacobi
    quadrature with as many nodes as the nearest singularity asks for.  It equals the closed form
    with Gauss's hypergeometric function, and is steady where that one cancels (a near 1) or
    overflows (many purchases).
    """
    return _integrate(model, histories, horizons, weights, _bought)


def stay(
    model: Model, histories: Histories, horizons: FloatArray, *, weights: FloatArray | None = None
) -> FloatArray:
    """Return the chance that each customer, if alive, still is after a horizon; summed as above.

    One leaves only after a purchase, so it is the mean over p of (1 + p t / alpha) ** -r.
    """
    return _integrate(model, histories, horizons, weights, _stayed)


def silence(model: Model, histories: Histories, horizon: float) -> FloatArray:
    """Return the chance that each customer, if alive, buys nothing within a horizon."""
    shape = model.r + histories.frequency
    scale = model.alpha + histories.age_days / model.unit_days
    quiet: FloatArray = (scale / (scale + horizon)) ** shape
    return quiet


def _bought(grown: FloatArray, shape: float, nodes: FloatArray, chances: FloatArray) -> FloatArray:
    number: FloatArray = -np.expm1(-shape * grown) @ (chances / nodes)
    return number


def _stayed(grown: FloatArray, shape: float, nodes: FloatArray, chances: FloatArray) -> FloatArray:
    chance: FloatArray = np.exp(-shape * grown) @ chances
    return chance


def _integrate(
    model: Model,
    histories: Histories,
    horizons: FloatArray,
    weights: FloatArray | None,
    measure: Callable[[FloatArray, float, FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    pairs = make_pairs(histories, model.unit_days)
    result = np.zeros(len(pairs.frequency))
    farthest = float(horizons.max(initial=0))
    if not len(histories) or farthest <= 0:
        return np.zeros(len(histories))
    counted = np.ones(len(horizons)) if weights is None else weights
    levels, starts = np.unique(pairs.frequency, return_index=True)
    for x, start, end in zip(levels, starts, np.append(starts[1:], len(pairs.age)), strict=True):
        ages = pairs.age[start:end]
        nodes, chances = _rule(model, float(x), (model.alpha + float(ages.min())) / farthest)
        for horizon, weight in zip(horizons, counted, strict=True):
            grown = np.log1p(np.outer(horizon / (model.alpha + ages), nodes))
            result[start:end] += weight * measure(grown, model.r + float(x), nodes, chances)
    chosen: FloatArray = result[pairs.place]
    return chosen


def _rule(model: Model, x: float, nearest: float) -> tuple[FloatArray, FloatArray]:
    """Return nodes in (0, 1) and weights of the mean over the chance of leaving.

    Golub & Welsch (1969) for the beta distribution (a, b + x): eigenvalues of the matrix of the
    three-term recurrence of the Jacobi polynomials.  SciPy's own overflows for many purchases.
    """
    from scipy.linalg import eigh_tridiagonal  # noqa: PLC0415  # loads slowly

    reach = 1 + 2 * nearest
    ellipse = np.log(reach + np.sqrt(reach * reach - 1))
    number = int(np.clip(np.ceil(24 / ellipse), 8, 256))
    left, right = model.a - 1, model.b + x - 1
    both = left + right
    k = np.arange(1, number, dtype=np.float64)
    twice = 2 * k + both
    diagonal = np.empty(number)
    diagonal[0] = (left - right) / (both + 2)
    diagonal[1:] = (left * left - right * right) / (twice * (twice + 2))
    beside = 4 * k * (k + left) * (k + right) * (k + both)
    below = twice * twice * (twice + 1)
    # For k = 1 one factor cancels, and without it 0 / 0 would come up when a + b + x = 1.
    beside[0], below[0] = 4 * (1 + left) * (1 + right), (2 + both) ** 2 * (3 + both)
    ratio = beside / below
    ratio[1:] /= twice[1:] - 1
    points, vectors = eigh_tridiagonal(diagonal, np.sqrt(ratio))
    return np.clip((points + 1) / 2, 1e-300, 1.0), vectors[0] ** 2


def interval(
    model: Model, histories: Histories, *, alive: FloatArray, horizon: float
) -> tuple[FloatArray, FloatArray]:
    """Return between which numbers of purchases a customer's will lie, 80 times in a hundred.

    The quantiles are of the distribution of the count itself, chance of having left included;
    the uncertainty of the parameters is not in it.  Counts above 2,000 are cut off.
    """
    if not len(histories) or horizon <= 0:
        return np.zeros(len(histories)), np.zeros(len(histories))
    pairs = make_pairs(histories, model.unit_days)

    def cumulate(frequency: FloatArray, age: FloatArray, width: int) -> FloatArray:
        return _cumulative(model, frequency, age, horizon, width)

    return count_interval(pairs, _widths(model, pairs, horizon), cumulate, alive)


def count_moments(
    model: Model, histories: Histories, horizon: float
) -> tuple[FloatArray, FloatArray]:
    """Return the mean number of purchases of each customer, if alive, and the mean of its square.

    A block of customers at a time; counts above 2,000 are cut off.
    """
    age, x = histories.age_days / model.unit_days, histories.frequency.astype(np.float64)
    first, second = np.zeros(len(x)), np.zeros(len(x))
    for at in range(0, len(x), _BLOCK):
        block = slice(at, at + _BLOCK)
        pairs = Pairs(frequency=x[block], age=age[block], place=np.arange(len(x[block])))
        width = int(_widths(model, pairs, horizon).max(initial=1))
        above = 1 - _cumulative(model, x[block], age[block], horizon, width)
        first[block] = above.sum(axis=1)
        second[block] = above @ (2 * np.arange(width) + 1.0)
    return first, second


def _widths(model: Model, pairs: Pairs, horizon: float) -> IntArray:
    """Return how many counts from zero hold nearly all of the distribution of each pair.

    Nobody buys more than one who never leaves, whose count is negative binomial.
    """
    odds = horizon / (model.alpha + pairs.age)
    mean = (model.r + pairs.frequency) * odds
    width = np.ceil(mean + 6 * np.sqrt(mean * (1 + odds)) + 8)
    widths: IntArray = np.minimum(width, _MAX_COUNT).astype(np.int64)
    return widths


def _cumulative(
    model: Model, x: FloatArray, age: FloatArray, horizon: float, width: int
) -> FloatArray:
    """Return P(X <= n) of those alive, one row a pair, n from 0 to ``width`` - 1."""
    from scipy.special import betaln, gammaln  # noqa: PLC0415  # loads slowly

    shape, scale = (model.r + x)[:, None], (model.alpha + age)[:, None]
    stay, a = (model.b + x)[:, None], model.a
    n = np.arange(width)[None, :]
    steady = np.exp(
        gammaln(shape + n)
        - gammaln(shape)
        - gammaln(n + 1.0)
        + shape * np.log(scale / (scale + horizon))
        + n * np.log(horizon / (scale + horizon))
    )
    below = np.cumsum(steady, axis=1) - steady
    whole = betaln(a, stay)
    chance = np.exp(betaln(a, stay + n) - whole) * steady
    left = np.exp(betaln(a + 1, stay + np.maximum(n, 1) - 1) - whole) * (1 - below)
    chance[:, 1:] += np.maximum(left[:, 1:], 0)
    cumulative: FloatArray = np.minimum(np.cumsum(chance, axis=1), 1.0)
    return cumulative
