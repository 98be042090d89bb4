"""Totals of all customers: moments are those of the models, intervals hold what came."""

import numpy as np
import pytest

from amity.analysis.estimator import Fit, Histories, Transactions
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.logic import purchase_counts
from amity.analysis.logic.lifetimes import pareto, renewals
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.retention import fit_contracts, natural_of
from amity.analysis.logic.lifetimes.totals import (
    count_moments,
    total_of,
    total_purchases,
    total_value,
)
from amity.analysis.logic.transactions import summarise

PARETO = Fit(
    estimator="pareto_nbd",
    unit_days=7.0,
    parameters={"r": 0.6, "alpha": 10.0, "s": 0.7, "beta": 12.0},
    customers=3,
)
BGNBD = Fit(
    estimator="bgnbd",
    unit_days=7.0,
    parameters={"r": 0.3, "alpha": 4.5, "a": 0.8, "b": 2.5},
    customers=3,
)


@pytest.fixture(scope="module")
def histories():
    return Histories(
        customer_id=np.arange(3),
        frequency=np.array([0, 2, 9]),
        recency_days=np.array([0, 100, 250]),
        age_days=np.array([40, 200, 260]),
        spend=np.array([0.0, 20.0, 35.0]),
        total=np.array([5.0, 60.0, 350.0]),
    )


def test_moments_of_bgnbd_are_those_of_its_distribution(histories):
    mean, square = purchase_counts.count_moments(purchase_counts.Model.of(BGNBD), histories, 13.0)
    wanted = purchase_counts.expect(purchase_counts.Model.of(BGNBD), histories, np.array([13.0]))
    np.testing.assert_allclose(mean, wanted, rtol=1e-6)
    assert np.all(square >= mean**2 + 0.5 * mean)


def test_moments_of_pareto_nbd_are_those_of_its_distribution(histories):
    model = pareto.Model.of(PARETO)
    grouped, place = pareto.group(histories, 7.0)
    above = 1 - pareto.count_chances(model, grouped, 13.0, 400)
    mean, square = pareto.count_moments(model, grouped, 13.0)
    np.testing.assert_allclose(mean, above.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(square, above @ (2 * np.arange(400) + 1.0), rtol=1e-6)
    alive_too, _ = count_moments(PARETO, histories, 91.0)
    assert np.all(alive_too <= mean[place] + 1e-12)


def shop(rng, size=150, days=364, ahead=90):
    """Purchases as BG/NBD imagines them, and how many came in the time after."""
    rates, leaves = rng.gamma(0.8, 1 / 30, size), rng.beta(0.8, 2.5, size)
    who, when = [], []
    for customer in range(size):
        at, is_first = float(rng.integers(0, days // 2)), True
        while at < days + ahead:
            who.append(customer)
            when.append(int(at))
            if not is_first and rng.random() < leaves[customer]:
                break
            at, is_first = at + rng.exponential(1 / max(rates[customer], 1e-9)), False
    pairs = np.unique(np.array([who, when]), axis=1)
    seen = pairs[1] < days
    return Transactions(customer_id=pairs[0][seen], day=pairs[1][seen]), int((~seen).sum())


def test_the_interval_of_a_total_holds_what_came():
    rng = np.random.default_rng(3)
    held = inside = 0
    for _ in range(18):
        transactions, came = shop(rng)
        known = summarise(transactions, until=363)
        fit = BgNbd(unit_days=7).fit(known)
        value = BgNbd(unit_days=7).predict(fit, known, horizon_days=90).columns
        total = total_purchases(fit, known, float(value["expected_purchases"].value.sum()), 90)
        held += total is None or total.low <= came <= total.high
        low, high = parameter_intervals([fit]).get("alpha", (0.0, np.inf))
        inside += low <= 30 / 7 <= high
    assert min(held, inside) >= 15
    assert total.high - total.low < 1.2 * total.value


def test_renewals_that_come_lie_in_their_interval():
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(60):
        leaves = rng.beta(0.7, 2.5, 250)
        lasts = rng.geometric(np.maximum(leaves, 1e-6))
        asked = rng.integers(3, 12, 250)
        left, renewed = (lasts <= asked).astype(np.int64), np.minimum(lasts - 1, asked)
        fit = fit_contracts(renewed, left, np.ones(250))
        there, known = left == 0, renewed[left == 0].astype(np.float64)
        chance = renewals.stays(natural_of(fit), known, 1)

        def again(moved, known=known):
            return float(renewals.stays(natural_of(moved), known, 1).sum())

        total = total_of(fit, float(chance.sum()), float(chance @ (1 - chance)), again)
        held += total.low <= int((lasts[there] > asked[there] + 1).sum()) <= total.high
    assert held >= 54


def test_without_a_finite_spread_or_sure_parameters_there_is_no_interval(histories):
    assert total_purchases(BGNBD, histories, 3.0, 90) is None
    sure = np.diag([0.01] * 4).tolist()
    wide = Fit(
        estimator="gamma_gamma",
        unit_days=7.0,
        parameters={"p": 6.0, "q": 1.8, "v": 15.0},
        customers=3,
        covariance=np.diag([0.01] * 3).tolist(),
    )
    buying = Fit(
        **{name: getattr(BGNBD, name) for name in ("estimator", "unit_days")},
        parameters=BGNBD.parameters,
        customers=3,
        covariance=sure,
    )
    assert total_value((buying, wide), histories, 3.0, 90) is None
    narrow = Fit(
        estimator="gamma_gamma",
        unit_days=7.0,
        parameters={**wide.parameters, "q": 3.5},
        customers=3,
        covariance=wide.covariance,
    )
    found = total_value((buying, narrow), histories, 300.0, 90)
    assert 0 <= found.low < 300 < found.high
