"""Gamma-Gamma, RFM, histories and calibration: oracles and refusals."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import gammaln

from amity.analysis.estimator import Histories, Refused, Transactions
from amity.analysis.estimators import gamma_gamma, rfm
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.estimators.rfm import Rfm, word_of
from amity.analysis.logic.calibration import calibrate
from amity.analysis.logic.lifetime_value import discounted_purchases, months_ahead
from amity.analysis.logic.purchase_counts import Model, expect
from amity.analysis.logic.transactions import count_between, summarise
from amity.testing.estimators_kit import make_histories, make_transactions


def make(frequency, spend):
    size = len(frequency)
    frequency = np.array(frequency, np.int64)
    spend = np.array(spend, np.float64)
    return Histories(
        customer_id=np.arange(size),
        frequency=frequency,
        recency_days=frequency,
        age_days=frequency + 5,
        spend=spend,
        total=spend * (frequency + 1),
    )


def test_spend_likelihood_and_its_derivatives():
    rng = np.random.default_rng(4)
    x = rng.integers(1, 9, 200).astype(float)
    spend = rng.gamma(3, 10, 200)
    sums = gamma_gamma._Sums(x, spend)
    logs = np.log([5.0, 3.5, 14.0])
    p, q, v = np.exp(logs)
    value, gradient, hessian = sums.evaluate(logs)
    plain = (
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(v)
        + (p * x - 1) * np.log(spend)
        + p * x * np.log(x)
        - (p * x + q) * np.log(x * spend + v)
    )
    assert value == pytest.approx(plain.sum(), rel=1e-12)
    assert gradient == pytest.approx(
        approx_fprime(logs, lambda at: sums.evaluate(at)[0], 1e-6), rel=1e-3, abs=1e-3
    )
    steps = np.eye(3) * 1e-5
    bends = [(sums.evaluate(logs + s)[1] - sums.evaluate(logs - s)[1]) / 2e-5 for s in steps]
    assert hessian == pytest.approx(np.array(bends), rel=1e-5, abs=1e-4)


def test_spend_parameters_are_found_within_their_errors():
    rng = np.random.default_rng(8)
    size = 30_000
    x = rng.integers(1, 12, size)
    nu = rng.gamma(3.7, 1 / 15.4, size)
    found = GammaGamma().fit(make(x, rng.gamma(6.2 * x, 1 / (nu * x))))
    for (name, value), truth in zip(found.parameters.items(), (6.2, 3.7, 15.4), strict=True):
        assert abs(value - truth) < 4 * found.standard_errors[name], name
    assert abs(found.details["correlation_frequency_spend"]) < 0.03


def test_spend_goes_from_everybodys_to_ones_own():
    found = GammaGamma().fit(make_histories(seed=2))
    mean = found.details["mean_spend"]
    asked = make([0, 1, 50], [0.0, 3 * mean, 3 * mean])
    column = GammaGamma().predict(found, asked, horizon_days=0).columns["expected_spend"]
    assert column.value[0] == pytest.approx(mean)
    assert mean < column.value[1] < column.value[2] < 3 * mean
    assert (column.low < column.value).all()
    assert (column.value < column.high).all()


def test_spend_without_differences_between_customers_is_warned_of():
    rng = np.random.default_rng(0)
    x = rng.integers(40, 80, 1500)
    found = GammaGamma().fit(make(x, rng.gamma(4.0 * x, 10 / (4.0 * x))))
    assert any("determine" in warning for warning in found.warnings)
    asked = make([0, 50], [0.0, 10.0])
    column = GammaGamma().predict(found, asked, horizon_days=0).columns["expected_spend"]
    assert column.value == pytest.approx([10, 10], rel=0.01)


def test_spend_that_follows_frequency_is_warned_of():
    rng = np.random.default_rng(1)
    x = rng.integers(1, 20, 500)
    found = GammaGamma().fit(make(x, 5.0 * x * rng.uniform(0.8, 1.2, 500)))
    assert any("go together" in warning for warning in found.warnings)
    assert found.details["correlation_frequency_spend"] > 0.9


@pytest.mark.parametrize(
    ("frequency", "spend", "reason"),
    [
        ([2] * 10, [5.0] * 10, "20 customers who spent something"),
        ([0] * 50, [0.0] * 50, "there are 0"),
        ([2] * 50, [5.0] * 50, "spends the same"),
        ([1, 2] * 50, [np.nan] * 100, "needs amounts"),
    ],
)
def test_spend_that_says_nothing_is_refused(frequency, spend, reason):
    with pytest.raises(Refused, match=reason):
        GammaGamma().fit(make(frequency, spend))


def test_spend_without_a_mean_is_refused():
    rng = np.random.default_rng(3)
    nu = rng.gamma(0.5, 1.0, 2000)  # q = 0.5: the mean over customers is infinite
    with pytest.raises(Refused, match="no finite value"):
        GammaGamma().fit(make([3] * 2000, rng.gamma(15, 1 / (3 * nu))))


def test_fifths_are_even_although_most_bought_once():
    histories = make_histories(seed=6, customers=500)
    found = Rfm().fit(histories)
    labels = Rfm().predict(found, histories, horizon_days=0).columns["rfm"].labels
    for place in range(3):
        scores = [int(label.split(" ")[0].split("-")[place]) for label in labels]
        assert np.bincount(scores, minlength=6)[1:].tolist() == [len(histories) // 5] * 5


def test_better_is_never_scored_lower():
    histories = make_histories(seed=6)
    found = Rfm().fit(histories)
    better = Histories(
        customer_id=histories.customer_id,
        frequency=histories.frequency + 1,
        recency_days=histories.recency_days,
        age_days=histories.age_days,
        spend=histories.spend,
        total=histories.total + 10,
    )
    before = Rfm().predict(found, histories, horizon_days=0).columns["rfm"]
    after = Rfm().predict(found, better, horizon_days=0).columns["rfm"]
    assert (after.value >= before.value).all()
    assert after.value.sum() > before.value.sum()


def test_every_score_has_a_word():
    words = {word_of(r, f, m) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)}
    assert words == {word for row in rfm.WORDS for word in row}
    assert word_of(5, 5, 5) == "Champion"
    assert word_of(1, 5, 5) == "Cannot lose"
    assert word_of(1, 1, 1) == "Lost"


def test_rank_needs_five_customers():
    with pytest.raises(Refused, match="there are 4"):
        Rfm().fit(make([1] * 4, [2.0] * 4))


def test_purchases_of_a_day_are_one_and_averages_are_cents():
    purchases = Transactions(
        customer_id=np.array([9, 9, 9, 4, 9, 4]),
        day=np.array([10, 10, 13, 12, 16, 30]),
        amount=np.array([100, 50, 1001, 700, 1000, 5]),
    )
    found = summarise(purchases, until=20)
    assert found.customer_id.tolist() == [4, 9]
    assert found.frequency.tolist() == [0, 2]
    assert found.recency_days.tolist() == [0, 6]
    assert found.age_days.tolist() == [8, 10]
    assert found.spend.tolist() == [0.0, 10.01]  # 10.005, half up
    assert found.total.tolist() == [7.0, 21.51]
    number, value = count_between(purchases, found.customer_id, after=12, until=30)
    assert number.tolist() == [1, 2]
    assert value.tolist() == [0.05, 20.01]


def test_nothing_before_the_day_is_an_empty_history():
    found = summarise(make_transactions(seed=1), until=0)
    assert len(found) == 0
    assert not found.has_amounts


def test_a_short_time_cannot_be_held_out():
    purchases = Transactions(customer_id=np.arange(100), day=np.arange(100) % 20)
    with pytest.raises(Refused, match="28 days"):
        calibrate(purchases, until=19)


def test_held_out_groups_cover_everybody_once():
    purchases = make_transactions(seed=12, customers=800)
    found = calibrate(purchases, until=10_200)
    assert sum(group.customers for group in found.groups) == found.customers
    assert all(group.actual_low <= group.actual <= group.actual_high for group in found.groups)
    assert found.trained_until_day + found.horizon_days == found.tested_until_day
    assert found.predicted_value is not None


def test_later_money_counts_for_less():
    histories = make_histories(seed=2)
    fit = BgNbd(unit_days=7).fit(histories)
    ends, factors = months_ahead(12)
    discounted = discounted_purchases(fit, histories, ends=ends, factors=factors)
    whole = expect(Model.of(fit), histories, np.array([365.25 / 7]))
    assert (discounted < whole).all()
    assert (discounted > whole / 1.1).all()
