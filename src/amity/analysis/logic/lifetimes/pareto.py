"""The Pareto/NBD likelihood with its derivatives, and what it says of one history.

The likelihood of a history is a customer who is still there plus, over every moment since the last
purchase, one who left then. Papers write the second part with Gauss's hypergeometric function; here
it is the integral itself, by Gauss-Legendre quadrature, so that its first and second derivatives
are as exact as it is. Derivation: docs/algorithms/pareto_nbd.md.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import Fit, FloatArray, Histories, IntArray
from amity.analysis.logic.newton import Evaluation, dot

NAMES: Final = ("r", "alpha", "s", "beta")
_NODES: Final = 20
_PANEL: Final = 16.0
"""How far the integrand's logarithm may fall within one panel: 20 nodes are then exact to the last
digits of double precision."""
_MAX_PANELS: Final = 64
_PIECE: Final = 4_096
_LIFETIMES: Final = 24
_MAX_COUNT: Final = 2_000
_TINY: Final = -600.0


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The four parameters and their unit of time."""

    r: float
    alpha: float
    s: float
    beta: float
    unit_days: float

    @staticmethod
    def of(fit: Fit) -> "Model":
        """Read them from a fit."""
        return Model(**fit.parameters, unit_days=fit.unit_days)

    @property
    def natural(self) -> FloatArray:
        """The parameters in their order."""
        return np.array([self.r, self.alpha, self.s, self.beta])


