"""For whom a treatment works, in worlds where the truth is known."""

import msgspec
import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import load_file_estimates
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.uplift.judging import judge, qini, rank
from amity.analysis.logic.uplift.learners import LEARNERS, Trial, learn_effects
from amity.analysis.logic.uplift.randomness import check_draw
from amity.analysis.logic.uplift.reading import Given, advise, make_matrices, read_trial
from amity.analysis.logic.uplift.regressions import Sum
from amity.kernel.errors import Invalid
from amity.testing.file_estimates_kit import run_on, write_example


def number(name, values):
    return Column(name=name, kind="number", values=np.asarray(values, np.float64))


def world(rng, rows=600, *, effect=lambda one, two: one, chance=0.5):
    one, two = rng.normal(size=rows), rng.normal(size=rows)
    chances = np.full(rows, chance) if np.isscalar(chance) else chance(one)
    treated = (rng.random(rows) < chances) * 1.0
    truth = effect(one, two)
    outcome = 1 + one + 0.5 * two + treated * truth + rng.normal(size=rows)
    given = Given(
        columns=[number("one", one), number("two", two)],
        treated=treated,
        outcome=outcome,
        chance=chances,
    )
    return given, truth


def as_trial(given):
    return Trial(
        matrices=make_matrices(given.columns),
        treated=given.treated,
        outcome=given.outcome,
        chance=given.chance,
    )


