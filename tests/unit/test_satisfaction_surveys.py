"""Satisfaction of all who were asked, where what the silent would say is known."""

import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.surveys.satisfaction import estimate_satisfaction, values_of


def survey(rng, asked=800, *, by_orders=0.8):
    """Happy customers order more, and who orders more answers more often."""
    orders = rng.poisson(3, asked) * 1.0
    would_say = np.clip(np.round(5.5 + 0.7 * orders + rng.normal(0, 1.5, asked)), 0, 10)
    answered = rng.random(asked) < 1 / (1 + np.exp(0.8 - by_orders * (orders - 3)))
    truth = values_of(would_say, "nps")
    columns = [Column(name="orders", kind="number", values=orders)]
    return np.where(answered, truth, np.nan), truth, columns


def test_the_correction_finds_what_all_would_say_where_the_plain_figure_does_not():
    rng = np.random.default_rng(1)
    # What all would say, over very many.
    true = survey(rng, 400_000)[1].mean()
    corrected = plain = 0
    for _ in range(40):
        values, _, columns = survey(rng)
        found = estimate_satisfaction(values, columns, rng, measure="nps")
        corrected += found.corrected.low <= true <= found.corrected.high
        plain += found.plain.low <= true <= found.plain.high
    assert corrected >= 35
    assert plain <= 10
    assert found.answering_auc.low > 0.6
    assert found.effective < found.answered


def test_where_silence_is_by_chance_the_correction_changes_little():
    rng = np.random.default_rng(2)
    values, _, columns = survey(rng, 2_000, by_orders=0.0)
    found = estimate_satisfaction(values, columns, rng, measure="nps")
    assert found.corrected.value == pytest.approx(found.plain.value, abs=0.06)
    assert found.effective == pytest.approx(found.answered, rel=0.05)


def test_what_answers_count():
    answers = np.array([0.0, 6, 7, 8, 9, 10, np.nan])
    np.testing.assert_array_equal(values_of(answers, "nps"), [-1, -1, 0, 0, 1, 1, np.nan])
    answers = np.array([1.0, 3, 4, 5, np.nan])
    np.testing.assert_array_equal(values_of(answers, "csat"), [0, 0, 1, 1, np.nan])
    with pytest.raises(Refused, match="11"):
        values_of(np.array([3.0, 11]), "nps")


def test_too_few_answers_are_refused_and_silence_that_is_not_there_is_told():
    rng = np.random.default_rng(3)
    values, _, columns = survey(rng, 200)
    with pytest.raises(Refused, match="12 answers"):
        estimate_satisfaction(np.full(12, 1.0), columns, rng, measure="nps")
    answered = values[~np.isnan(values)]
    found = estimate_satisfaction(answered, columns, rng, measure="csat")
    assert found.corrected is None
    assert "every row has an answer" in found.warnings[0]
    found = estimate_satisfaction(values, [], rng, measure="nps")
    assert "nothing is known" in found.warnings[0]


def test_hardly_any_answers_are_told():
    rng = np.random.default_rng(4)
    values, _, columns = survey(rng, 4_000)
    sparse = np.where(rng.random(4_000) < 0.1, values, np.nan)
    found = estimate_satisfaction(sparse, columns, rng, measure="nps")
    assert any("answered" in warning for warning in found.warnings)


@pytest.mark.parametrize(("measure", "said", "end"), [("nps", 1.0, -1.0), ("ces", 4.0, 1.0)])
def test_answers_that_are_all_alike_are_not_taken_for_certain(measure, said, end):
    """A hundred who say the same leave room for a few who would not."""
    rng = np.random.default_rng(5)
    columns = [Column(name="orders", kind="number", values=rng.poisson(3, 200) * 1.0)]
    values = np.where(np.arange(200) % 2 == 0, said, np.nan)
    found = estimate_satisfaction(values, columns, rng, measure=measure)
    room = 0.037 * (said - end)
    for estimate in (found.plain, found.corrected):
        assert estimate.value == pytest.approx(said)
        assert estimate.low == pytest.approx(said - room, rel=0.02)
    assert found.plain.high == (1.0 if measure == "nps" else pytest.approx(4 + 0.037 * 3, rel=0.01))
