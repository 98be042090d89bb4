"""What every policy must keep: use it to test your own.

`check_policy(MyPolicy)` raises AssertionError with what is broken. A policy that is meant not to
learn is checked with ``learns=False``.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from amity.personalization.policy import Arm, Choice, Policy

_DRAWS = 4_000
_ROUNDING = 1e-9
# A right policy passes a test at this level all but once in a hundred thousand seeds.
_DEVIATIONS = 4.3
_SHOWINGS = 3_000
_RATES = (0.02, 0.05, 0.04, 0.16)


def make_arms(*, seed: int, count: int) -> list[Arm]:
    """Return arms as they come about in a shop: new ones, well known ones, hopeless ones."""
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    arms = []
    for offer_id in range(1, count + 1):
        shown = int(10 ** rng.uniform(0, 4)) - 1
        won = sum(rng.random() < 0.05 for _ in range(min(shown, 500))) * max(1, shown // 500)
        arms.append(Arm(offer_id, 1.0 + won, 1.0 + shown - min(won, shown), shown))
    return arms


EXTREMES: Sequence[Sequence[Arm]] = (
    [Arm(1)],
    [Arm(1), Arm(2)],
    [Arm(1, 1e7, 1e7), Arm(2, 1e-3, 1e-3), Arm(3, 1e-3, 1e7), Arm(4, 1e7, 1e-3)],
    [Arm(1, 1e7, 3e7), Arm(2, 1e7 + 1, 3e7), Arm(3, 1e7, 3e7 + 1)],
    [Arm(1, 1e-3, 1e-3), Arm(2, 1e-3, 1e-3)],
    [Arm(number, 1.0, 1.0 + number) for number in range(1, 1001)],
)


def check_policy(kind: type[Policy], *, seed: int = 1, learns: bool = True) -> None:
    """Check what a policy promises, on ordinary arms and on extreme ones."""
    for arms in (make_arms(seed=seed, count=7), make_arms(seed=seed, count=50), *EXTREMES):
        check_probabilities(kind, arms, seed=seed)
        check_draws(kind, arms, seed=seed)
    check_repeatable(kind, make_arms(seed=seed, count=20), seed=seed)
    check_frequencies(kind, make_arms(seed=seed, count=6), seed=seed)
    if learns:
        check_beats_chance(kind, seed=seed)


def check_probabilities(kind: type[Policy], arms: Sequence[Arm], *, seed: int) -> None:
    """Of any eligible arms the probabilities are at least 0, finite, and sum to 1."""
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    policy = kind(arms)
    everything = tuple(range(len(arms)))
    for eligible in {
        everything,
        everything[:1],
        everything[-1:],
        everything[::2],
        tuple(sorted(rng.sample(everything, (len(arms) + 1) // 2))),
    }:
        found = list(policy.probabilities(eligible))
        assert len(found) == len(eligible), (kind.name, eligible)
        assert all(math.isfinite(one) and one >= 0 for one in found), (kind.name, found)
        assert abs(math.fsum(found) - 1) < _ROUNDING, (kind.name, math.fsum(found))


def check_draws(kind: type[Policy], arms: Sequence[Arm], *, seed: int) -> None:
    """Each arm comes once at most, with its probability given those that came before it."""
    policy = kind(arms)
    eligible = tuple(range(len(arms)))
    first = policy.probabilities(eligible)
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    assert policy.choose((), 3, rng) == []
    assert policy.choose(eligible, 0, rng) == []
    for slots in (1, 3, len(arms) + 5):
        drawn = policy.choose(eligible, min(slots, 30), rng)
        assert len({choice.index for choice in drawn}) == len(drawn)
        assert 1 <= len(drawn) <= min(slots, len(arms), 30)
        left = 1.0
        for choice in drawn:
            expected = first[choice.index] / left
            assert math.isclose(choice.propensity, expected, rel_tol=1e-6, abs_tol=1e-9)
            left -= first[choice.index]
            if left < 1e-6:
                break


def check_repeatable(kind: type[Policy], arms: Sequence[Arm], *, seed: int) -> None:
    """The same arms, eligible set and seed give the same choices, whatever was asked before."""
    warm, cold = kind(arms), kind(arms)
    eligible = tuple(range(0, len(arms), 2))
    for others in (tuple(range(len(arms))), eligible, tuple(range(1, len(arms)))):
        warm.choose(others, 2, random.Random(0))  # noqa: S311  # to be repeated
    assert _draw(warm, eligible, seed) == _draw(cold, eligible, seed), kind.name


def _draw(policy: Policy, eligible: tuple[int, ...], seed: int) -> list[list[Choice]]:
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    return [policy.choose(eligible, 3, rng) for _ in range(20)]


def check_frequencies(kind: type[Policy], arms: Sequence[Arm], *, seed: int) -> None:
    """Over many draws arms come as often as their logged propensities say, in every rank."""
    policy = kind(arms)
    eligible = tuple(range(len(arms)))
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    came: Counter[tuple[int, int]] = Counter()
    expected: defaultdict[tuple[int, int], float] = defaultdict(float)
    spread: defaultdict[tuple[int, int], float] = defaultdict(float)
    weights = policy.probabilities(eligible)
    for _ in range(_DRAWS):
        before: set[int] = set()
        for rank, choice in enumerate(policy.choose(eligible, 2, rng)):
            came[rank, choice.index] += 1
            left = math.fsum(weights[other] for other in eligible if other not in before)
            for other in eligible:
                if other not in before:
                    chance = weights[other] / left
                    expected[rank, other] += chance
                    spread[rank, other] += chance * (1 - chance)
            before.add(choice.index)
    for key, wanted in expected.items():
        deviation = abs(came[key] - wanted) / math.sqrt(max(spread[key], 1))
        assert deviation < _DEVIATIONS, (kind.name, key, came[key], wanted)


def check_beats_chance(kind: type[Policy], *, seed: int) -> None:
    """Where one of four offers is by far the best, it earns more than choosing blindly would."""
    rng = random.Random(seed)  # noqa: S311  # to be repeated
    won, shown = [0] * len(_RATES), [0] * len(_RATES)
    eligible = tuple(range(len(_RATES)))
    for start in range(0, _SHOWINGS, 100):
        arms = [
            Arm(index + 1, 1.0 + won[index], 1.0 + shown[index] - won[index], shown[index])
            for index in eligible
        ]
        policy = kind(arms)
        for _ in range(start, start + 100):
            chosen = policy.choose(eligible, 1, rng)[0].index
            shown[chosen] += 1
            won[chosen] += rng.random() < _RATES[chosen]
    blind = _SHOWINGS * sum(_RATES) / len(_RATES)
    assert sum(won) > 1.5 * blind, f"{kind.name} won {sum(won)}, blindly it is {blind:.0f}"
