"""Published figures of the lifetime models come out, and simulated parameters are found again.

The data are read as files from the installed package `lifetimes`, which cannot be imported.
"""

import csv
import importlib.metadata
from datetime import date
from functools import partial

import numpy as np
import pytest
from scipy.special import hyp2f1

from amity.analysis.estimator import Histories, Refused, Transactions
from amity.analysis.estimators.pareto_nbd import ParetoNbd
from amity.analysis.logic.lifetimes import discrete, pareto, renewals
from amity.analysis.logic.newton import maximise
from amity.analysis.logic.transactions import summarise

EPOCH = date(1970, 1, 1)
PACKAGE = importlib.metadata.distribution("Lifetimes")


@pytest.fixture(scope="module")
def histories():
    """The CDNOW sample as of the end of its calibration period."""
    lines = PACKAGE.locate_file("lifetimes/datasets/CDNOW_sample.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    purchases = Transactions(
        customer_id=np.array([int(row[1]) for row in rows]),
        day=np.array([(date.fromisoformat(row[2]) - EPOCH).days for row in rows]),
    )
    return summarise(purchases, until=(date(1997, 9, 30) - EPOCH).days)


@pytest.fixture(scope="module")
def donors():
    """The donors of Fader, Hardie & Shang (2010), with how many there are of each history."""
    with PACKAGE.locate_file("lifetimes/datasets/donations.csv").open() as file:
        rows = list(csv.DictReader(file))
    return discrete.Grouped(
        frequency=np.array([int(row["frequency"]) for row in rows]),
        recency=np.array([int(row["recency"]) for row in rows]),
        periods=np.array([int(row["periods"]) for row in rows]),
        weight=np.array([float(row["weights"]) for row in rows]),
    )


def climb(evaluate, size):
    return maximise(evaluate, np.zeros(size), low=np.full(size, -11.0), high=np.full(size, 9.0))


