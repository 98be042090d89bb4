"""The plug point of policies: how likely each eligible offer is chosen.

A policy only says probabilities. The draw is made here, from exactly these numbers, and so what is
logged as propensity is the truth by construction, whatever the policy computes.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right, insort
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import ClassVar, Final, Protocol

import msgspec

from amity.kernel.registry import Registry

_KEPT: Final = 512
_ROUNDING: Final = 1e-6
_LITTLE: Final = 1e-3
_WORD: Final = 2**64 - 1


class Chance(Protocol):
    """Where a draw gets its numbers from; `random.Random` is one."""

    def random(self) -> float:
        """Return the next number, uniform in [0, 1)."""
        ...


class Dice:
    """Numbers that follow from a seed, for the few draws of one decision.

    SplitMix64 (Steele, Lea and Flood 2014): a tenth of what it costs to seed `random.Random`.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed

    def random(self) -> float:
        """Return the next number, uniform in [0, 1)."""
        self._state = word = (self._state + 0x9E3779B97F4A7C15) & _WORD
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
        return ((word ^ (word >> 31)) >> 11) * 2**-53


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

    def choose(self, eligible: tuple[int, ...], slots: int, rng: Chance) -> list[Choice]:
        """Draw up to ``slots`` different arms, the first as `probabilities` says.

        Each further one is drawn from what is left, in the same proportions. Raises ValueError
        when what the policy says are no probabilities.
        """
        if not eligible or slots < 1:
            return []
        urn = self._urns.get(eligible)
        if urn is None:
            urn = self._fill(eligible)
        weights, sums = urn.weights, urn.sums
        left = sums[-1]
        at = _find(weights, sums, rng.random() * left)
        drawn = [Choice(eligible[at], weights[at] / left)]
        gone: list[int] = []
        for _ in range(min(slots, len(eligible)) - 1):
            insort(gone, at)
            left -= weights[at]
            if left < _LITTLE:
                weights, sums, gone = _without(weights, gone)
                left = sums[-1]
                if left <= 0:
                    break
            spot = rng.random() * left
            for one in gone:
                # What was drawn is passed over: as if all behind it had moved up.
                if spot >= sums[one] - weights[one]:
                    spot += weights[one]
            at = _find(weights, sums, spot, gone)
            drawn.append(Choice(eligible[at], weights[at] / left))
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


def _find(weights: list[float], sums: list[float], spot: float, gone: Sequence[int] = ()) -> int:
    """Return whose stretch of the sums a spot is in."""
    at = min(bisect_right(sums, spot), len(weights) - 1)
    if weights[at] > 0 and at not in gone:
        return at
    # Only where rounding put the spot on an edge: whoever is nearest has it.
    able = [one for one, weight in enumerate(weights) if weight > 0 and one not in gone]
    return min(able, key=lambda one: abs(one - at))


def _without(
    weights: list[float], gone: Sequence[int]
) -> tuple[list[float], list[float], list[int]]:
    """Return what is left summed anew, where subtracting would leave little but rounding."""
    kept = weights.copy()
    for at in gone:
        kept[at] = 0.0
    return kept, list(accumulate(kept)), []


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
