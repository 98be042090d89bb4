"""What was known at a moment does not depend on what came after it, and is what counting finds."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.logic.learning.moments import (
    DAY_SECONDS,
    WINDOWS,
    History,
    Moments,
    build_features,
    known_at,
    label_of,
    sort_facts,
)

NOW = 1_000 * DAY_SECONDS
WHO = st.integers(0, 3)
# Around the moment, at window edges and far away; the moment itself belongs to what was known.
WHEN = st.one_of(
    st.integers(0, 2 * NOW),
    st.sampled_from(
        [
            NOW + days * DAY_SECONDS + second
            for days in (0, -30, -90, -365, 7)
            for second in (-1, 0, 1)
        ]
    ),
)
FACT = st.tuples(st.sampled_from(["view", "order", "plan"]), WHO, WHEN, st.integers(0, 9))
MOMENTS = Moments(customer=np.arange(4), second=np.full(4, NOW))


def history(facts):
    def of(kind, **more):
        mine = [fact for fact in facts if fact[0] == kind]
        who = np.array([fact[1] for fact in mine], np.int64)
        when = np.array([fact[2] for fact in mine], np.int64)
        given_ = {}
        if "amount" in more:
            given_["amount"] = np.array([fact[3] for fact in mine], np.float64)
        if "text" in more:
            given_["text"] = [f"plan {fact[3]}" for fact in mine]
        return sort_facts(who, when, **given_)

    return History(
        events={"view": of("view")},
        orders=of("order", amount=True),
        traits={"plan": of("plan", text=True)},
    )


def shown(facts):
    return {
        column.name: [column.show(row) for row in range(4)]
        for column in build_features(history(facts), MOMENTS)
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(FACT, max_size=25), st.lists(FACT, max_size=10))
def test_what_comes_after_the_moment_changes_no_feature(facts, more):
    later = [fact for fact in more if fact[2] > NOW]
    assert shown(facts) == shown([*facts, *later])
    assert shown(facts) == shown([*later, *reversed(facts)]) or _has_ties(facts)
    known = known_at(history(facts), MOMENTS, 365)
    assert known.tolist() == known_at(history([*facts, *later]), MOMENTS, 365).tolist()


def _has_ties(facts):
    """Two traits told in one second: which came last is not known."""
    plans = [fact[1:3] for fact in facts if fact[0] == "plan"]
    return len(plans) != len(set(plans))


@settings(max_examples=100, deadline=None)
@given(st.lists(FACT, max_size=25), st.lists(FACT, max_size=10), st.integers(14, 400))
def test_behaviour_before_the_time_looked_back_changes_nothing_but_who_is_known(
    facts, more, lookback
):
    earlier = [
        fact for fact in more if fact[2] <= NOW - lookback * DAY_SECONDS and fact[0] != "plan"
    ]

    def looked(given_):
        columns = build_features(history(given_), MOMENTS, lookback_days=lookback)
        return {
            column.name: column.values.tolist()
            for column in columns
            if column.kind == "number" and column.name != "days known"
        }

    np.testing.assert_equal(looked(facts), looked([*facts, *earlier]))


@settings(max_examples=150, deadline=None)
@given(st.lists(FACT, max_size=25), st.integers(1, 90))
def test_features_and_labels_are_what_counting_one_by_one_finds(facts, horizon):
    found = shown(facts)
    label = label_of(history(facts).orders, MOMENTS, horizon * DAY_SECONDS)
    for who in range(4):
        mine = [fact for fact in facts if fact[1] == who]
        for kind, name in (("view", "view"), ("order", "orders")):
            for days in WINDOWS:
                inside = [
                    fact
                    for fact in mine
                    if fact[0] == kind and NOW - days * DAY_SECONDS < fact[2] <= NOW
                ]
                assert found[f"{name}, {days} days"][who] == f"{len(inside):g}"
                if kind == "order":
                    spent = sum(fact[3] for fact in inside)
                    assert found[f"spent, {days} days"][who] == f"{spent:.4g}"
            since = NOW - WINDOWS[-1] * DAY_SECONDS
            before = [fact[2] for fact in mine if fact[0] == kind and since < fact[2] <= NOW]
            since = (NOW - max(before)) / DAY_SECONDS if before else math.nan
            wanted = "not known" if math.isnan(since) else f"{since:.4g}"
            assert found[f"days since {name}"][who] == wanted
        bought = [
            fact
            for fact in mine
            if fact[0] == "order" and NOW < fact[2] <= NOW + horizon * DAY_SECONDS
        ]
        assert label[who] == float(bool(bought))
