"""Who is likely to do a thing: against scikit-learn's own numbers, and where the truth is known."""

import math

import numpy as np
import pytest
from sklearn import metrics

from amity.analysis.estimator import Refused
from amity.analysis.logic.learning.calibrating import Curve, Steps, expit
from amity.analysis.logic.learning.columns import Column, type_columns
from amity.analysis.logic.learning.measures import auc, auc_interval, measure, recalibrate
from amity.analysis.logic.learning.models import fit_adding, fit_trees
from amity.analysis.logic.learning.moments import History, sort_facts
from amity.analysis.logic.learning.predicting import predict
from amity.analysis.logic.learning.propensity import learn, list_reasons, refuse_too_little, tell
from amity.analysis.logic.learning.splitting import split_rows
from amity.analysis.logic.learning.watching import IMPLAUSIBLE_AUC, auc_of_one, drift_of, watch

DAY = 86_400.0


def number(name, values):
    return Column(name=name, kind="number", values=np.asarray(values, np.float64))


def world(rng, rows=3_000, *, is_curved=False):
    """Customers whose probability is known: two columns matter, one does not, one is a kind."""
    visits, months = rng.poisson(4, rows) * 1.0, rng.gamma(2.0, 10.0, rows)
    kind = rng.integers(0, 3, rows)
    if is_curved:
        logit = np.where((visits > 4) ^ (months > 16), 1.5, -2.0)
    else:
        logit = -1.5 + 0.4 * visits - 0.04 * months + np.array([0.0, 1.0, -1.0])[kind]
    probability = expit(logit)
    columns = [
        number("visits", np.where(rng.random(rows) < 0.1, np.nan, visits)),
        number("months", months),
        number("noise", rng.normal(size=rows)),
        Column(name="plan", kind="level", values=kind * 1.0, levels=["basic", "plus", "old"]),
    ]
    label = (rng.random(rows) < probability) * 1.0
    return columns, label, np.arange(rows) * DAY, probability


@pytest.fixture(scope="module")
def learnt():
    rng = np.random.default_rng(1)
    columns, label, seconds, probability = world(rng)
    return learn(columns, label, seconds, rng), columns, label, probability


@pytest.fixture(scope="module")
def curved():
    rng = np.random.default_rng(2)
    columns, label, seconds, probability = world(rng, is_curved=True)
    return learn(columns, label, seconds, rng), columns, probability


def test_figures_are_those_scikit_learn_has():
    rng = np.random.default_rng(3)
    probability = np.round(rng.random(800), 2)
    label = (rng.random(800) < probability) * 1.0
    found = measure(probability, label)
    assert found.auc.value == pytest.approx(metrics.roc_auc_score(label, probability))
    assert auc(probability, label) == pytest.approx(found.auc.value)
    assert found.brier == pytest.approx(metrics.brier_score_loss(label, probability))
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    assert found.log_loss == pytest.approx(metrics.log_loss(label, clipped))
    assert sum(group.customers for group in found.groups) == 800
    assert found.calibration_error < 0.06


def test_slope_and_intercept_tell_how_sure_probabilities_are():
    """Exact ones have 1 and 0, those twice as sure a half, those too low an intercept above 0."""
    rng = np.random.default_rng(12)
    held = {"slope": 0, "intercept": 0, "sure": 0, "low": 0}
    for _ in range(40):
        logit = rng.normal(-1, 1.2, 400)
        label = (rng.random(400) < expit(logit)) * 1.0
        slope, intercept = recalibrate(expit(logit), label)
        held["slope"] += slope.low <= 1 <= slope.high
        held["intercept"] += intercept.low <= 0 <= intercept.high
        slope, _ = recalibrate(expit(2 * logit), label)
        held["sure"] += slope.low <= 0.5 <= slope.high < 1
        _, intercept = recalibrate(expit(logit - 0.7), label)
        held["low"] += intercept.low <= 0.7 <= intercept.high
    assert min(held.values()) >= 34
    flat, intercept = recalibrate(np.full(400, 0.5), label)
    assert flat is None
    assert intercept.value == pytest.approx(np.log(label.mean() / (1 - label.mean())))
    parted = recalibrate(np.where(label == 1, 0.9, 0.1), label)
    assert parted[0] is None


