"""How far two groups lie apart, held to scipy, and to chance."""

import numpy as np
import pytest
from scipy import stats

from amity.analysis.logic.segment_tools.difference_statistics import (
    FEWEST,
    Mean,
    level_of,
    mean_gap,
    share_gap,
)


def mean_of(values):
    return Mean(len(values), float(np.mean(values)), float(np.var(values, ddof=1)))


def test_means_are_those_of_welch():
    rng = np.random.default_rng(3)
    one, other = rng.exponential(3, 80), rng.normal(2, 5, 45)
    gap = mean_gap(mean_of(one), mean_of(other), level=0.99)
    wanted = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.99)
    assert (gap.low, gap.high) == pytest.approx((wanted.low, wanted.high))
    assert gap.difference == pytest.approx(one.mean() - other.mean())
    assert gap.effect == pytest.approx(
        gap.difference / np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)
    )


def test_shares_are_those_newcombe_printed():
    # Statistics in Medicine 17 (1998), table II, example (a): 56/70 and 48/80.
    gap = share_gap((56, 70), (48, 80), level=0.95)
    assert (gap.low, gap.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert gap.difference == pytest.approx(0.2)
    assert share_gap((3, 0), (1, 5), level=0.95) is None


def test_too_few_or_equal_values_tell_nothing():
    few, many = mean_of(np.arange(FEWEST - 1.0)), mean_of(np.arange(90.0))
    assert mean_gap(few, many, level=0.95) is None
    alike = Mean(50, 1.0, 0.0)
    assert mean_gap(alike, Mean(50, 2.0, 0.0), level=0.95) is None
    assert mean_gap(Mean(0, None, None), many, level=0.95) is None


def test_among_many_things_chance_seldom_shows_one():
    rng = np.random.default_rng(11)
    things, rounds = 40, 300
    found = 0
    for _ in range(rounds):
        parts = rng.binomial(400, 0.3, size=(things, 2))
        gaps = (share_gap((int(a), 400), (int(b), 400), level=level_of(things)) for a, b in parts)
        found += any(gap.is_sure for gap in gaps)
    # One round in twenty at most; five standard errors above that would be no chance.
    assert found / rounds < 0.05 + 5 * np.sqrt(0.05 * 0.95 / rounds)