class Grouped(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Distinct histories in units of time, with their number of customers."""

    frequency: FloatArray
    recency: FloatArray
    age: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, places: IntArray) -> "Grouped":
        """Return some of them."""
        return Grouped(**{field: getattr(self, field)[places] for field in self.__struct_fields__})


def group(histories: Histories, unit_days: float) -> tuple[Grouped, IntArray]:
    """Return the distinct histories, and each customer's place among them."""
    base = int(histories.age_days.max(initial=0)) + 1
    packed = (histories.frequency * base + histories.recency_days) * base + histories.age_days
    keys, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    rest, age = np.divmod(keys, base)
    frequency, recency = np.divmod(rest, base)
    grouped = Grouped(
        frequency=frequency.astype(np.float64),
        recency=recency / unit_days,
        age=age / unit_days,
        weight=counts.astype(np.float64),
    )
    return grouped, place.astype(np.int64)


@cache
def _legendre() -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2


class _Parts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The log-terms of some histories: the first column is being there still, the others having
    left at each node; and what their derivatives are made of."""

    terms: FloatArray
    log_rate: FloatArray
    """ln(alpha + tau) at each column; ``log_stay`` is ln(beta + tau)."""
    log_stay: FloatArray
    power_rate: FloatArray
    """r + x, a column; ``power_stay`` is s for the first column and s + 1 for the others."""
    power_stay: FloatArray


def _pieces(grouped: Grouped, natural: FloatArray) -> Iterator[tuple[IntArray, _Parts]]:
    """Yield the histories by how finely their integral is cut, a bounded number at a time."""
    r, alpha, s, beta = natural
    start = min(alpha, beta)
    reach = _grown(start, grouped)
    fall = (r + grouped.frequency) * _grown(alpha, grouped) + (s + 1) * _grown(beta, grouped)
    wanted = np.ceil(fall / _PANEL)
    panels = 2 ** np.ceil(np.log2(np.clip(wanted, 1, _MAX_PANELS))).astype(np.int64)
    for number in np.unique(panels).tolist():
        places = np.flatnonzero(panels == number)
        step = max(1, _PIECE // number)
        for at in range(0, len(places), step):
            some = places[at : at + step]
            yield some, _parts(grouped.take(some), natural, reach[some], number)


def _grown(start: float, grouped: Grouped) -> FloatArray:
    """Return ln((start + T) / (start + t_x))."""
    grown: FloatArray = np.log1p((grouped.age - grouped.recency) / (start + grouped.recency))
    return grown


def _parts(grouped: Grouped, natural: FloatArray, reach: FloatArray, panels: int) -> _Parts:
    r, alpha, s, beta = natural
    nodes, weights = _legendre()
    steps = (np.arange(panels)[:, None] + nodes[None, :]).ravel() / panels
    # tau runs from the last purchase to now, evenly in ln(start + tau): smooth, whatever start is.
    start = min(alpha, beta) + grouped.recency
    grown = reach[:, None] * steps
    tau = grouped.recency[:, None] + start[:, None] * np.expm1(grown)
    log_width = np.log(np.tile(weights, panels) / panels)[None, :]
    with np.errstate(divide="ignore"):
        log_width = log_width + np.log(reach * start)[:, None] + grown
    moments = np.concatenate((grouped.age[:, None], tau), axis=1)
    log_rate, log_stay = np.log(alpha + moments), np.log(beta + moments)
    power_rate = (r + grouped.frequency)[:, None]
    power_stay = np.full(moments.shape[1], s + 1.0)
    power_stay[0] = s
    terms = -power_rate * log_rate - power_stay * log_stay
    terms[:, 1:] += log_width + np.log(s)
    return _Parts(
        terms=terms,
        log_rate=log_rate,
        log_stay=log_stay,
        power_rate=power_rate,
        power_stay=power_stay,
    )


def _shares(terms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the logarithm of the sum of each row's terms, and each term's share of it."""
    top = terms.max(axis=1)
    shares = np.exp(terms - top[:, None])
    total = shares.sum(axis=1)
    return top + np.log(total), shares / total[:, None]


def evaluate(grouped: Grouped, logarithms: FloatArray) -> Evaluation:
    """Return log-likelihood, gradient and second derivatives in log (r, alpha, s, beta)."""
    natural = np.exp(logarithms)
    value, gradient, hessian = _by_frequency(grouped, natural)
    for some, parts in _pieces(grouped, natural):
        found, slope, bend = _integrate(parts, natural, grouped.weight[some])
        value, gradient, hessian = value + found, gradient + slope, hessian + bend
    slope = gradient * natural
    return value, slope, hessian * np.outer(natural, natural) + np.diag(slope)


def _by_frequency(grouped: Grouped, natural: FloatArray) -> Evaluation:
    """Sum ln(Gamma(r + x) / Gamma(r) alpha^r beta^s)."""
    from scipy.special import digamma, gammaln, polygamma  # noqa: PLC0415  # loads slowly

    r, alpha, s, beta = natural
    levels, place = np.unique(grouped.frequency, return_inverse=True)
    w = np.bincount(place, grouped.weight).astype(np.float64)
    n = float(w.sum())
    value = dot(w, gammaln(r + levels) - gammaln(r)) + n * (r * np.log(alpha) + s * np.log(beta))
    gradient = np.array(
        [
            dot(w, digamma(r + levels) - digamma(r)) + n * np.log(alpha),
            n * r / alpha,
            n * np.log(beta),
            n * s / beta,
        ]
    )
    hessian = np.zeros((4, 4))
    hessian[0, 0] = dot(w, polygamma(1, r + levels) - polygamma(1, r))
    hessian[0, 1] = hessian[1, 0] = n / alpha
    hessian[1, 1] = -n * r / alpha**2
    hessian[2, 3] = hessian[3, 2] = n / beta
    hessian[3, 3] = -n * s / beta**2
    return value, gradient, hessian


def _slopes(parts: _Parts, natural: FloatArray) -> FloatArray:
    """Return the derivatives of each term by r, alpha, s and beta: four tables."""
    s = natural[2]
    slopes = np.stack(
        (
            -parts.log_rate,
            -parts.power_rate * np.exp(-parts.log_rate),
            -parts.log_stay,
            -parts.power_stay * np.exp(-parts.log_stay),
        )
    )
    slopes[2, :, 1:] += 1 / s
    return slopes


def _integrate(parts: _Parts, natural: FloatArray, weight: FloatArray) -> Evaluation:
    logs, shares = _shares(parts.terms)
    slopes = _slopes(parts, natural)
    means = np.einsum("ink,nk->in", slopes, shares)
    counted = shares * weight[:, None]
    hessian = np.einsum("ink,jnk,nk->ij", slopes, slopes, counted, optimize=True)
    hessian -= np.einsum("in,jn,n->ij", means, means, weight)
    rate, stay = np.exp(-parts.log_rate), np.exp(-parts.log_stay)
    bends = ((0, 1, rate), (2, 3, stay))
    for one, other, table in bends:
        bend = -float((counted * table).sum())
        hessian[one, other] += bend
        hessian[other, one] += bend
    hessian[1, 1] += float((counted * parts.power_rate * rate**2).sum())
    hessian[3, 3] += float((counted * parts.power_stay * stay**2).sum())
    hessian[2, 2] -= float(counted[:, 1:].sum()) / natural[2] ** 2
    return dot(weight, logs), means @ weight, hessian


def probability_alive(model: Model, grouped: Grouped) -> tuple[FloatArray, FloatArray]:
    """Return the probability that each has not left, and the slope of its logit by log parameter.

    The slopes are four rows; they are infinite nowhere, and zero where nobody can have left.
    """
    natural = model.natural
    alive, slope = np.ones(len(grouped)), np.zeros((4, len(grouped)))
    for some, parts in _pieces(grouped, natural):
        _, shares = _shares(parts.terms)
        alive[some] = shares[:, 0]
        gone = shares[:, 1:].sum(axis=1)
        slopes = _slopes(parts, natural)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = np.einsum("ink,nk->in", slopes[:, :, 1:], shares[:, 1:]) / gone
        difference = (slopes[:, :, 0] - left) * natural[:, None]
        slope[:, some] = np.where(gone > 0, difference, 0.0)
    return alive, slope


def expect(
    model: Model, grouped: Grouped, horizons: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return the purchases to expect of each if alive, summed over some horizons in units.

    Each horizon counts with its weight, by default 1.
    """
    counted = np.ones(len(horizons)) if weights is None else weights
    rate = (model.r + grouped.frequency) / (model.alpha + grouped.age)
    shifted, power = model.beta + grouped.age, model.s - 1
    result = np.zeros(len(grouped))
    for horizon, weight in zip(horizons.tolist(), counted.tolist(), strict=True):
        shrunk = -np.log1p(horizon / shifted)
        # (1 - q^(s - 1)) / (s - 1), whose limit at s = 1 is -ln q.
        with np.errstate(over="ignore"):
            part = -shrunk if abs(power) < 1e-9 else -np.expm1(power * shrunk) / power
        result += weight * rate * shifted * part
    return result


def stay(
    model: Model, grouped: Grouped, horizons: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return the chance that each, if alive, still is after a horizon; summed as above."""
    counted = np.ones(len(horizons)) if weights is None else weights
    shifted = model.beta + grouped.age
    result = np.zeros(len(grouped))
    for horizon, weight in zip(horizons.tolist(), counted.tolist(), strict=True):
        result += weight * (shifted / (shifted + horizon)) ** model.s
    return result


def count_chances(model: Model, grouped: Grouped, horizon: float, width: int) -> FloatArray:
    """Return P(X <= n) of those alive within a horizon, one row each, n from 0 to ``width`` - 1.

    The time a customer still stays is Lomax distributed (s, beta + T); during it, purchases are
    negative binomial. The mean over that time is by quadrature in its own distribution.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_LIFETIMES)
    shifted = (model.beta + grouped.age)[:, None]
    leaves = -np.expm1(-model.s * np.log1p(horizon / shifted))
    at = leaves * (nodes + 1) / 2
    stays = np.minimum(shifted * np.expm1(-np.log1p(-at) / model.s), horizon)
    spans = np.concatenate((stays, np.full_like(shifted, horizon)), axis=1)
    chances = np.concatenate((leaves * weights / 2, 1 - leaves), axis=1)
    shape, scale = (model.r + grouped.frequency)[:, None], (model.alpha + grouped.age)[:, None]
    quiet = scale / (scale + spans)
    if float((shape * np.log(quiet)).min()) < _TINY:
        return _count_slowly(shape, quiet, chances, width)
    exactly = np.exp(shape * np.log(quiet))
    cumulative = np.empty((len(grouped), width))
    for count in range(width):
        cumulative[:, count] = (chances * exactly).sum(axis=1)
        exactly = exactly * (1 - quiet) * (shape + count) / (count + 1)
    return np.minimum(np.cumsum(cumulative, axis=1), 1.0)


def _count_slowly(
    shape: FloatArray, quiet: FloatArray, chances: FloatArray, width: int
) -> FloatArray:
    """Return the same where the chance of none is too small to go on from."""
    from scipy.special import betainc  # noqa: PLC0415  # loads slowly

    cumulative = np.empty((len(shape), width))
    for count in range(width):
        cumulative[:, count] = (chances * betainc(shape, count + 1.0, quiet)).sum(axis=1)
    return np.minimum(cumulative, 1.0)


def count_moments(model: Model, grouped: Grouped, horizon: float) -> tuple[FloatArray, FloatArray]:
    """Return the mean number of purchases of each, if alive, and the mean of its square.

    Given the rate and the time m still spent as a customer the count is Poisson; the two are
    independent, and the moments of m are integrals of the chance to stay.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_LIFETIMES)
    at, step = horizon * (nodes + 1) / 2, horizon * weights / 2
    shifted = (model.beta + grouped.age)[:, None]
    stays = (shifted / (shifted + at)) ** model.s
    time, square = stays @ step, stays @ (2 * at * step)
    shape, scale = model.r + grouped.frequency, model.alpha + grouped.age
    first: FloatArray = shape / scale * time
    return first, first + shape * (shape + 1) / scale**2 * square


def widths(model: Model, grouped: Grouped, horizon: float) -> IntArray:
    """Return how many counts from zero hold nearly all of the distribution of each history."""
    odds = horizon / (model.alpha + grouped.age)
    mean = (model.r + grouped.frequency) * odds
    width = np.ceil(mean + 6 * np.sqrt(mean * (1 + odds)) + 8)
    found: IntArray = np.minimum(width, _MAX_COUNT).astype(np.int64)
    return found
