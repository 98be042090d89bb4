"""What goes with leaving sooner or later: Cox's proportional hazards, by Newton's method.

Sources: Cox (1972); Efron (1977) for customers who leave on the same day; Peduzzi and others (1995)
for how few who left are too few; Grambsch and Therneau (1994) for whether a factor changes in time.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.newton import Evaluation, maximise
from amity.analysis.logic.overview_statistics import Z95

FEWEST_A_FACTOR: Final = 10
_EDGE: Final = 20.0
_CHANGING: Final = 0.01
_WIDEST: Final = 3.0
"""A standard error, for a factor in its own standard deviations, that says nothing any more."""


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """What one more of something goes with: the hazard of leaving, times so much."""

    name: str
    coefficient: float
    standard_error: float
    ratio: float
    low: float
    high: float
    p_value: float
    is_changing: bool
    """The data say that its ratio is not the same early and late (p < 0.01)."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Customers, and one entry for each who left, in the order of days."""

    duration: IntArray
    left: FloatArray
    values: FloatArray
    span: int
    left_on: IntArray
    """The day of each who left."""
    tied: FloatArray
    """Which part of those who left on that day counts as gone already, in 0..1 (Efron)."""


def fit_hazards(
    duration: IntArray, left: IntArray, values: FloatArray, names: Sequence[str]
) -> list[Factor]:
    """Return the factors, in the order of ``names``, each beside all others.

    ``duration`` is in whole days, ``left`` 1 for those who left at its end and 0 for those still
    there, ``values`` a column a factor. Raises Refused when fewer than ten left for each factor,
    when a factor is the same for everyone, or when the data do not determine them.
    """
    number = int(left.sum())
    if number < FEWEST_A_FACTOR * len(names):
        raise Refused(
            f"{number} left; to tell {len(names)} factors apart takes at least "
            f"{FEWEST_A_FACTOR * len(names)}"
        )
    spread = values.std(axis=0)
    if not spread.all():
        same = [name for name, one in zip(names, spread, strict=True) if not one]
        raise Refused(f"the same for everyone: {', '.join(same)}")
    table = _lay_out(duration, left, (values - values.mean(axis=0)) / spread)
    edge = np.full(len(names), _EDGE)
    best = maximise(
        lambda point: _evaluate(point, table), np.zeros(len(names)), low=-edge, high=edge
    )
    covariance = best.covariance()
    if covariance is None or float(np.diag(covariance).max()) > _WIDEST**2:
        raise Refused("the data do not determine the factors: one of them tells who left at once")
    changing = _find_changing(best.point, table)
    errors = np.sqrt(np.diag(covariance)) / spread
    return [
        _factor(name, float(best.point[n] / spread[n]), float(errors[n]), is_changing=changing[n])
        for n, name in enumerate(names)
    ]


def _factor(name: str, coefficient: float, error: float, *, is_changing: bool) -> Factor:
    return Factor(
        name=name,
        coefficient=coefficient,
        standard_error=error,
        ratio=float(np.exp(coefficient)),
        low=float(np.exp(coefficient - Z95 * error)),
        high=float(np.exp(coefficient + Z95 * error)),
        p_value=_chance_of(coefficient / error),
        is_changing=is_changing,
    )


def _chance_of(distance: float) -> float:
    """Return how often a standard normal number is as far out."""
    from scipy.special import erfc  # noqa: PLC0415  # loads slowly

    return float(erfc(abs(distance) / np.sqrt(2)))


def _lay_out(duration: IntArray, left: IntArray, values: FloatArray) -> _Table:
    span = int(duration.max()) + 1
    gone = np.bincount(duration, weights=left, minlength=span).astype(np.int64)
    left_on = np.repeat(np.arange(span), gone)
    place = np.arange(len(left_on)) - (np.cumsum(gone) - gone)[left_on]
    return _Table(
        duration=duration,
        left=left.astype(np.float64),
        values=values,
        span=span,
        left_on=left_on,
        tied=place / gone[left_on],
    )


def _evaluate(point: FloatArray, table: _Table) -> Evaluation:
    """Return the logarithm of the partial likelihood, its gradient and second derivatives."""
    size = len(point)
    risks = _risks(point, table)
    mean = risks[:, 1 : size + 1] / risks[:, :1]
    square = (risks[:, size + 1 :] / risks[:, :1]).sum(axis=0).reshape(size, size)
    told = table.left @ table.values
    value = float(told @ point - np.log(risks[:, 0]).sum())
    return value, told - mean.sum(axis=0), mean.T @ mean - square


def _risks(point: FloatArray, table: _Table) -> FloatArray:
    """Return, a row for each who left, the sums over those who could have left then.

    The columns are the risks, risks times each value, and risks times each product of two. Those
    who left on the same day are taken out bit by bit, as Efron does.
    """
    # Beyond that nobody lives, and e to its power has no number.
    weight = np.exp(np.clip(table.values @ point, -300, 300))
    everyone = _sum_by_day(table, weight)
    at_risk = everyone[::-1].cumsum(axis=0)[::-1]
    gone = _sum_by_day(table, weight * table.left)
    risks: FloatArray = at_risk[table.left_on] - table.tied[:, None] * gone[table.left_on]
    return risks


def _sum_by_day(table: _Table, weight: FloatArray) -> FloatArray:
    values = table.values.T
    weighed = [weight, *(weight * one for one in values)]
    weighed += [weight * one * other for one in values for other in values]
    return np.stack(
        [np.bincount(table.duration, weights=one, minlength=table.span) for one in weighed], axis=1
    )


def _find_changing(point: FloatArray, table: _Table) -> list[bool]:
    """Say of each factor whether what those who left had drifts with time, beyond the model.

    The residuals of Schoenfeld (a value less its mean over those who could have left) are
    correlated with the rank of the day; without change the correlation is about normal.
    """
    size = len(point)
    risks = _risks(point, table)
    mean = risks[:, 1 : size + 1] / risks[:, :1]
    is_left = table.left > 0
    order = np.argsort(table.duration[is_left], kind="stable")
    residual = table.values[is_left][order] - mean
    rank = table.left_on.argsort(kind="stable").argsort(kind="stable").astype(np.float64)
    found = []
    for column in residual.T:
        spread = float(column.std() * rank.std())
        correlation = 0.0
        if spread:
            correlation = float(((column - column.mean()) * (rank - rank.mean())).mean()) / spread
        found.append(_chance_of(correlation * np.sqrt(len(rank))) < _CHANGING)
    return found