def test_the_interval_of_the_auc_covers_what_many_rows_show():
    rng = np.random.default_rng(4)
    truth = 0.5 * math.erfc(-1 / 2)  # two normals of one spread, one of them 1 higher
    inside = 0
    for _ in range(300):
        label = np.repeat([0.0, 1.0], [120, 60])
        found = auc_interval(rng.normal(size=180) + label, label)
        inside += found.low <= truth <= found.high
    assert 0.91 <= inside / 300 <= 0.985
    perfect = auc_interval(np.arange(20.0), np.repeat([0.0, 1.0], 10))
    assert perfect.value == 1
    assert perfect.low <= 1 <= perfect.high


def test_a_sum_is_found_by_the_model_that_adds_up(learnt):
    found, columns, _, probability = learnt
    assert found.chosen.model == "logistic_regression"
    assert found.split == "time"
    told = tell(found, columns)
    assert np.corrcoef(told.probability, probability)[0, 1] > 0.93
    assert np.mean(np.abs(told.probability - probability)) < 0.05
    assert list(found.weight)[-1] == "noise"
    assert not found.warnings


def test_what_does_not_add_up_is_found_by_trees(curved):
    found, columns, probability = curved
    assert found.chosen.model == "boosted_trees"
    assert found.quality.auc.value > found.other.quality.auc.value + 0.15
    assert np.mean(np.abs(tell(found, columns).probability - probability)) < 0.12


def test_what_is_said_happens(learnt, curved):
    for found in (learnt[0], curved[0]):
        inside = sum(
            group.actual_low <= group.predicted <= group.actual_high
            for group in found.quality.groups
        )
        assert inside >= len(found.quality.groups) - 2
        assert found.quality.brier < found.quality.brier_of_base_rate
        assert found.quality.top_decile_lift.low > 1.3


def test_reasons_of_the_sum_add_up_to_the_logit(learnt):
    found, columns, _, _ = learnt
    parts = found.model.contributions(columns)
    logit = found.model.logit(columns)
    np.testing.assert_allclose(np.ptp(parts.sum(axis=1) - logit), 0, atol=1e-9)
    reasons = list_reasons(found, columns)
    best = int(np.argmax(parts[:, 3]))
    assert any(reason.startswith("plan plus (+") for reason in reasons[best])


def test_reasons_of_trees_are_what_one_feature_at_its_usual_value_changes(curved):
    found, columns, _ = curved
    some = [column.take(np.arange(50)) for column in columns]
    parts = found.model.contributions(some)
    usual = np.nanmedian(columns[1].take(np.arange(2_100)).values)
    at_usual = [*some[:1], number("months", np.full(50, usual)), *some[2:]]
    wanted = found.model.logit(some) - found.model.logit(at_usual)
    np.testing.assert_allclose(parts[:, 1], wanted, atol=1e-9)


def test_deciles_are_tenths_and_every_row_is_told_of(learnt):
    found, columns, _, _ = learnt
    told = tell(found, columns)
    assert np.bincount(told.decile)[1:].tolist() == [300] * 10
    assert np.all((told.low <= told.probability) & (told.probability <= told.high))