def check_derivatives(evaluate, point):
    """Gradient and second derivatives are those of the value, by differences."""
    _, gradient, hessian = evaluate(point)
    for place in range(len(point)):
        step = np.zeros(len(point))
        step[place] = 1e-5
        above, below = evaluate(point + step), evaluate(point - step)
        slope = (above[0] - below[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-4)
        bend = (above[1] - below[1]) / 2e-5
        assert np.allclose(hessian[place], bend, atol=1e-6 * np.abs(hessian).max())


def test_pareto_nbd_gives_the_published_parameters(histories):
    fit = ParetoNbd(unit_days=7).fit(histories)
    published = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
    assert {name: round(value, 3) for name, value in fit.parameters.items()} == published
    assert round(fit.log_likelihood, 1) == -9595.0
    assert set(fit.standard_errors) == set(published)


def test_pareto_nbd_derivatives_are_exact(histories):
    grouped, _ = pareto.group(histories, 7)
    check_derivatives(partial(pareto.evaluate, grouped), np.log([0.8, 5.0, 1.3, 20.0]))


@pytest.mark.parametrize(
    "natural", [(0.553, 10.578, 0.606, 11.669), (2, 100.0, 0.1, 0.05), (0.3, 0.02, 2, 30)]
)
def test_the_integral_equals_the_hypergeometric_function_of_the_papers(histories, natural):
    grouped, _ = pareto.group(histories, 7)
    model = pareto.Model(**dict(zip(pareto.NAMES, natural, strict=True)), unit_days=7)
    found, _ = pareto.probability_alive(model, grouped)
    r, alpha, s, beta = natural
    x, total = grouped.frequency, r + s + grouped.frequency
    small, large = min(alpha, beta), max(alpha, beta)
    power = s + 1 if alpha >= beta else r + x

    def part(t):
        ratio = (large - small) / (large + t)
        return (large + t) ** -total * hyp2f1(total, power, total + 1, ratio)

    there = (alpha + grouped.age) ** -(r + x) * (beta + grouped.age) ** -s
    left = s / total * (part(grouped.recency) - part(grouped.age))
    assert np.allclose(found, there / (there + left), rtol=1e-12)


def test_pareto_nbd_expectation_is_the_mean_of_its_distribution(histories):
    model = pareto.Model(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit_days=7)
    grouped, _ = pareto.group(histories.take(np.arange(0, 2357, 60)), 7)
    chances = pareto.count_chances(model, grouped, 39.0, 400)
    mean = (1 - chances).sum(axis=1)
    assert np.allclose(mean, pareto.expect(model, grouped, np.array([39.0])), rtol=1e-4)
    near = [
        pareto.expect(
            pareto.Model(r=1.0, alpha=9.0, s=s, beta=9.0, unit_days=7), grouped, np.array([39.0])
        )
        for s in (1 - 1e-5, 1.0, 1 + 1e-5)
    ]
    assert np.allclose(near[0], near[1], rtol=1e-4)
    assert np.allclose(near[2], near[1], rtol=1e-4)


def test_pareto_nbd_finds_simulated_parameters_within_their_errors():
    rng = np.random.default_rng(3)
    natural = np.array([0.9, 8.0, 0.7, 15.0])
    size, age = 6000, 364
    rate = rng.gamma(natural[0], 1 / natural[1], size)
    stay = np.minimum(rng.exponential(1 / rng.gamma(natural[2], 1 / natural[3], size)), age / 7)
    number = rng.poisson(rate * stay)
    last = np.array([stay[i] * rng.random(n).max(initial=0) for i, n in enumerate(number)])
    fit = ParetoNbd(unit_days=7).fit(
        Histories(
            customer_id=np.arange(size),
            frequency=number.astype(np.int64),
            recency_days=np.rint(last * 7).astype(np.int64),
            age_days=np.full(size, age),
            spend=np.zeros(size),
            total=np.zeros(size),
        )
    )
    for name, true in zip(pareto.NAMES, natural, strict=True):
        assert abs(fit.parameters[name] - true) < 3 * fit.standard_errors[name], name


def test_bgbb_gives_the_published_parameters(donors):
    optimum = climb(partial(discrete.evaluate, donors), 4)
    found = dict(zip(discrete.NAMES, np.exp(optimum.point).round(3).tolist(), strict=True))
    assert found == {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}
    assert round(optimum.value, 1) == -33225.6


def test_bgbb_says_what_the_paper_says_of_donors(donors):
    natural = np.array([1.204, 0.750, 0.657, 2.783])
    expected = discrete.expect(donors, natural, 5)
    told = dict(
        zip(
            zip(donors.frequency.tolist(), donors.recency.tolist(), strict=True),
            expected.round(2).tolist(),
            strict=True,
        )
    )
    assert (told[0, 0], told[6, 6], told[1, 6], told[5, 5]) == (0.07, 3.75, 1.15, 1.81)
    chances = discrete.count_chances(donors, natural, 5)
    assert np.allclose((1 - chances).sum(axis=1), expected)
    assert np.allclose(chances[:, 0], discrete.chance_of_none(donors, natural, 5))


def test_bgbb_derivatives_are_exact(donors):
    check_derivatives(partial(discrete.evaluate, donors), np.log([1.0, 0.9, 0.7, 2.5]))


@pytest.mark.parametrize(
    ("survivors", "published"),
    [
        ((1000, 869, 743, 653, 593, 551, 517, 491), (0.668, 3.806)),
        ((1000, 631, 468, 382, 326, 289, 262, 241), (0.704, 1.182)),
    ],
)
def test_sbg_gives_the_published_parameters(survivors, published):
    lost = -np.diff(np.array(survivors))
    grouped = renewals.group(
        np.append(np.arange(7), 7),
        np.append(np.ones(7, np.int64), 0),
        np.append(lost, survivors[-1]).astype(np.float64),
    )
    evaluate = partial(renewals.evaluate, grouped)
    check_derivatives(evaluate, np.log([0.7, 2.0]))
    natural = np.exp(climb(evaluate, 2).point)
    assert tuple(natural.round(3).tolist()) == published
    told = renewals.survival(natural, np.arange(8)) * 1000
    assert np.abs(told - survivors).max() < 20
    chances = renewals.stays(natural, np.array([0.0, 3.0]), 2)
    whole = renewals.survival(natural, np.array([2, 5])) / renewals.survival(
        natural, np.array([0, 3])
    )
    assert np.allclose(chances, whole)


def test_a_dozen_customers_are_refused(histories):
    with pytest.raises(Refused, match="30 customers, there are 12"):
        ParetoNbd().fit(histories.take(np.arange(12)))
