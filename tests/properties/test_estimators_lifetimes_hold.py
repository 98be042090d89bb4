"""What must hold of the lifetime models whatever their parameters and whatever the history."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.logic.lifetimes import discrete, pareto, renewals
from amity.analysis.logic.lifetimes.referrals import credit_referrers

POSITIVE = st.floats(0.05, 50)
FEW = settings(max_examples=60, deadline=None)


def history(x, recency, age):
    return pareto.Grouped(
        frequency=np.array([float(x)]),
        recency=np.array([recency]),
        age=np.array([age]),
        weight=np.ones(1),
    )


@FEW
@given(st.tuples(*[POSITIVE] * 4), st.integers(0, 60), st.floats(0, 1), st.floats(1, 200))
def test_pareto_nbd_gives_chances_and_grows_with_time(natural, x, share, age):
    model = pareto.Model(**dict(zip(pareto.NAMES, natural, strict=True)), unit_days=7)
    recency = share * age if x else 0.0
    some = history(x, recency, age)
    alive = pareto.probability_alive(model, some)[0][0]
    assert 0 <= alive <= 1 + 1e-12
    later = pareto.probability_alive(model, history(x, (recency + age) / 2, age))[0][0]
    assert later >= alive - 1e-9
    short, long = (pareto.expect(model, some, np.array([t]))[0] for t in (5.0, 50.0))
    assert 0 <= short <= long
    assert long <= (model.r + x) / (model.alpha + age) * 50 * (1 + 1e-9)
    chances = pareto.count_chances(model, some, 10.0, 40)[0]
    assert (np.diff(chances) >= -1e-12).all()
    assert 0 <= chances[0] <= chances[-1] <= 1
    steps = pareto.stay(model, some, np.array([5.0])), pareto.stay(model, some, np.array([50.0]))
    assert 0 <= steps[1][0] <= steps[0][0] <= 1


@FEW
@given(st.tuples(*[POSITIVE] * 4), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_bgbb_histories_of_one_length_sum_to_one_and_counts_to_their_mean(natural, n, last, x):
    given_ = np.array(natural)
    last = min(last, n)
    x = 0 if last == 0 else max(1, min(x, last))
    one = discrete.group(np.array([x]), np.array([last if x else 0]), np.array([n]))[0]
    chances = discrete.count_chances(one, given_, 6)[0]
    assert (np.diff(chances) >= -1e-12).all()
    assert chances[-1] == 1 or abs(chances[-1] - 1) < 1e-9
    assert abs((1 - chances).sum() - discrete.expect(one, given_, 6)[0]) < 1e-8
    assert 0 <= discrete.probability_alive(one, given_)[0] <= 1
    # Every history of n periods, as often as it can be arranged, is all there is.
    rows = [(0, 0, n, 1.0)]
    rows += [
        (count, end, n, float(np.exp(_log_choose(end - 1, count - 1))))
        for end in range(1, n + 1)
        for count in range(1, end + 1)
    ]
    table = np.array(rows)
    every = discrete.Grouped(
        frequency=table[:, 0].astype(np.int64),
        recency=table[:, 1].astype(np.int64),
        periods=table[:, 2].astype(np.int64),
        weight=table[:, 3],
    )
    whole = np.exp(discrete.log_likelihoods(every, given_)) @ every.weight
    assert abs(whole - 1) < 1e-8


def _log_choose(n, k):
    from scipy.special import gammaln

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


@FEW
@given(st.tuples(POSITIVE, POSITIVE), st.integers(1, 40))
def test_sbg_loses_customers_ever_more_slowly(natural, periods):
    shares = renewals.survival(np.array(natural), np.arange(periods + 2))
    assert shares[0] == 1
    rates = shares[1:] / shares[:-1]
    assert (rates <= 1).all()
    assert (np.diff(rates) >= -1e-9).all()


@FEW
@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(-1, 19)), min_size=1, max_size=20))
def test_credit_for_referrals_ends_whatever_the_links(rows):
    values = np.array([value for value, _ in rows])
    parents = np.array([min(parent, len(rows) - 1) for _, parent in rows])
    found = credit_referrers(values, parents, decay=0.5)
    assert np.isfinite(found.credit).all()
    assert 0 <= found.dropped <= max(found.links, 0)
    # With links that only lead to earlier ones nothing is dropped, and a chain halves each step.
    tree = np.array([min(parent, place - 1) for place, parent in enumerate(parents.tolist())])
    assert credit_referrers(values, tree, decay=0.5).dropped == 0
