"""Why customers leave: hazards against the textbook and the definition, and a town by hand."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from scipy.optimize import minimize

from amity.analysis.estimator import Refused
from amity.analysis.logic.behaviour.hazards import fit_hazards
from amity.analysis.logic.behaviour.reasons import estimate_incidence
from amity.analysis.logic.behaviour.survival import estimate_curve
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.leaving import Leaving
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import NOW, Town, expressions

# Freireich and others (1963): weeks of remission with 6-MP and with nothing.
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
UNTREATED = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_hazards_are_those_published():
    # Efron's coefficient of the untreated is 1.572 with a standard error of .412.
    days = np.array(TREATED + UNTREATED)
    left = np.array(RELAPSED + [1] * len(UNTREATED))
    untreated = np.array([[0.0]] * len(TREATED) + [[1.0]] * len(UNTREATED))
    (factor,) = fit_hazards(days, left, untreated, ["untreated"])
    assert factor.coefficient == pytest.approx(1.572, abs=5e-4)
    assert factor.standard_error == pytest.approx(0.412, abs=5e-4)
    assert factor.ratio == pytest.approx(4.817, abs=5e-3)
    assert not factor.is_changing


def simulate(seed, *, customers=900, change=0.0):
    rng = np.random.default_rng(seed)
    values = np.stack(
        [rng.normal(3, 2, customers), rng.integers(0, 2, customers).astype(float)], axis=1
    )
    hazard = 0.01 * np.exp(values @ np.array([0.25, -0.7]))
    time = rng.exponential(1 / hazard)
    if change:
        # The second factor begins as its contrary.
        early = rng.exponential(1 / (0.01 * np.exp(values @ np.array([0.25, 0.7 * change]))))
        time = np.where(early < 30, early, 30 + time)
    watched = rng.uniform(0, 300, customers)
    days = np.floor(np.minimum(time, watched)).astype(np.int64)
    return days, (time <= watched).astype(np.int64), values


def test_hazards_are_the_top_of_the_likelihood_of_the_definition():
    days, left, values = simulate(2, customers=160)

    def against(point):
        """Efron's partial likelihood, a sum over the days on which someone left."""
        risk = np.exp(values @ point)
        total = 0.0
        for day in np.unique(days[left == 1]):
            gone = (days == day) & (left == 1)
            number = int(gone.sum())
            total += (values[gone] @ point).sum()
            for place in range(number):
                total -= np.log(risk[days >= day].sum() - place / number * risk[gone].sum())
        return -total

    wanted = minimize(against, np.zeros(2), method="BFGS", options={"gtol": 1e-7}).x
    factors = fit_hazards(days, left, values, ["a", "b"])
    np.testing.assert_allclose([f.coefficient for f in factors], wanted, atol=1e-5)


def test_what_was_put_in_is_found_and_what_changes_is_said():
    days, left, values = simulate(1)
    factors = fit_hazards(days, left, values, ["a", "b"])
    for factor, true in zip(factors, (0.25, -0.7), strict=True):
        assert abs(factor.coefficient - true) < 3 * factor.standard_error
        assert not factor.is_changing
    days, left, values = simulate(1, change=3.0)
    assert [f.is_changing for f in fit_hazards(days, left, values, ["a", "b"])] == [False, True]


def test_too_few_or_too_clear_is_refused():
    days, left, values = simulate(4, customers=40)
    with pytest.raises(Refused, match="takes at least"):
        fit_hazards(days, left * (np.arange(40) < 15), values, ["a", "b"])
    with pytest.raises(Refused, match="same for everyone"):
        fit_hazards(days, left, values * 0, ["a", "b"])
    late = np.arange(60)
    with pytest.raises(Refused, match="do not determine"):
        fit_hazards(late, (late < 30).astype(int), (late[:, None] < 30) * 1.0, ["a"])


def test_one_reason_alone_is_the_curve_of_survival():
    days, left, _ = simulate(5, customers=200)
    (alone,) = estimate_incidence(days, left - 1, ["gone"])
    curve = estimate_curve(days, left, np.ones(len(days), np.int64))
    np.testing.assert_allclose(1 - alone.left, curve.left)
    risk, gone = curve.at_risk.astype(float), curve.happened.astype(float)
    greenwood = curve.left**2 * np.cumsum(gone / (risk * np.maximum(risk - gone, 1e-9)))
    inside = curve.left > 0
    np.testing.assert_allclose(alone.deviation[inside] ** 2, greenwood[inside], rtol=1e-6)


def test_reasons_share_who_has_left_and_their_error_is_that_of_repeated_samples():
    rng = np.random.default_rng(8)

    def sample(customers):
        first, second = rng.exponential(60, customers), rng.exponential(120, customers)
        watched = rng.uniform(20, 150, customers)
        days = np.floor(np.minimum(np.minimum(first, second), watched)).astype(np.int64)
        reason = np.where(np.minimum(first, second) > watched, -1, (second < first) * 1)
        return estimate_incidence(days, reason, ["first", "second"])

    many = [sample(300) for _ in range(300)]
    values = [[one.at(80).value for one in curves] for curves in many]
    # Two exponentials race: the one with twice the hazard takes two thirds of who has gone.
    gone = 1 - np.exp(-81 * (1 / 60 + 1 / 120))
    np.testing.assert_allclose(np.mean(values, axis=0), [gone * 2 / 3, gone / 3], atol=0.01)
    errors = [[np.sqrt(one.at(80).variance) for one in curves] for curves in many]
    np.testing.assert_allclose(np.std(values, axis=0), np.mean(errors, axis=0), rtol=0.12)


@pytest.fixture(scope="module")
def town():
    """Quiet for a month is gone. One stays, one goes quiet, two say so, one is from before."""
    made = Town()
    for customer_id, days in {
        1: [80, 60, 40, 20, 5],
        2: [80, 70, 10],
        3: [80, 60],
        4: [30],
        5: [500, 80],
    }.items():
        made.customer(customer_id)
        for day in days:
            made.order(customer_id, NOW - timedelta(days=day), 1000 * customer_id)
    made.event(3, "Account Closed", NOW - timedelta(days=55), {"reason": "Too expensive"})
    made.event(4, "Account Closed", NOW - timedelta(days=25))
    return made


def asked():
    return msgspec.structs.replace(ASKED, choices={"quiet_days": 30})


def test_who_has_left_and_why(town):
    found = find(Leaving, town, asked=asked())
    reasons = {row[0]: row[1] for row in found.table("reasons").rows}
    assert reasons == {"(went quiet)": 1, "Too expensive": 1, "Account Closed": 1}
    # The second was quiet from the tenth day on, for thirty; the third left on day 25, the fourth
    # on day 5; the first has been watched for 80.
    curve = {row[0]: row[1] for row in found.table("curve").rows}
    assert curve[0] == 1
    assert curve[30] == pytest.approx(0.5)
    assert curve[60] == pytest.approx(0.25)
    assert 90 not in curve
    assert {figure.name: figure.value for figure in found.figures}["median_days"] == 25
    assert "cannot be said" in " ".join(found.notes)


def test_who_left_for_a_reason_can_be_named(town):
    run = duckdb_engine(town.tables())
    question = complete(Leaving, asked(), {})
    row = {"reason": "Too expensive"}
    assert drill(Leaving(), expressions(), question, run, table="reasons", row=row) == [3]
