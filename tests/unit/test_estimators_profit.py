"""Value in profit, waiting times, churn of contracts and credit for referrals."""

import csv
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.integrate import quad

from amity.analysis.estimator import Fit
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.file_estimate import Example, load_file_estimates
from amity.analysis.logic import purchase_counts
from amity.analysis.logic.lifetimes.profit import ProfitTerms, expect_profit
from amity.analysis.logic.lifetimes.referrals import credit_referrers
from amity.analysis.logic.lifetimes.waiting import basket_quantile, chance_of_none, wait_days
from amity.kernel.errors import Invalid
from amity.testing.estimators_kit import make_histories
from amity.testing.file_estimates_kit import run_on, write_example

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def histories():
    return make_histories(seed=4, customers=600)


@pytest.fixture(scope="module")
def fits(histories):
    return BgNbd(unit_days=7).fit(histories), GammaGamma(unit_days=7).fit(histories)


def test_without_costs_and_discount_profit_is_purchases_times_margin(histories, fits):
    found = expect_profit(fits, histories, ProfitTerms(margin_rate=0.4), horizon_days=120)
    bought = BgNbd(unit_days=7).predict(fits[0], histories, horizon_days=120)
    spend = GammaGamma(unit_days=7).predict(fits[1], histories, horizon_days=0)
    value = bought.columns["expected_purchases"].value * spend.columns["expected_spend"].value
    assert np.allclose(found.profit.value, 0.4 * value)
    assert found.total.low < found.total.value < found.total.high
    assert found.total.value == pytest.approx(float(found.profit.value.sum()))
    assert (found.cost_to_serve == 0).all()


def test_costs_and_discount_take_away_what_they_should(histories, fits):
    plain = expect_profit(fits, histories, ProfitTerms(), horizon_days=365)
    handling = expect_profit(fits, histories, ProfitTerms(cost_per_order=3), horizon_days=365)
    later = expect_profit(fits, histories, ProfitTerms(yearly_discount_rate=0.5), horizon_days=365)
    served = expect_profit(fits, histories, ProfitTerms(cost_per_day=0.01), horizon_days=365)
    bought = BgNbd(unit_days=7).predict(fits[0], histories, horizon_days=365)
    lost = plain.profit.value - handling.profit.value
    assert np.allclose(lost, 3 * bought.columns["expected_purchases"].value)
    ratio = later.profit.value / plain.profit.value
    assert ((ratio > 1 / 1.5) & (ratio < 1)).all()
    alive = bought.columns["p_alive"].value
    cost = served.cost_to_serve
    assert np.allclose(plain.profit.value - served.profit.value, cost)
    assert ((cost > 0) & (cost <= 3.65 * alive + 1e-9)).all()


def test_the_chance_to_stay_is_the_integral_it_says(histories, fits):
    model = purchase_counts.Model.of(fits[0])
    some = histories.take(np.flatnonzero(histories.frequency > 1)[:3])
    found = purchase_counts.stay(model, some, np.array([20.0]))
    for place in range(3):
        x, age = float(some.frequency[place]), some.age_days[place] / 7

        def weighted(p, x=x, age=age):
            grown = (1 + p * 20 / (model.alpha + age)) ** -(model.r + x)
            return p ** (model.a - 1) * (1 - p) ** (model.b + x - 1) * grown

        def weight(p, x=x):
            return p ** (model.a - 1) * (1 - p) ** (model.b + x - 1)

        whole = quad(weighted, 0, 1)[0] / quad(weight, 0, 1)[0]
        assert found[place] == pytest.approx(whole, rel=1e-6)


def test_profit_intervals_narrow_with_the_number_of_customers(fits, histories):
    def width(customers):
        known = make_histories(seed=4, customers=customers)
        both = BgNbd(unit_days=7).fit(known), GammaGamma(unit_days=7).fit(known)
        total = expect_profit(both, known, ProfitTerms(), horizon_days=90).total
        return (total.high - total.low) / total.value

    assert width(1600) < 0.8 * width(300)


def test_waiting_times_agree_with_the_chance_to_buy(histories, fits):
    alive = np.ones(len(histories))
    for days in (10.0, 60.0):
        bought = 1 - chance_of_none(fits[0], histories, alive, days)
        for place in range(0, len(histories), 50):
            some = histories.take(np.array([place]))
            assert wait_days(fits[0], some, bought[place])[0] == pytest.approx(days)


def test_basket_quantiles_hold_for_baskets_drawn_from_the_model():
    fit = Fit(
        estimator="gamma_gamma",
        unit_days=7,
        parameters={"p": 6.0, "q": 4.0, "v": 15.0},
        customers=1,
    )
    histories = make_histories(seed=1, customers=40)
    one = histories.take(np.flatnonzero(histories.frequency == 2)[:1])
    rng = np.random.default_rng(0)
    nu = rng.gamma(4 + 6 * 2, 1 / (15 + 2 * one.spend[0]), 40_000)
    drawn = rng.gamma(6, 1 / nu)
    for quantile in (0.1, 0.5, 0.9):
        share = float((drawn < basket_quantile(fit, one, quantile)[0]).mean())
        assert share == pytest.approx(quantile, abs=0.01)


