"""Thompson sampling over Beta posteriors, with the probabilities themselves instead of draws.

An arm is chosen with the probability that its success rate is the highest of all eligible ones
(Thompson 1933; Chapelle and Li 2011): p_i = ∫ f_i(x) ∏_{j≠i} F_j(x) dx. Drawing one rate from
each posterior and taking the best does the same, but then nobody knows the probability it had.
Here it is computed, and the draw is made from it, so that the logged propensity is exact.

The integral is taken in the logit t of the rate, where every Beta density is smooth, has a single
peak and tails that fall at least exponentially, however extreme its parameters.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from amity.personalization.policy import POLICIES, Arm, Policy

FLOOR: Final = 1e-3
"""The least probability of an arm, so that every propensity can be divided by."""
FLOOR_SHARE: Final = 0.02
"""What all floors together take at most; with many arms each has less than `FLOOR`."""

_POINTS_EACH: Final = 48
_CELLS: Final = 1024
_CELLS_OF_MANY: Final = 2048
_MANY: Final = 128
_BEND: Final = 4.0
_SPREADS: Final = 8.0
_FOLDS: Final = 30.0
_TINY: Final = 1e-300

Array = NDArray[np.float64]


class Grid:
    """The posteriors of a placement on common cells: what any set of eligible arms is read from."""

    def __init__(self, arms: Sequence[Arm]) -> None:
        alpha = np.array([arm.alpha for arm in arms], np.float64)
        beta = np.array([arm.beta for arm in arms], np.float64)
        points = _points(alpha, beta)
        # log f up to a constant: a·log σ(t) + b·log σ(−t), by its greatest value.
        density = np.outer(alpha, -np.logaddexp(0, -points))
        density += np.outer(beta, -np.logaddexp(0, points))
        density -= density.max(axis=1, keepdims=True)
        np.exp(density, out=density)
        mass = (density[:, 1:] + density[:, :-1]) * (np.diff(points) / 2)
        mass /= mass.sum(axis=1, keepdims=True)
        middle = np.maximum(np.cumsum(mass, axis=1) - mass / 2, _TINY)
        self._ratio: Array = mass / middle
        self._log: Array = np.log(middle)
        self._all: Array = self._log.sum(axis=0)

    def best(self, eligible: Sequence[int]) -> Array:
        """Return how likely each eligible arm has the highest rate of them."""
        places = np.fromiter(eligible, np.intp, len(eligible))
        count = len(self._log)
        if 2 * len(places) >= count:
            rest = np.ones(count, np.bool_)
            rest[places] = False
            joint = self._all - self._log[rest].sum(axis=0) if rest.any() else self._all
            found: Array = (self._ratio @ np.exp(joint))[places]
        else:
            found = self._ratio[places] @ np.exp(self._log[places].sum(axis=0))
        shares: Array = found / found.sum()
        return shares


def _points(alpha: Array, beta: Array) -> Array:
    """Return where to look: around every arm's peak, densest at it, out to where nothing is left.

    Of arms that are alike one speaks for all; of too many points some are left out evenly.
    """
    arms = np.unique(np.stack((alpha, beta), axis=1), axis=0)
    alpha, beta = arms[:, 0], arms[:, 1]
    spread = np.sqrt(_trigamma(alpha) + _trigamma(beta))
    left = np.maximum(_SPREADS * spread, _FOLDS / alpha)
    right = np.maximum(_SPREADS * spread, _FOLDS / beta)
    steps = np.sinh(_BEND * np.linspace(-1, 1, _POINTS_EACH)) / np.sinh(_BEND)
    reach = np.where(steps[None, :] < 0, left[:, None], right[:, None])
    points: Array = np.unique((np.log(alpha) - np.log(beta))[:, None] + steps[None, :] * reach)
    cells = _CELLS if len(arms) <= _MANY else _CELLS_OF_MANY
    if len(points) <= cells:
        return points
    kept: Array = points[np.linspace(0, len(points) - 1, cells).round().astype(np.intp)]
    return kept


def _trigamma(x: Array) -> Array:
    """Return the variance of the logarithm of a Gamma variable, to within a few per cent."""
    return 1 / x**2 + 1 / (x + 1) + 1 / (2 * (x + 1) ** 2)


@POLICIES.register("thompson")
class Thompson(Policy):
    """As likely as it is that no other eligible offer does better."""

    name = "thompson"
    title = "Learning (Thompson sampling)"
    words = (
        "An offer is shown as often as it is likely to be the best one, by all that came of it so "
        "far: a new offer gets its chance, a poor one is shown ever less."
    )

    def __init__(self, arms: Sequence[Arm]) -> None:
        super().__init__(arms)
        self._grid: Grid | None = None

    def probabilities(self, eligible: Sequence[int]) -> Sequence[float]:
        count = len(eligible)
        if count == 1:
            return [1.0]
        if self._grid is None:
            self._grid = Grid(self.arms)
        floor = min(FLOOR, FLOOR_SHARE / count)
        found: list[float] = (self._grid.best(eligible) * (1 - count * floor) + floor).tolist()
        return found