@pytest.fixture(scope="module")
def many():
    """Verdicts of many trials in which the effect is one column, beside the truth of each."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        given, truth = world(rng, effect=lambda one, two: one)
        effects = learn_effects(as_trial(given), rng, "linear")
        found.append((judge(effects, 0.0, rng), effects, truth))
    return found


def test_intervals_hold_the_truth_as_often_as_they_say(many):
    """The mean effect is 0; a learnt ranking's own Qini is known from the true effects."""
    mean = sum(one.mean_effect.low <= 0 <= one.mean_effect.high for one, _, _ in many)
    assert mean >= 52
    area = 0
    for verdict, effects, truth in many:
        said = effects.said[verdict.learner]
        held = next(each.qini for each in verdict.learners if each.learner == verdict.learner)
        area += held.low <= qini(truth, rank(said, effects.fold)).value <= held.high
    assert area >= 52
    groups = [
        (group, truth[rank(effects.said[verdict.learner], effects.fold) * 5 // 100 == place].mean())
        for verdict, effects, truth in many
        for place, group in enumerate(verdict.groups)
    ]
    held = sum(group.actual_low <= true <= group.actual_high for group, true in groups)
    assert 0.9 <= held / len(groups) <= 0.985


def test_effects_that_differ_are_found_and_the_best_share_is_among_those_said(many):
    assert all(verdict.heterogeneity_p_value < 0.001 for verdict, _, _ in many)
    shares = [verdict.share for verdict, _, _ in many]
    assert sum(share.low <= 0.5 <= share.high for share in shares) >= 55
    assert np.mean([share.high - share.low for share in shares]) < 0.6
    slopes = [verdict.slope.value for verdict, _, _ in many]
    assert np.mean(slopes) == pytest.approx(1, abs=0.05)


def test_every_learner_comes_near_the_true_effects(many):
    for name in LEARNERS:
        near = [np.corrcoef(effects.said[name], truth)[0, 1] for _, effects, truth in many]
        assert np.mean(near) > 0.95


def test_an_effect_that_is_the_same_for_all_is_not_said_to_differ():
    """And the intervals of the area and of the slope hold nothing, though folds go together."""
    rng = np.random.default_rng(2)
    wrong = area = slope = 0
    for _ in range(60):
        given, _ = world(rng, effect=lambda one, two: 0.5 + 0 * one)
        verdict = judge(learn_effects(as_trial(given), rng, "linear"), 0.0, rng)
        wrong += verdict.heterogeneity_p_value < 0.05
        held = next(each.qini for each in verdict.learners if each.learner == verdict.learner)
        area += held.low <= 0 <= held.high
        slope += verdict.slope.low <= 0 <= verdict.slope.high
    assert wrong <= 6
    assert min(area, slope) >= 54


def test_different_chances_leave_the_mean_effect_unbiased():
    """Who would spend more anyway is treated more often; the naive difference is far off."""
    rng = np.random.default_rng(3)
    inside, off = 0, []
    for _ in range(40):
        given, _ = world(
            rng,
            effect=lambda one, two: 0.5 + 0 * one,
            chance=lambda one: 1 / (1 + np.exp(-one)),
        )
        is_treated = given.treated == 1
        off.append(given.outcome[is_treated].mean() - given.outcome[~is_treated].mean() - 0.5)
        mean = judge(learn_effects(as_trial(given), rng, "linear"), 0.0, rng).mean_effect
        inside += mean.low <= 0.5 <= mean.high
    assert np.mean(off) > 0.5
    assert inside >= 34


def test_trees_find_an_effect_that_turns():
    rng = np.random.default_rng(4)
    given, truth = world(rng, 1_500, effect=lambda one, two: 2.0 * (np.abs(one) < 0.7) - 1)
    found = read_trial(given, rng)
    said = found.effects.said[found.verdict.learner]
    assert found.effects.base == "trees"
    assert found.differs
    assert np.corrcoef(said, truth)[0, 1] > 0.7
    assert found.verdict.share.low <= 0.516 <= found.verdict.share.high
    assert found.draw.balance_auc.low < 0.5 < found.draw.balance_auc.high
    assert advise(found, 0.0).startswith("It works for some more than for others: treat the")


def test_where_nothing_differs_the_advice_is_all_or_nobody():
    rng = np.random.default_rng(5)
    given, _ = world(rng, effect=lambda one, two: 1.0 + 0 * one)
    found = read_trial(given, rng, base="linear")
    assert not found.differs
    assert advise(found, 0.0).endswith("treat everybody.")
    assert advise(found, 3.0).endswith("treat nobody.")


def test_a_treatment_that_can_be_told_beforehand_is_refused():
    rng = np.random.default_rng(6)
    given, _ = world(rng, 2_000, chance=lambda one: np.where(one > 0, 0.6, 0.4))
    declared = msgspec.structs.replace(given, chance=np.full(2_000, 0.5))
    with pytest.raises(Refused, match="not drawn at random as declared"):
        read_trial(declared, rng)
    check_draw(given.columns, given.treated, given.chance, rng)


def test_one_outcome_that_weighs_more_than_all_others_is_told():
    rng = np.random.default_rng(15)
    given, _ = world(rng, 400)
    outcome = given.outcome.copy()
    outcome[np.flatnonzero(given.treated == 0)[0]] = 9_000.0
    whale = msgspec.structs.replace(given, outcome=outcome)
    told = read_trial(whale, np.random.default_rng(16), base="linear").warnings
    assert any("one unit of those not treated (9,000) makes" in each for each in told)
    plain = read_trial(given, np.random.default_rng(16), base="linear").warnings
    assert not any("one unit" in each for each in plain)


def test_a_true_draw_is_hardly_ever_refused():
    rng = np.random.default_rng(7)
    chances = []
    for _ in range(12):
        given, _ = world(rng, 400)
        draw, _ = check_draw(given.columns, given.treated, given.chance, rng)
        chances.append(draw.balance_p_value)
    assert min(chances) > 0.001
    assert 0.2 < np.mean(chances) < 0.8


def test_rows_that_are_missing_from_an_arm_are_noticed():
    rng = np.random.default_rng(8)
    given, _ = world(rng, 2_000)
    with pytest.raises(Refused, match="2,000 rows 979 were treated where 800 were to be"):
        check_draw(given.columns, given.treated, np.full(2_000, 0.4), rng)
    _, warnings = check_draw(given.columns, given.treated, given.treated * 0.0 + 0.5, rng)
    assert not warnings


@pytest.mark.parametrize("arm", [0, 1])
def test_a_few_rows_of_a_kind_that_are_all_of_one_arm_are_refused_by_name(arm):
    rng = np.random.default_rng(12)
    given, _ = world(rng, 2_000)
    place = (np.arange(2_000) < 16) * 1.0
    shop = Column(name="shop", kind="level", values=place, levels=["town", "pier"])
    columns = [*given.columns, shop]
    check_draw(columns, given.treated, given.chance, np.random.default_rng(13))
    treated = np.where(place == 1, arm, given.treated)
    said = ("none", "all")[arm]
    with pytest.raises(Refused, match=f"overlap missing: {said} of the 16 rows in which 'shop' is"):
        check_draw(columns, treated, given.chance, np.random.default_rng(13))
    known = number("asked", np.where(place == 1, 1.0, np.nan))
    with pytest.raises(Refused, match=f"{said} of the 16 rows in which 'asked' is known"):
        check_draw([*given.columns, known], treated, given.chance, np.random.default_rng(13))


def test_chances_near_the_edge_are_told():
    rng = np.random.default_rng(9)
    given, _ = world(rng, 1_500, chance=lambda one: np.where(one > 0, 0.03, 0.5))
    _, warnings = check_draw(given.columns, given.treated, given.chance, rng)
    assert warnings[0].startswith("overlap missing:")


def test_the_sum_is_least_squares_where_there_is_much_to_learn_from():
    rng = np.random.default_rng(10)
    matrix = np.column_stack([rng.normal(size=500), 100 + 50 * rng.normal(size=500), np.ones(500)])
    target = matrix @ [2.0, 0.1, 5.0] + rng.normal(0, 0.1, 500)
    wanted = matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
    np.testing.assert_allclose(Sum(matrix, target).predict(matrix), wanted, atol=0.01)
    noise = Sum(matrix[:60], rng.normal(size=60))
    assert np.ptp(noise.predict(matrix)) < 1.5


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({"random": None}, Refused, "declare the chance"),
        ({"propensity": "visits"}, Invalid, "not both"),
        ({"treatment": "plan"}, Invalid, "--treated"),
        ({"id": "plan"}, Refused, "another row"),
    ],
)
def test_what_a_file_must_declare(tmp_path, change, kind, reason):
    estimate = load_file_estimates()["uplift"]
    example = estimate.example(np.random.default_rng(11), 300)
    path = write_example(tmp_path / "trial.csv", example)
    with pytest.raises(kind, match=reason):
        run_on(estimate, path, {**example.options, **change})
