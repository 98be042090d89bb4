"""The BG/BB likelihood with its derivatives: purchases that can happen once a period.

Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting,
Marketing Science 29(6). While alive a customer buys in a period with a chance that is beta
distributed (alpha, beta) over customers; at the start of each period he or she leaves with a chance
that is beta distributed (gamma, delta). Only how many periods with a purchase, the last of them and
how many there were matter, so every distinct history is worked out once.
"""

from typing import Final

import msgspec
import numpy as np
from scipy.special import betaln, digamma, logsumexp, polygamma

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.newton import Evaluation

NAMES: Final = ("alpha", "beta", "gamma", "delta")


class Grouped(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Distinct histories: periods with a purchase after the first one, the last such period, and
    how many periods there were; with their number of customers."""

    frequency: IntArray
    recency: IntArray
    periods: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.weight)


def group(frequency: IntArray, recency: IntArray, periods: IntArray) -> tuple[Grouped, IntArray]:
    """Return the distinct histories, and each customer's place among them."""
    table = np.stack((frequency, recency, periods), axis=1)
    keys, place, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    grouped = Grouped(
        frequency=keys[:, 0],
        recency=keys[:, 1],
        periods=keys[:, 2],
        weight=counts.astype(np.float64),
    )
    return grouped, place.reshape(-1).astype(np.int64)


class _Terms(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Every way a history can have come about, one a place: alive still, or left in a period.

    A way is four counts: purchases, silent periods while alive, whether the customer left, and
    periods survived. ``history`` says whose it is; the first of each history is being alive.
    """

    history: IntArray
    bought: FloatArray
    silent: FloatArray
    left: FloatArray
    survived: FloatArray


def _spread(grouped: Grouped) -> _Terms:
    ways = grouped.periods - grouped.recency + 1
    history = np.repeat(np.arange(len(grouped)), ways)
    starts = np.cumsum(ways) - ways
    number = np.arange(len(history)) - np.repeat(starts, ways)
    left = (number > 0).astype(np.float64)
    x, last = grouped.frequency[history], grouped.recency[history]
    survived = np.where(number > 0, last + number - 1, grouped.periods[history])
    return _Terms(
        history=history,
        bought=x.astype(np.float64),
        silent=(survived - x).astype(np.float64),
        left=left,
        survived=survived.astype(np.float64),
    )


def _logs(terms: _Terms, natural: FloatArray) -> FloatArray:
    alpha, beta, gamma, delta = natural
    logs: FloatArray = (
        betaln(alpha + terms.bought, beta + terms.silent)
        - betaln(alpha, beta)
        + betaln(gamma + terms.left, delta + terms.survived)
        - betaln(gamma, delta)
    )
    return logs


def _sum_by(history: IntArray, logs: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the logarithm of each history's sum, and each way's share of it."""
    top = np.full(size, -np.inf)
    np.maximum.at(top, history, logs)
    total = np.bincount(history, np.exp(logs - top[history]), size)
    whole = top + np.log(total)
    return whole, np.exp(logs - whole[history])


def evaluate(grouped: Grouped, logarithms: FloatArray) -> Evaluation:
    """Return log-likelihood, gradient and second derivatives in log (alpha, beta, gamma, delta)."""
    natural = np.exp(logarithms)
    terms = _spread(grouped)
    whole, shares = _sum_by(terms.history, _logs(terms, natural), len(grouped))
    slopes, own, both = _slopes(terms, natural)
    means = np.stack([np.bincount(terms.history, shares * row, len(grouped)) for row in slopes])
    counted = shares * grouped.weight[terms.history]
    hessian = np.einsum("in,jn,n->ij", slopes, slopes, counted)
    hessian -= np.einsum("in,jn,n->ij", means, means, grouped.weight)
    for place in (0, 2):
        pair = both[place // 2] @ counted
        hessian[place : place + 2, place : place + 2] -= pair
    hessian[np.diag_indices(4)] += own @ counted
    gradient = means @ grouped.weight
    slope = gradient * natural
    return (
        float(whole @ grouped.weight),
        slope,
        hessian * np.outer(natural, natural) + np.diag(slope),
    )


def _slopes(terms: _Terms, natural: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each way's first derivatives, and its second: by one parameter, and by each pair."""
    counts = np.stack((terms.bought, terms.silent, terms.left, terms.survived))
    given = natural[:, None]
    pairs = np.stack((counts[0] + counts[1], counts[2] + counts[3]))
    sums = np.array([[natural[0] + natural[1]], [natural[2] + natural[3]]])
    first = digamma(given + counts) - digamma(given)
    whole = digamma(sums + pairs) - digamma(sums)
    own = polygamma(1, given + counts) - polygamma(1, given)
    both = polygamma(1, sums + pairs) - polygamma(1, sums)
    return first - np.repeat(whole, 2, axis=0), own, both


def probability_alive(grouped: Grouped, natural: FloatArray) -> FloatArray:
    """Return the probability that each is alive in the period after the last observed."""
    terms = _spread(grouped)
    _, shares = _sum_by(terms.history, _logs(terms, natural), len(grouped))
    now: FloatArray = shares[terms.left == 0]
    gamma, delta = natural[2:]
    # Alive throughout, and not leaving at the start of the next period either.
    chance: FloatArray = now * (delta + grouped.periods) / (gamma + delta + grouped.periods)
    return chance


def expect(grouped: Grouped, natural: FloatArray, ahead: int) -> FloatArray:
    """Return the periods with a purchase to expect among the next ``ahead``, alive or not.

    A sum over the coming periods of the chance to be alive in each; equals the closed form of
    the paper, and is steady where that one cancels (gamma near 1).
    """
    alpha, beta, gamma, delta = natural
    terms = _spread(grouped)
    _, shares = _sum_by(terms.history, _logs(terms, natural), len(grouped))
    alive = shares[terms.left == 0]
    periods = grouped.periods.astype(np.float64)
    rate = (alpha + grouped.frequency) / (alpha + beta + periods)
    coming = np.arange(1, ahead + 1)
    stays = np.exp(
        betaln(gamma, delta + periods[:, None] + coming) - betaln(gamma, delta + periods)[:, None]
    )
    expected: FloatArray = alive * rate * stays.sum(axis=1)
    return expected


def chance_of_none(grouped: Grouped, natural: FloatArray, ahead: int) -> FloatArray:
    """Return the chance of no purchase in the next ``ahead`` periods, gone or merely silent."""
    longer = msgspec.structs.replace(grouped, periods=grouped.periods + ahead)
    silent = log_likelihoods(longer, natural) - log_likelihoods(grouped, natural)
    chance: FloatArray = np.exp(silent)
    return chance


def log_likelihoods(grouped: Grouped, natural: FloatArray) -> FloatArray:
    """Return the logarithm of the chance of each history."""
    terms = _spread(grouped)
    whole, _ = _sum_by(terms.history, _logs(terms, natural), len(grouped))
    return whole


def count_chances(grouped: Grouped, natural: FloatArray, ahead: int) -> FloatArray:
    """Return P(X <= n) of each for the next ``ahead`` periods, n from 0 to ``ahead``.

    Over when the customer leaves: never within the time, or at the start of one of its periods.
    """
    alpha, beta, gamma, delta = natural
    terms = _spread(grouped)
    _, shares = _sum_by(terms.history, _logs(terms, natural), len(grouped))
    alive = shares[terms.left == 0]
    periods = grouped.periods.astype(np.float64)[:, None]
    whole = betaln(gamma, delta + periods)
    spans = np.arange(ahead + 1)
    stays = np.exp(betaln(gamma + 1, delta + periods + spans) - whole)
    stays[:, -1:] = np.exp(betaln(gamma, delta + periods + ahead) - whole)
    a = (alpha + grouped.frequency)[:, None, None]
    b = (beta + grouped.periods - grouped.frequency)[:, None, None]
    n, m = spans[None, None, :], spans[None, :, None]
    fits = n <= m
    room = np.where(fits, m - n, 0)
    choose = -np.log(m + 1.0) - betaln(room + 1.0, np.where(fits, n, 0) + 1.0)
    logs = np.where(fits, choose + betaln(a + n, b + room) - betaln(a, b), -np.inf)
    chances = np.exp(logsumexp(logs, axis=1, b=stays[:, :, None]))
    cumulative = np.cumsum(chances, axis=1) * alive[:, None] + (1 - alive[:, None])
    bounded: FloatArray = np.minimum(cumulative, 1.0)
    return bounded