def test_the_same_rows_teach_the_same():
    columns, label, seconds, _ = world(np.random.default_rng(5), 900)
    once, again = (learn(columns, label, seconds, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(tell(once, columns).probability, tell(again, columns).probability)
    assert once.chosen == again.chosen


def test_curves_and_steps_never_fall_and_never_say_certain():
    rng = np.random.default_rng(7)
    logit = rng.normal(0, 3, 2_000)
    label = (rng.random(2_000) < expit(0.5 * logit - 1)) * 1.0
    at = np.linspace(-20, 20, 200)
    for made in (Curve.fit(logit, label), Steps.fit(logit, label)):
        probability = made.probability(at)
        assert np.all(np.diff(probability) >= 0)
        assert np.all((probability > 0) & (probability < 1))
        assert np.mean(np.abs(made.probability(logit) - expit(0.5 * logit - 1))) < 0.03
    curve = Curve.fit(logit, label)
    assert (curve.slope, curve.offset) == (pytest.approx(0.5, abs=0.06), pytest.approx(-1, abs=0.2))
    parted = Curve.fit(np.array([-1.0, -2, 1, 2]), np.array([0.0, 0, 1, 1]))
    assert 0 < parted.slope < 100


def test_a_leak_a_drift_and_a_moved_base_rate_are_told():
    rng = np.random.default_rng(8)
    columns, label, seconds, _ = world(rng, 2_000)
    late = np.arange(2_000) >= 1_700
    flipped = np.where(late & (rng.random(2_000) < 0.4), 1.0, label)
    leaky = [
        *columns,
        number("refund", flipped * 10 + rng.normal(0, 1, 2_000)),
        number("closed_days", np.where(flipped == 1, rng.random(2_000), np.nan)),
        number("moving", rng.normal(size=2_000) + 2 * late),
    ]
    split = split_rows(flipped, seconds, rng)
    told = " ".join(watch(leaky, flipped, split).warnings)
    assert "leakage suspected: 'refund' alone tells the answer" in told
    assert "leakage suspected: 'closed_days' alone" in told
    assert "drift: 'moving' (PSI" in told
    assert "'months'" not in told
    assert "the base rate moved" in told
    assert watch(columns, label, split_rows(label, seconds, rng)).warnings == []


def test_one_column_is_judged_by_rows_it_was_not_read_off():
    """A kind with hardly a row each must not look as if it told the answer."""
    rng = np.random.default_rng(9)
    label = rng.integers(0, 2, 600) * 1.0
    names = [f"n{place}" for place in range(300)]
    scattered = Column(
        name="name", kind="level", values=rng.integers(0, 300, 600) * 1.0, levels=names
    )
    assert auc_of_one(scattered, label) < 0.6
    assert drift_of(scattered, np.arange(300), np.arange(300, 600)) < 0.25


def test_time_splits_keep_moments_together_and_the_last_rows_judge():
    label = np.tile([0.0, 1.0], 500)
    seconds = np.repeat(np.arange(10), 100) * DAY
    split = split_rows(label, seconds, np.random.default_rng(0))
    assert seconds[split.learn].max() < seconds[split.choose].min()
    assert seconds[split.choose].max() < seconds[split.judge].min()
    drawn = split_rows(label, None, np.random.default_rng(0))
    assert drawn.kind == "random"
    assert sorted(np.concatenate([drawn.learn, drawn.choose, drawn.judge])) == list(range(1_000))


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ([1, 0] * 6, "12 rows"),
        ([0] * 500, "nobody did it"),
        ([1] * 500, "everybody did it"),
        ([1] * 30 + [0] * 500, "only 30 did it"),
    ],
)
def test_too_little_is_refused(label, reason):
    with pytest.raises(Refused, match=reason):
        refuse_too_little(np.array(label, np.float64))


def test_columns_that_say_nothing_about_it_are_refused():
    rng = np.random.default_rng(11)
    label = rng.integers(0, 2, 800) * 1.0
    with pytest.raises(Refused, match="told from guessing"):
        learn([number("noise", rng.normal(size=800))], label, np.arange(800) * DAY, rng)
    with pytest.raises(Refused, match="no column"):
        learn([], label, None, rng)


def test_columns_are_told_apart_by_what_they_hold():
    rows = 100
    texts = {
        "customer_id": [str(1_000 + place) for place in range(rows)],
        "email": [f"c{place}@shop.example" for place in range(rows)],
        "country": ["DE", "FR"] * 50,
        "age": [*map(str, range(96)), "old", "", "n/a", "31"],
        "since": ["2024-01-01", "2024-03-01"] * 50,
        "always": ["yes"] * rows,
        "empty": [""] * rows,
    }
    seconds = np.full(rows, 1_706_745_600.0)  # 2024-02-01
    typed = type_columns(texts, seconds)
    kinds = {column.name: column.kind for column in typed.columns}
    assert kinds == {"country": "level", "age": "number", "since": "number"}
    assert set(typed.left_out) == {"customer_id", "email", "always", "empty"}
    told = " ".join(typed.warnings)
    assert "'age' is text in 1 rows" in told
    assert "in 50% of the rows the date 'since' lies after" in told
    since = next(column for column in typed.columns if column.name == "since")
    assert since.values[:2].tolist() == [31.0, -29.0]


def test_levels_never_seen_and_far_numbers_do_no_harm():
    rng = np.random.default_rng(12)
    columns, label, _, _ = world(rng, 600)
    model = fit_adding(columns, label, strength=1.0).model
    odd = [
        number("visits", [np.nan, 1e12]),
        number("months", [-1e12, 5]),
        number("noise", [0, np.nan]),
        Column(name="plan", kind="level", values=np.array([0.0, 1.0]), levels=["", "gold"]),
    ]
    assert np.all(np.isfinite(model.logit(odd)))


