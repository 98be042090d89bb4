"""Whether a difference between two groups drawn at random is more than chance (pure).

Everybody counts in the group they were drawn into, whatever became of their message (intention to
treat). The difference of means is divided by Welch's standard error. What chance alone does to
that ratio is found by drawing the groups again, many times, from the same customers; where many
bought in both groups, Student's t says the same and is quicker. `docs/algorithms/lift.md` says why:
revenue is so uneven, and a holdout so small, that Student's t alone would see effects where there
are none in up to one campaign of five.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from amity.kernel.estimate import Estimate

FEWEST_CUSTOMERS: Final = 30
FEWEST_BUYERS: Final = 5
"""So many that chance alone would put into the smaller group."""

SUSPECT: Final = 0.001
"""Groups whose sizes chance makes less often than this were not drawn as they should have been."""

LEVEL: Final = 0.95
MANY_BUYERS: Final = 1_000
_STRAIGHT: Final = 1e-9
DRAWS: Final = 1_999
_Array = npt.NDArray[np.float64]


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One group: how many customers, and what those who bought anything spent."""

    customers: int
    converted: int
    spent: list[float]
    """One number a buyer, above 0; whoever is not in it spent nothing."""

    @property
    def total(self) -> float:
        """Return what all spent together."""
        return math.fsum(self.spent)

    @property
    def squares(self) -> float:
        """Return the sum of the squares of what each spent."""
        return math.fsum(value * value for value in self.spent)


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """A difference of treatment minus holdout and how often chance alone gives one as large."""

    estimate: Estimate
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Say whether chance alone gives such a difference less often than once in twenty."""
        return self.p_value < 1 - LEVEL


def mean_of(arm: Arm, *, level: float = LEVEL) -> Estimate | None:
    """Return revenue per customer with its interval; None while nobody spent anything.

    Student's, with the skewness taken out of the ratio, for a few who spend much pull a mean and
    its error together (P. Hall, Journal of the Royal Statistical Society B 54 (1992) 221-228).
    From equal amounts no interval can be told: it would be a point, and look like certainty.
    """
    if arm.customers < 2 or not _variance(arm):
        return None
    mean = arm.total / arm.customers
    error = math.sqrt(_variance(arm) / arm.customers)
    bend = _skewness(arm) / (3 * math.sqrt(arm.customers))
    high = _quantile(arm.customers - 1, level)
    return Estimate(
        value=mean,
        low=mean - _unbent(high, bend) * error,
        high=mean - _unbent(-high, bend) * error,
    )


def rate_of(arm: Arm, *, level: float = LEVEL) -> Estimate | None:
    """Return the share that converted with Wilson's interval; None for nobody."""
    if not arm.customers:
        return None
    low, high = wilson(arm.converted, arm.customers, level=level)
    return Estimate(value=arm.converted / arm.customers, low=low, high=high)


def rate_difference(treatment: Arm, holdout: Arm, *, level: float = LEVEL) -> Estimate | None:
    """Return the difference of conversion rates with Newcombe's hybrid score interval.

    R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
    """
    one, other = rate_of(treatment, level=level), rate_of(holdout, level=level)
    if one is None or other is None:
        return None
    difference = one.value - other.value
    return Estimate(
        value=difference,
        low=difference - math.hypot(one.value - one.low, other.high - other.value),
        high=difference + math.hypot(one.high - one.value, other.value - other.low),
    )


