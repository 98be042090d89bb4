"""The plug point of policies: how likely each eligible offer is chosen.

A policy only says probabilities. The draw is made here, from exactly these numbers, and so what is
logged as propensity is the truth by construction, whatever the policy computes.
"""

import math
import random
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import ClassVar, Final

import msgspec

from amity.kernel.registry import Registry

_KEPT: Final = 512
_ROUNDING: Final = 1e-6


class Arm(msgspec.Struct, frozen=True, array_like=True):
    """What is known of an offer in a placement: the Beta posterior of its success rate."""

    offer_id: int
    alpha: float = 1.0
    beta: float = 1.0
    impressions: int = 0

    @property
    def rate(self) -> float:
        """The success rate to expect: the mean of the posterior."""
        return self.alpha / (self.alpha + self.beta)


class Choice(msgspec.Struct, frozen=True, array_like=True):
    """One arm drawn, by its place among all, and its probability given those drawn before it."""

    index: int
    propensity: float


class _Urn(msgspec.Struct, frozen=True, array_like=True):
    weights: list[float]
    sums: list[float]


class Policy(ABC):
    """Chooses among the arms of one placement as one snapshot knows them.

    An instance is made for these arms, lives as long as the snapshot and may remember what it has
    computed. It has no other state: the same arms give the same probabilities.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    words: ClassVar[str]

    def __init__(self, arms: Sequence[Arm]) -> None:
        self.arms = tuple(arms)
        self._urns: dict[tuple[int, ...], _Urn] = {}

    @abstractmethod
    def probabilities(self, eligible: Sequence[int]) -> Sequence[float]:
        """Return how likely each eligible arm is to be chosen first, in the same order.

        ``eligible`` are places in `arms`, at least one. The probabilities sum to 1.
        """

    def choose(self, eligible: tuple[int, ...], slots: int, rng: random.Random) -> list[Choice]:
        """Draw up to ``slots`` different arms, the first as `probabilities` says.

        Each further one is drawn from what is left, in the same proportions. Raises ValueError
        when what the policy says are no probabilities.
        """
        if not eligible or slots < 1:
            return []
        urn = self._urns.get(eligible)
        if urn is None:
            urn = self._fill(eligible)
        at, propensity = _draw(urn.weights, urn.sums, rng)
        drawn = [Choice(eligible[at], propensity)]
        weights = urn.weights
        for _ in range(min(slots, len(eligible)) - 1):
            weights = weights.copy()
            weights[at] = 0.0
            sums = list(accumulate(weights))
            if sums[-1] <= 0:
                break
            at, propensity = _draw(weights, sums, rng)
            drawn.append(Choice(eligible[at], propensity))
        return drawn

    def _fill(self, eligible: tuple[int, ...]) -> _Urn:
        weights = [float(weight) for weight in self.probabilities(eligible)]
        if len(weights) != len(eligible) or not all(
            math.isfinite(weight) and weight >= 0 for weight in weights
        ):
            raise ValueError(f"the policy {self.name} gives no probabilities")
        sums = list(accumulate(weights))
        if abs(sums[-1] - 1) > _ROUNDING:
            raise ValueError(f"the probabilities of the policy {self.name} sum to {sums[-1]}")
        if len(self._urns) >= _KEPT:
            self._urns.clear()
        urn = self._urns[eligible] = _Urn(weights, sums)
        return urn


def _draw(weights: list[float], sums: list[float], rng: random.Random) -> tuple[int, float]:
    total = sums[-1]
    at = min(bisect_right(sums, rng.random() * total), len(weights) - 1)
    while weights[at] <= 0:
        # Only where rounding put the draw on the very end, behind the last arm with any weight.
        at -= 1
    return at, weights[at] / total


POLICIES: Final[Registry[Policy]] = Registry(
    Policy,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.policies",
)


@cache
def load_policies() -> Registry[Policy]:
    """Return the registry with every policy of the folder and of installed packages in it."""
    from amity.personalization import policies  # noqa: PLC0415  # its modules import this one

    POLICIES.discover(policies)
    return POLICIES