def test_referrals_are_credited_with_decay_and_circles_left_out():
    values = np.array([10.0, 20.0, 40.0, 5.0, 5.0, 7.0])
    #               0 <- 1 <- 2, 3 and 4 each other, 5 himself
    found = credit_referrers(values, np.array([-1, 0, 1, 4, 3, 5]), decay=0.5)
    assert found.credit.tolist()[:3] == [0.5 * (20 + 0.5 * 40), 20.0, 0.0]
    assert (found.links, found.dropped) == (5, 3)


def shop_with_referrers(tmp_path):
    """A made-up shop where everybody was brought by the customer before, and the first by X."""
    example = load_file_estimates()["clv"].example(np.random.default_rng(7), 300)
    rows = []
    for customer, day, amount in example.rows:
        number = int(str(customer)[1:])
        rows.append((customer, day, amount, f"c{number - 1}" if number else "X"))
    made = Example(heads=(*example.heads, "by"), rows=rows, options={})
    return write_example(tmp_path / "shop.csv", made)


def test_clv_in_profit_is_said_with_interval_and_referrals(tmp_path):
    path = shop_with_referrers(tmp_path)
    columns = {"customer": "customer", "date": "date", "amount": "amount"}
    clv = load_file_estimates()["clv"]
    plain = run_on(clv, path, columns)
    assert plain.answer.result == {}
    options = {**columns, "margin_rate": 0.3, "cost_per_period": 0.01, "referrer": "by"}
    found = run_on(clv, path, {**options, "contacts_per_period": 0.1, "cost_per_contact": 0.05})
    profit = found.answer.result["profit"]
    assert profit["low"] < profit["total"] < profit["high"]
    assert profit["total"] < 0.3 * found.answer.expected_value
    assert profit["terms"]["cost_per_day"] == pytest.approx(0.015)
    assert profit["referral"]["strangers"] == 1
    assert profit["referral"]["links"] == found.answer.counts["customers"] - 1
    assert any(
        "1 customers were brought by somebody not in the file" in w for w in found.answer.warnings
    )
    with pytest.raises(Invalid, match="--amount"):
        run_on(clv, path, {"customer": "customer", "date": "date", "margin_rate": 0.3})


def test_churn_of_contracts_is_that_of_sbg(tmp_path):
    example = load_file_estimates()["sbg"].example(np.random.default_rng(2), 500)
    path = write_example(tmp_path / "contracts.csv", example)
    churn = run_on(load_file_estimates()["churn"], path, example.options)
    sbg = run_on(load_file_estimates()["sbg"], path, example.options)
    assert churn.answer.parameters == sbg.answer.parameters
    running = sbg.answer.result["running"]
    renewing = sbg.answer.result["expected_renewals_next"]
    assert churn.answer.result["expected_churned"] == pytest.approx(running - renewing)
    true = np.array([0.7, 3.8])
    for value, wanted, error in zip(
        sbg.answer.parameters.values(), true, sbg.answer.standard_errors.values(), strict=True
    ):
        assert abs(value - wanted) < 3 * error


def test_churn_wants_purchases_or_contracts_and_not_both(tmp_path):
    example = load_file_estimates()["churn"].example(np.random.default_rng(2), 100)
    path = write_example(tmp_path / "shop.csv", example)
    with pytest.raises(Invalid, match="--date for purchases, or --start"):
        run_on(load_file_estimates()["churn"], path, {"customer": "customer"})


@pytest.mark.parametrize("name", ["clv", "pareto-nbd", "churn", "next-purchase", "bgbb"])
def test_the_order_of_rows_does_not_matter(tmp_path, name):
    kind = load_file_estimates()[name]
    example = kind.example(np.random.default_rng(5), 250)
    path = write_example(tmp_path / "one.csv", example)
    turned = Example(heads=example.heads, rows=example.rows[::-1], options=example.options)
    other = write_example(tmp_path / "two.csv", turned)
    one, two = run_on(kind, path, example.options), run_on(kind, other, example.options)
    assert one.answer.parameters
    for parameter, value in one.answer.parameters.items():
        assert two.answer.parameters[parameter] == pytest.approx(value, rel=1e-5)


def test_drift_and_a_moved_base_rate_are_said(tmp_path):
    rng = np.random.default_rng(8)
    rows = []
    for customer in range(900):
        late = customer % 2
        first = int(rng.integers(0, 80) + 120 * late)
        rows += [(f"c{customer}", first)]
        times = rng.poisson(0.3 if late else 2.5)
        rows += [(f"c{customer}", first + int(day)) for day in rng.integers(1, 100, times)]
        if rng.random() < 0.5:
            rows += [(f"c{customer}", int(day)) for day in rng.integers(330, 360, 3)]
    path = tmp_path / "moved.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("who", "when"))
        for who, day in rows:
            writer.writerow((who, (np.datetime64("2024-01-01") + day).item().isoformat()))
    found = run_on(load_file_estimates()["pareto-nbd"], path, {"customer": "who", "date": "when"})
    said = " ".join(found.answer.warnings)
    assert "the base rate moved" in said
    assert "drift across time" in said