def test_a_first_time_is_learnt_from_and_said_of_those_who_never_did_it():
    """Who looks often orders sooner; the first order is all that is asked for."""
    rng = np.random.default_rng(4)
    day, now = 86_400, 400 * 86_400
    views, orders = [], []
    for who in range(500):
        keen = who % 2 == 0
        views += [(who, now - int(at * day)) for at in rng.uniform(0, 200, 12 if keen else 3)]
        first = rng.exponential(120 if keen else 700)
        if first < 200:
            orders += [(who, now - int((200 - first) * day)), (who, now - day)]
    history = History(
        events={"view": sort_facts(*np.array(views).T)},
        orders=sort_facts(*np.array(orders).T, amount=np.ones(len(orders))),
        traits={},
        earlier=np.arange(0, 500, 50),
    )
    found = predict(
        history,
        history.orders,
        horizon_days=30,
        now_second=now,
        members=None,
        rng=rng,
        is_first=True,
    )
    done = {who for who, _ in orders} | set(range(0, 500, 50))
    assert not done & set(found.customer.tolist())
    assert len(found.customer) == len({who for who, _ in views} - done)
    keen = found.customer % 2 == 0
    assert found.told.probability[keen].mean() > 2 * found.told.probability[~keen].mean()
    assert found.learnt.rows["learn"] < 500 * 4


def test_trees_learn_beside_a_column_of_which_hardly_anything_is_known():
    rng = np.random.default_rng(1)
    values = rng.normal(size=400)
    label = (values + rng.normal(size=400) > 0) * 1.0
    unknown = np.full(400, np.nan)
    unknown[7] = 3.0
    columns = [
        Column(name="a", kind="number", values=values),
        Column(name="b", kind="number", values=unknown),
    ]
    told = fit_trees(columns, label, seed=1, rounds=10).model.logit(columns)
    assert auc(told, label) > 0.7


def test_few_rows_in_which_nothing_moved_are_not_said_to_drift():
    """Chance alone makes the stability index of 40 rows large; what truly moved is still told."""
    rng = np.random.default_rng(31)
    told = {"still": 0, "moved": 0}
    for _ in range(60):
        columns, label, seconds, _ = world(rng, 250)
        late = np.arange(250) >= 212
        columns.append(number("moving", rng.normal(size=250) + 4 * late))
        split = split_rows(label, seconds, rng)
        warnings = " ".join(watch(columns, label, split).warnings)
        told["moved"] += "'moving'" in warnings
        told["still"] += any(f"'{name}'" in warnings for name in ("visits", "months", "noise"))
    assert told["moved"] == 60
    assert told["still"] <= 3


@pytest.mark.parametrize(
    ("wrong", "is_told"), [pytest.param(0.1, True, id="a tenth"), pytest.param(0.3, False, id="3")]
)
def test_the_answer_by_another_name_is_suspected_though_some_rows_are_wrong(wrong, is_told):
    rng = np.random.default_rng(32)
    columns, label, seconds, _ = world(rng, 2_000)
    status = np.where(rng.random(2_000) < wrong, 1 - label, label)
    kind = Column(name="status", kind="level", values=status, levels=["here", "gone"])
    split = split_rows(label, seconds, rng)
    for column in (kind, number("status", np.where(rng.random(2_000) < 0.1, np.nan, status))):
        warnings = watch([*columns, column], label, split).warnings
        assert any("'status'" in each for each in warnings) is is_told


@pytest.mark.parametrize(
    ("noise", "is_told"), [pytest.param(1.2, True, id="noisy"), pytest.param(4.0, False, id="far")]
)
def test_a_noisy_copy_of_the_answer_stands_out_from_the_other_columns(noise, is_told):
    rng = np.random.default_rng(34)
    columns, label, seconds, _ = world(rng, 2_000)
    copy = np.exp(2 * label + noise * rng.normal(size=2_000))
    split = split_rows(label, seconds, rng)
    told = watch([*columns, number("score", copy)], label, split)
    assert told.auc_alone["score"] < IMPLAUSIBLE_AUC
    assert any("'score' alone tells the answer far better" in each for each in told.warnings) is (
        is_told
    )
    # Beside another that tells as much it is but one of several facts.
    like = np.exp(2 * label + noise * rng.normal(size=2_000))
    both = watch([*columns, number("score", copy), number("like", like)], label, split)
    assert not any("far better" in each for each in both.warnings)


def test_columns_that_tell_the_answer_only_together_are_suspected():
    rng = np.random.default_rng(33)
    columns, label, seconds, _ = world(rng, 400)
    before = rng.normal(0, 3, 400)
    after = before + np.where(label == 1, -1, 1) * (0.3 + rng.random(400))
    made = learn([*columns, number("before", before), number("after", after)], label, seconds, rng)
    assert any("together tell the answer" in each for each in made.warnings)
