"""BG/NBD beside other ways to the same numbers, and where it refuses."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import gammaln, hyp2f1

from amity.analysis.estimator import Histories, Refused
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.logic import bgnbd_likelihood, purchase_counts
from amity.testing.estimators_kit import make_histories


def make(frequency, recency, age):
    size = len(frequency)
    return Histories(
        customer_id=np.arange(size),
        frequency=np.array(frequency, np.int64),
        recency_days=np.array(recency, np.int64),
        age_days=np.array(age, np.int64),
        spend=np.full(size, np.nan),
        total=np.full(size, np.nan),
    )


def plain_log_likelihood(histories, r, alpha, a, b):
    """Equation (6) of the paper, customer by customer."""
    total = 0.0
    for x, recency, age in zip(
        histories.frequency, histories.recency_days, histories.age_days, strict=True
    ):
        base = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        base += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        inside = (alpha + age) ** -(r + x)
        if x:
            inside += a / (b + x - 1) * (alpha + recency) ** -(r + x)
        total += base + np.log(inside)
    return total


@pytest.fixture(scope="module")
def histories():
    return make_histories(seed=3)


@pytest.fixture(scope="module")
def fit(histories):
    return BgNbd(unit_days=1).fit(histories)


@pytest.mark.parametrize(
    "point", [(0.3, 5.0, 0.8, 2.4), (2.0, 40.0, 3.0, 1.5), (0.05, 0.5, 0.1, 9.0)]
)
def test_likelihood_and_its_derivatives(histories, point):
    grouped = bgnbd_likelihood.group(histories, 1)
    logs = np.log(point)
    value, gradient, hessian = bgnbd_likelihood.evaluate(grouped, logs)
    assert value == pytest.approx(plain_log_likelihood(histories, *point), rel=1e-12)

    def slope(at):
        return bgnbd_likelihood.evaluate(grouped, at)[1]

    numeric = approx_fprime(logs, lambda at: bgnbd_likelihood.evaluate(grouped, at)[0], 1e-6)
    assert gradient == pytest.approx(numeric, rel=1e-3, abs=2e-2)
    bends = [(slope(logs + step) - slope(logs - step)) / 2e-5 for step in np.eye(4) * 1e-5]
    assert hessian == pytest.approx(np.array(bends), rel=1e-5, abs=1e-4)


def test_no_other_optimiser_climbs_higher(histories, fit):
    other = minimize(
        lambda logs: -plain_log_likelihood(histories, *np.exp(logs)),
        np.log(list(fit.parameters.values())) + 0.3,
        method="Nelder-Mead",
        options={"maxiter": 150},
    )
    assert fit.log_likelihood >= -other.fun - 1e-9


def test_expected_purchases_equal_the_closed_form(histories, fit):
    model = purchase_counts.Model.of(fit)
    horizons = np.array([1.0, 30.0, 365.0])
    x, age = histories.frequency, histories.age_days
    for t in horizons:
        row = purchase_counts.expect(model, histories, np.array([t]))
        shape, scale = model.r + x, model.alpha + age
        first = (model.a + model.b + x - 1) / (model.a - 1)
        hyper = hyp2f1(shape, model.b + x, model.a + model.b + x - 1, t / (scale + t))
        closed = first * (1 - (scale / (scale + t)) ** shape * hyper)
        assert row == pytest.approx(closed, rel=1e-9)


def test_expected_purchases_stay_steady_where_the_closed_form_breaks(histories):
    # a = 1 divides by zero there, and hundreds of purchases overflow.
    model = purchase_counts.Model(r=0.8, alpha=20, a=1.0, b=3, unit_days=1)
    near = purchase_counts.Model(r=0.8, alpha=20, a=1.0 + 1e-7, b=3, unit_days=1)
    horizon = np.array([90.0])
    found = purchase_counts.expect(model, histories, horizon)
    assert found == pytest.approx(purchase_counts.expect(near, histories, horizon), rel=1e-6)
    heavy = make([900], [700], [700])
    several = purchase_counts.expect(model, heavy, horizon)[0]
    # Nearly no leaving after 900 purchases: 901 / 720 a day for 90 days.
    assert several == pytest.approx(900.8 / 720 * 90, rel=0.1)


def test_counts_are_a_distribution_with_the_expected_mean(histories, fit):
    model = purchase_counts.Model.of(fit)
    rng = np.random.default_rng(5)
    low, high = purchase_counts.interval(
        model, histories, alive=np.ones(len(histories)), horizon=60.0
    )
    inside = []
    for place in range(0, len(histories), 40):
        x, age = histories.frequency[place], histories.age_days[place]
        rate = rng.gamma(model.r + x, 1 / (model.alpha + age), 4000)
        leaving = rng.beta(model.a, model.b + x, 4000)
        steady = rng.poisson(rate * 60.0)
        counts = np.minimum(steady, rng.geometric(np.maximum(leaving, 1e-12)))
        expected = purchase_counts.expect(
            model, histories.take(np.array([place])), np.array([60.0])
        )
        assert counts.mean() == pytest.approx(expected[0], abs=5 * counts.std() / 4000**0.5)
        inside.append(np.mean((counts >= low[place]) & (counts <= high[place])))
        assert np.mean(counts > high[place]) < 0.125
        assert np.mean(counts < low[place]) < 0.125
    assert min(inside) > 0.77


def test_simulated_parameters_are_found_within_their_errors():
    rng = np.random.default_rng(11)
    size = 40_000
    age = rng.integers(100, 500, size)
    rate, leaving = rng.gamma(0.6, 1 / 30, size), rng.beta(0.7, 2.5, size)
    counts, last = np.zeros(size, np.int64), np.zeros(size)
    at, alive = np.zeros(size), np.ones(size, bool)
    while alive.any():
        at = at + rng.exponential(1 / rate)
        alive &= at <= age
        counts[alive] += 1
        last[alive] = at[alive]
        alive &= rng.random(size) >= leaving
    found = BgNbd(unit_days=1).fit(make(counts, np.ceil(last), age))
    for (name, value), truth in zip(found.parameters.items(), (0.6, 30, 0.7, 2.5), strict=True):
        assert abs(value - truth) < 4 * found.standard_errors[name] + 0.02 * truth, name


def test_who_bought_once_is_alive_for_sure(histories, fit):
    alive = BgNbd(unit_days=1).predict(fit, histories, horizon_days=30).columns["p_alive"]
    once = histories.frequency == 0
    assert (alive.value[once] == 1).all()
    assert (alive.value[~once] < 1).all()
    assert (alive.low <= alive.value).all()
    assert (alive.value <= alive.high).all()


def test_too_little_is_refused_with_the_reason():
    with pytest.raises(Refused, match="30 customers, there are 3"):
        BgNbd().fit(make([1, 0, 2], [5, 0, 6], [10, 10, 10]))
    with pytest.raises(Refused, match="10 customers who bought on more than one day"):
        BgNbd().fit(make([0] * 100, [0] * 100, range(1, 101)))
    with pytest.raises(Refused, match="there are 0"):
        BgNbd().fit(make([], [], []))


def test_shops_nobody_leaves_still_predict():
    # Everyone buys every other day to the end: nothing says how customers leave.
    found = BgNbd().fit(make([50] * 200, [100] * 200, [100] * 200))
    assert found.warnings
    assert found.standard_errors == {}
    histories = make([50], [100], [100])
    columns = BgNbd().predict(found, histories, horizon_days=30).columns
    assert columns["expected_purchases"].value[0] == pytest.approx(15, rel=0.05)
    assert columns["p_alive"].value[0] > 0.99


def test_shops_everyone_leaves_still_predict():
    rng = np.random.default_rng(2)
    recency = rng.integers(1, 5, 300)
    found = BgNbd().fit(make([1] * 300, recency, [400] * 300))
    columns = BgNbd().predict(found, make([1], [3], [400]), horizon_days=30).columns
    assert columns["expected_purchases"].value[0] < 0.5


@pytest.mark.parametrize("unit", [1, 7, 30.4])
def test_horizon_of_nothing_expects_nothing(histories, unit):
    estimator = BgNbd(unit_days=unit)
    found = estimator.fit(histories)
    column = estimator.predict(found, histories, horizon_days=0).columns["expected_purchases"]
    assert not column.value.any()
    assert not column.high.any()
