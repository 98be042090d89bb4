"""The difference between two groups against scipy, and in worlds where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from amity.broadcast.logic.campaigns import measuring_words
from amity.kernel.estimate import Estimate
from amity.kernel.lift import (
    Arm,
    Lift,
    is_suspect,
    mean_of,
    rate_difference,
    rate_of,
    revenue_difference,
)


def arm(revenues, converted=None):
    spent = [float(value) for value in revenues if value > 0]
    return Arm(
        customers=len(revenues),
        converted=len(spent) if converted is None else converted,
        spent=spent,
    )


def shop(rng, customers, share=0.4, scale=1.0):
    """Revenue as shops have it: most buy nothing, a few a lot."""
    return np.where(rng.random(customers) < share, scale * rng.lognormal(3, 1, customers), 0.0)


def test_with_many_buyers_it_is_welch_as_scipy_has_it():
    rng = np.random.default_rng(1)
    one, other = shop(rng, 4_000), shop(rng, 900, scale=0.8)
    found = revenue_difference(arm(one), arm(other), rng, many=100)
    wanted = stats.ttest_ind(one, other, equal_var=False)
    interval = wanted.confidence_interval(0.95)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.estimate.value == pytest.approx(one.mean() - other.mean())
    assert (found.estimate.low, found.estimate.high) == pytest.approx((interval.low, interval.high))
    even = np.concatenate([one, 2 * one.max() - one])
    mean = mean_of(arm(even))
    low, high = stats.t.interval(0.95, len(even) - 1, even.mean(), stats.sem(even))
    assert (mean.value, mean.low, mean.high) == pytest.approx((even.mean(), low, high))


def test_the_interval_of_a_mean_allows_for_the_few_who_spend_much():
    """Student's alone holds the true mean in 88 of 100 such groups, and misses below it."""
    rng = np.random.default_rng(8)
    held = plain = 0
    for _ in range(300):
        spent = np.where(rng.random(400) < 0.08, rng.lognormal(3, 1.2, 400), 0.0)
        mean = mean_of(arm(spent))
        half = 1.966 * spent.std(ddof=1) / 20
        held += mean.low <= 0.08 * np.exp(3.72) <= mean.high
        plain += abs(mean.value - 0.08 * np.exp(3.72)) <= half
    assert plain + 8 < 270 <= held


def test_with_few_buyers_it_is_scipys_permutation_test_of_welchs_ratio():
    rng = np.random.default_rng(2)
    one, other = shop(rng, 60, scale=1.6), shop(rng, 40)

    def ratio(a, b, axis):
        return stats.ttest_ind(a, b, equal_var=False, axis=axis).statistic

    wanted = stats.permutation_test(
        (one, other), ratio, vectorized=True, n_resamples=4_000, rng=rng
    ).pvalue
    found = revenue_difference(arm(one), arm(other), rng)
    assert found.p_value == pytest.approx(wanted, abs=4 * math.sqrt(wanted / 2_000))


def test_the_interval_and_the_p_value_agree():
    rng = np.random.default_rng(3)
    for _ in range(40):
        one, other = shop(rng, 300, scale=1.4), shop(rng, 80)
        found = revenue_difference(arm(one), arm(other), rng)
        is_beyond = not found.estimate.low <= 0 <= found.estimate.high
        # The quantiles and the count of draws beyond differ by at most one draw.
        assert is_beyond is found.is_significant or abs(found.p_value - 0.05) < 0.003


def test_without_an_effect_one_campaign_in_twenty_looks_like_it_has_one():
    """With a tenth held out, where Student's t alone would cry out twice as often."""
    rng = np.random.default_rng(4)
    worlds = 300
    seen = sum(
        revenue_difference(arm(shop(rng, 450)), arm(shop(rng, 50)), rng, draws=399).is_significant
        for _ in range(worlds)
    )
    low, high = stats.binom.interval(0.999, worlds, 0.05)
    assert low <= seen <= high


def test_the_interval_holds_a_known_effect_nineteen_times_in_twenty():
    rng = np.random.default_rng(5)
    worlds, share, more = 300, 0.4, 1.5
    truth = share * math.exp(3.5) * (more - 1)
    held = 0
    for _ in range(worlds):
        one, other = shop(rng, 450, share, more), shop(rng, 50, share)
        found = revenue_difference(arm(one), arm(other), rng, draws=399).estimate
        held += found.low <= truth <= found.high
    # The interval is exact where nothing differs and near it elsewhere.
    assert held >= stats.binom.interval(0.999, worlds, 0.93)[0]


def test_the_same_data_say_the_same():
    revenues = shop(np.random.default_rng(6), 400)
    arms = arm(revenues[:300]), arm(revenues[300:])
    first, second = (revenue_difference(*arms, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_nothing_varies_nothing_is_said():
    same = Arm(customers=40, converted=40, spent=[5.0] * 40)
    assert revenue_difference(same, same, np.random.default_rng(1)) is None


def test_rates_and_their_difference_have_the_intervals_of_the_papers():
    # Newcombe 1998, table II, column (a): 56/70 against 48/80 by his method 10.
    one = Arm(customers=70, converted=56, spent=[])
    other = Arm(customers=80, converted=48, spent=[])
    found = rate_difference(one, other)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert rate_of(Arm(customers=0, converted=0, spent=[])) is None
    none = rate_of(Arm(customers=50, converted=0, spent=[]))
    assert (none.value, none.low) == (0, pytest.approx(0))
    assert 0.05 < none.high < 0.08


def test_groups_of_the_wrong_size_are_suspect():
    assert not is_suspect(900, 100, 0.1)
    assert not is_suspect(880, 120, 0.1)
    assert is_suspect(850, 150, 0.1)
    assert is_suspect(950, 50, 0.1)


@pytest.mark.parametrize(
    ("low", "value", "high", "p_value", "wanted"),
    [
        (
            0.4,
            3.1,
            5.8,
            0.01,
            "3.10 USD more each than those held out (95 % interval 0.40 to 5.80)",
        ),
        (-5.8, -3.1, -0.4, 0.01, "3.10 USD less each than those held out (95 % interval −5.80 to"),
        (-2.0, 1.0, 4.0, 0.3, "the difference is within what chance gives."),
    ],
)
def test_the_sentence_says_what_the_numbers_say(low, value, high, p_value, wanted):
    lift = Lift(estimate=Estimate(value=value, low=low, high=high), p_value=p_value)
    sentence = measuring_words.judge(lift, "USD", None)
    assert wanted in sentence
    assert ("more than chance." in sentence) is (p_value < 0.05)


def test_too_few_buyers_are_too_few_wherever_they_fell():
    few = Arm(customers=300, converted=0, spent=[10.0] * 40)
    words = measuring_words.refuse_revenue(few, arm(np.zeros(30)), is_final=False)
    assert words.startswith("No claim can be made yet: 40 customers of both groups bought")
    kind = Arm(customers=30, converted=0, spent=[10.0] * 8)
    assert measuring_words.refuse_revenue(arm(np.zeros(300)), kind, is_final=True) is not None
    enough = Arm(customers=300, converted=0, spent=[10.0] * 60)
    assert measuring_words.refuse_revenue(enough, arm(np.zeros(30)), is_final=True) is None
