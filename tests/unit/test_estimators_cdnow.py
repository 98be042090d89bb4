"""The published parameters of the CDNOW data come out (Fader & Hardie 2005, 2013).

The data are read as a file from the installed package `lifetimes`, which cannot be imported.
"""

import importlib.metadata
from datetime import date

import numpy as np
import pytest

from amity.analysis.estimator import Transactions
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic.calibration import calibrate
from amity.analysis.logic.transactions import summarise

EPOCH = date(1970, 1, 1)
CALIBRATION_END = (date(1997, 9, 30) - EPOCH).days
OBSERVATION_END = (date(1998, 6, 30) - EPOCH).days


@pytest.fixture(scope="module")
def cdnow():
    package = importlib.metadata.distribution("Lifetimes")
    lines = package.locate_file("lifetimes/datasets/CDNOW_sample.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    return Transactions(
        customer_id=np.array([int(row[1]) for row in rows]),
        day=np.array([(date.fromisoformat(row[2]) - EPOCH).days for row in rows]),
        amount=np.array([round(float(row[4]) * 100) for row in rows]),
    )


@pytest.fixture(scope="module")
def histories(cdnow):
    return summarise(cdnow, until=CALIBRATION_END)


def test_summary_is_the_published_one(cdnow, histories):
    assert (len(cdnow.day), len(histories)) == (6919, 2357)
    assert (np.count_nonzero(histories.frequency), histories.frequency.sum()) == (946, 2457)
    first = histories.take(np.array([0]))
    assert first.frequency[0] == 2
    assert round(first.recency_days[0] / 7, 2) == 30.43
    assert round(first.age_days[0] / 7, 2) == 38.86
    assert first.spend[0] == 22.35


def test_bgnbd_gives_the_published_parameters(histories):
    fit = BgNbd(unit_days=7).fit(histories)
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    assert {name: round(value, 3) for name, value in fit.parameters.items()} == published
    assert round(fit.log_likelihood, 1) == -9582.4
    assert fit.warnings == []
    assert set(fit.standard_errors) == set(published)


def test_gamma_gamma_gives_the_published_parameters(histories):
    fit = GammaGamma(unit_days=7).fit(histories)
    assert fit.customers == 946
    assert [round(value, 2) for value in fit.parameters.values()] == [6.25, 3.74, 15.45]
    assert 0.1 < fit.details["correlation_frequency_spend"] < 0.13


def test_expected_purchases_are_the_published_ones(histories):
    # The paper's worked example: customer 1, x=2, t_x=30.43, T=38.86, over 39 weeks.
    fit = BgNbd(unit_days=7).fit(histories)
    columns = BgNbd(unit_days=7).predict(fit, histories, horizon_days=39 * 7).columns
    assert columns["expected_purchases"].value[0] == pytest.approx(1.226, abs=5e-4)
    assert columns["p_alive"].value[0] == pytest.approx(0.7266, abs=5e-5)


def test_days_and_weeks_predict_the_same(histories):
    weekly = BgNbd(unit_days=7).fit(histories)
    daily = BgNbd(unit_days=1).fit(histories)
    assert daily.parameters["alpha"] == pytest.approx(7 * weekly.parameters["alpha"], rel=1e-6)
    repeat = histories.frequency.sum()
    assert daily.log_likelihood == pytest.approx(weekly.log_likelihood - repeat * np.log(7))


def test_holdout_is_predicted(cdnow):
    found = calibrate(cdnow, until=OBSERVATION_END)
    assert found.customers == sum(group.customers for group in found.groups) == 2357
    assert found.actual_purchases == sum(
        round(group.actual * group.customers) for group in found.groups
    )
    assert abs(found.error_rate) < 0.15
    assert found.mean_absolute_error < found.naive_mean_absolute_error
    assert found.correlation > 0.5
    assert 0.8 <= found.interval_coverage <= 1
    predicted = [group.predicted for group in found.groups]
    assert predicted == sorted(predicted)
