"""Every policy of the registry keeps what the plug point promises."""

import random

import numpy as np
import pytest

from amity.kernel.registry import RegistrationError, Registry
from amity.personalization.policies.thompson import FLOOR, FLOOR_SHARE
from amity.personalization.policy import Arm, Policy, load_policies
from amity.testing.policies_kit import check_policy, make_arms


@pytest.mark.parametrize("name", load_policies().names())
def test_policy_conforms(name):
    kind = load_policies()[name]
    assert kind.name == name
    check_policy(kind, learns=name != "uniform")


def test_policies_are_found_without_a_list():
    assert {"thompson", "uniform"} <= set(load_policies().names())


class _Told(Policy):
    name = "told"
    title = "Told"
    words = "Says what it was told to."
    said = ()

    def probabilities(self, eligible):
        return self.said[: len(eligible)]


@pytest.mark.parametrize(
    "said", [(), (0.5,), (1.5, -0.5), (float("nan"), 1), (0.5, 0.6), (0, 0), (float("inf"), 0)]
)
def test_what_are_no_probabilities_is_refused_before_anything_is_drawn(said):
    policy = type("_Said", (_Told,), {"said": said})([Arm(1), Arm(2)])
    with pytest.raises(ValueError, match="told"):
        policy.choose((0, 1), 1, random.Random(1))


def test_an_arm_without_probability_is_never_drawn():
    policy = type("_Said", (_Told,), {"said": (0.0, 1.0, 0.0)})([Arm(1), Arm(2), Arm(3)])
    rng = random.Random(1)
    for _ in range(200):
        assert [choice.index for choice in policy.choose((0, 1, 2), 3, rng)] == [1]


class _Biased(Policy):
    """Draws otherwise than it says."""

    name = "biased"
    title = "Biased"
    words = "Lies."

    def probabilities(self, eligible):
        return [1 / len(eligible)] * len(eligible)

    def choose(self, eligible, slots, rng):
        return super().choose(eligible[:1] if rng.random() < 0.2 else eligible, slots, rng)


class _Forgetful(Policy):
    """Answers otherwise the second time."""

    name = "forgetful"
    title = "Forgetful"
    words = "Changes its mind."

    def probabilities(self, eligible):
        self.asked = getattr(self, "asked", 0) + 1
        weights = [1.0 + (place * self.asked) % 3 for place in range(len(eligible))]
        return [weight / sum(weights) for weight in weights]


class _Blind(Policy):
    name = "blind"
    title = "Blind"
    words = "Never learns."

    def probabilities(self, eligible):
        return [1 / len(eligible)] * len(eligible)


@pytest.mark.parametrize("kind", [_Biased, _Forgetful, _Blind])
def test_the_kit_catches_those_who_break_a_promise(kind):
    with pytest.raises(AssertionError):
        check_policy(kind)


def test_what_is_no_policy_is_refused_at_the_door():
    registry = Registry(Policy, group="amity.policies")
    with pytest.raises(RegistrationError):
        registry.add("wrong", dict)


def _simulate(arms, draws, seed):
    """Thompson's own recipe: one rate from each posterior, the best is chosen; in logits."""
    rng = np.random.default_rng(seed)
    rates = np.stack(
        [
            np.log(rng.standard_gamma(arm.alpha, draws))
            - np.log(rng.standard_gamma(arm.beta, draws))
            for arm in arms
        ]
    )
    return np.bincount(rates.argmax(axis=0), minlength=len(arms)) / draws


@pytest.mark.parametrize(
    "arms",
    [
        [Arm(n) for n in range(5)],
        [Arm(1, 3, 40), Arm(2, 5, 50), Arm(3, 1, 1)],
        [Arm(1, 10, 90), Arm(2, 300, 3000), Arm(3, 12, 80), Arm(4, 1, 30)],
        [Arm(1, 1e7, 3e7), Arm(2, 1.0002e7, 3e7), Arm(3, 1.0003e7, 3.0003e7)],
        [Arm(1, 0.2, 0.2), Arm(2, 5, 5), Arm(3, 1e7, 1e7)],
        make_arms(seed=3, count=50),
    ],
    ids=["flat", "few", "mixed", "narrow", "spread", "fifty"],
)
def test_thompson_is_as_likely_to_choose_as_draws_from_the_posteriors_say(arms):
    draws = 100_000
    simulated = _simulate(arms, draws, seed=7)
    floor = min(FLOOR, FLOOR_SHARE / len(arms))
    found = np.array(load_policies()["thompson"](arms).probabilities(range(len(arms))))
    best = (found - floor) / (1 - len(arms) * floor)
    error = 5 * np.sqrt(simulated * (1 - simulated) / draws) + 5e-4
    assert (np.abs(best - simulated) < error).all()
    assert found.min() >= floor


def test_thompson_of_some_is_as_if_the_others_were_not_there():
    arms = make_arms(seed=5, count=40)
    whole = load_policies()["thompson"](arms)
    for eligible in ((3, 9), tuple(range(0, 40, 3)), tuple(range(1, 40))):
        alone = load_policies()["thompson"]([arms[place] for place in eligible])
        found = whole.probabilities(eligible)
        assert found == pytest.approx(alone.probabilities(range(len(eligible))), abs=2e-3)