def wilson(converted: float, customers: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval of a share; all of 0..1 for nobody."""
    if not customers:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, weight = converted / customers, z * z / customers
    middle = rate + weight / 2
    half = math.sqrt(weight * (rate * (1 - rate) + weight / 4))
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    return max(0.0, low) if converted else 0.0, min(1.0, high) if converted < customers else 1.0


def is_suspect(treatment: int, holdout: int, holdout_rate: float) -> bool:
    """Say whether two groups are not the sizes they were drawn to be (chi squared)."""
    return chance_of_sizes([treatment, holdout], [1 - holdout_rate, holdout_rate]) < SUSPECT


def chance_of_sizes(sizes: Sequence[int], shares: Sequence[float]) -> float:
    """Return how often chance gives groups as far from their shares, by chi squared."""
    expected = np.array(shares, np.float64) * (sum(sizes) / math.fsum(shares))
    return float(_stats().chisquare(sizes, expected).pvalue)


def expected_buyers(treatment: Arm, holdout: Arm) -> float:
    """Return how many of all buyers chance puts into the smaller group.

    Not how many are in it: to look only when many are would be to look where chance was kind.
    """
    smaller = min(treatment.customers, holdout.customers)
    buyers = len(treatment.spent) + len(holdout.spent)
    return buyers * smaller / (treatment.customers + holdout.customers)


def revenue_difference(
    treatment: Arm,
    holdout: Arm,
    rng: np.random.Generator,
    *,
    many: int = MANY_BUYERS,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Lift | None:
    """Return the difference of revenue per customer; None when nothing varies.

    With at least ``many`` buyers in both groups the interval and the p-value are Welch's, below
    from groups drawn again with ``rng``, ``draws`` times.
    """
    one, other = treatment.customers, holdout.customers
    difference = treatment.total / one - holdout.total / other
    parts = _variance(treatment) / one, _variance(holdout) / other
    error = math.sqrt(sum(parts))
    if error == 0:
        return None
    ratio = difference / error
    if min(len(treatment.spent), len(holdout.spent)) >= many:
        freedom = sum(parts) ** 2 / (parts[0] ** 2 / (one - 1) + parts[1] ** 2 / (other - 1))
        high = _quantile(freedom, level)
        low, p_value = -high, float(2 * _stats().t.sf(abs(ratio), freedom))
    else:
        by_chance = _draw_again(treatment, holdout, rng, draws)
        low, high = np.quantile(by_chance, [(1 - level) / 2, (1 + level) / 2])
        beyond = min(np.sum(by_chance >= ratio), np.sum(by_chance <= ratio))
        p_value = min(1.0, float(2 * (1 + beyond) / (len(by_chance) + 1)))
    estimate = Estimate(
        value=difference,
        low=float(difference - high * error),
        high=float(difference - low * error),
    )
    return Lift(estimate=estimate, p_value=p_value)


def _draw_again(treatment: Arm, holdout: Arm, rng: np.random.Generator, draws: int) -> _Array:
    """Return the ratios that groups of the same sizes have, drawn from all customers anew.

    Who bought nothing need not be looked at: how many buyers fall to the holdout is
    hypergeometric, and each as likely as the other.
    """
    spent = np.array(treatment.spent + holdout.spent)
    squares = spent * spent
    customers, held = treatment.customers + holdout.customers, holdout.customers
    buyers = rng.hypergeometric(len(spent), customers - len(spent), held, draws)
    sums = np.empty((2, draws))
    for draw, count in enumerate(buyers):
        chosen = rng.choice(len(spent), count, replace=False, shuffle=False)
        sums[:, draw] = spent[chosen].sum(), squares[chosen].sum()
    rest = np.array([[spent.sum()], [squares.sum()]]) - sums
    parts = [
        np.maximum((square - total * total / size) / (size - 1), 0) / size
        for (total, square), size in ((rest, customers - held), (sums, held))
    ]
    difference = rest[0] / (customers - held) - sums[0] / held
    error = np.sqrt(parts[0] + parts[1])
    ratios: _Array = np.divide(difference, error, out=np.zeros(draws), where=error > 0)
    return ratios


def _stats() -> Any:
    """Return scipy's tests: loading them takes longer than all else, and most never ask."""
    from scipy import stats  # noqa: PLC0415

    return stats


def _variance(arm: Arm) -> float:
    mean = arm.total / arm.customers
    return max((arm.squares - mean * arm.total) / (arm.customers - 1), 0.0)


def _skewness(arm: Arm) -> float:
    mean, spent = arm.total / arm.customers, np.array(arm.spent)
    cubes = float(np.sum((spent - mean) ** 3)) + (arm.customers - len(spent)) * (-mean) ** 3
    skewness: float = cubes / arm.customers / _variance(arm) ** 1.5
    return skewness


def _unbent(quantile: float, bend: float) -> float:
    """Return the ratio that Hall's transformation turns into a quantile: t + b t2 + b2 t3/3 + b/2.

    With ``bend`` b a third of the skewness over the root of the number.
    """
    if abs(bend) < _STRAIGHT:
        return quantile
    cubed = 1 + 3 * bend * (quantile - bend / 2)
    turned = float(np.cbrt(cubed))
    return (turned - 1) / bend


def _quantile(freedom: float, level: float) -> float:
    return float(_stats().t.ppf((1 + level) / 2, freedom))
