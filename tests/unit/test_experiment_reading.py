"""The read-out of an experiment, in worlds where the truth is known, and what it refuses."""

import numpy as np
import pytest
from scipy import stats

from amity.analysis.estimator import Refused
from amity.analysis.logic.experiments.adjusting import adjust
from amity.analysis.logic.experiments.comparing import (
    Group,
    Question,
    compare,
    rate_lift,
    relative_lift,
)
from amity.analysis.logic.experiments.reading import Design, find_control, read_experiment
from amity.analysis.logic.experiments.units import Units, gather
from amity.kernel.errors import Invalid
from amity.kernel.lift import Arm, revenue_difference


def arm(customers, converted):
    return Arm(customers=customers, converted=converted, spent=[1.0] * converted)


def units(rng, *, effect=0.0, size=2_000, arms=2, before=True):
    drawn = rng.integers(0, arms, size)
    past = rng.gamma(2.0, 10.0, size)
    outcome = past + rng.normal(0, 5, size) + np.where(drawn > 0, effect, 0.0)
    return Units(arm=drawn, outcome=outcome, before=past if before else None)


def design(arms=("control", "letter"), **more):
    given = {"kind": "continuous", "control": "control", **more}
    return Design(arms=list(arms), **given)


@pytest.mark.parametrize(("one", "other"), [((500, 60), (480, 40)), ((90, 9), (1_000, 20))])
def test_a_rates_p_value_is_where_its_interval_touches_zero(one, other):
    found = rate_lift(arm(*one), arm(*other), 0.95)
    at_its_level = rate_lift(arm(*one), arm(*other), 1 - found.p_value)
    assert min(abs(at_its_level.estimate.low), abs(at_its_level.estimate.high)) < 1e-9
    assert found.is_significant == (not found.estimate.low <= 0 <= found.estimate.high)


def test_a_rates_p_value_is_near_that_of_chi_squared_and_keeps_its_tail():
    one, other = (2_000, 260), (2_000, 200)
    wanted = stats.chi2_contingency([[260, 1_740], [200, 1_800]], correction=False).pvalue
    assert rate_lift(arm(*one), arm(*other), 0.95).p_value == pytest.approx(wanted, rel=0.1)
    assert 0 < rate_lift(arm(10_000, 6_000), arm(10_000, 4_000), 0.95).p_value < 1e-100
    assert rate_lift(arm(100, 0), arm(100, 0), 0.95) is None


def test_what_was_known_before_narrows_the_interval_and_keeps_the_truth():
    rng = np.random.default_rng(1)
    inside = narrower = 0
    for _ in range(200):
        drawn = units(rng, effect=2.0, size=400)
        adjusted, found = adjust(drawn.outcome, drawn.before, drawn.arm, "past")
        pair = [Group(name=str(k), values=adjusted[drawn.arm == k], active=2_000) for k in (0, 1)]
        plain = [
            Group(name=str(k), values=drawn.outcome[drawn.arm == k], active=2_000) for k in (0, 1)
        ]
        asked = Question(kind="continuous", level=0.95, is_adjusted=True)
        one = compare(pair[1], pair[0], asked, rng).difference
        other = compare(plain[1], plain[0], asked, rng).difference
        inside += one.low <= 2.0 <= one.high
        narrower += one.high - one.low < 0.5 * (other.high - other.low)
    assert 0.90 <= inside / 200 <= 0.99
    assert narrower == 200
    assert found.slope == pytest.approx(1, abs=0.1)
    assert 0.8 < found.variance_removed < 0.95


def test_units_without_a_past_are_adjusted_for_as_a_kind_of_their_own():
    rng = np.random.default_rng(2)
    drawn = units(rng, effect=2.0, size=4_000)
    new = rng.random(4_000) < 0.3
    outcome = np.where(new, 3.0, drawn.outcome)
    before = np.where(new, np.nan, drawn.before)
    adjusted, found = adjust(outcome, before, drawn.arm, "past")
    assert found.known == np.count_nonzero(~new)
    assert adjusted.var() < 0.3 * outcome.var()
    assert adjusted.mean() == pytest.approx(outcome.mean())


def group(values):
    return Group(name="a", values=values, active=int(np.count_nonzero(values)))


def test_relative_lift_covers_the_truth_and_is_never_at_odds_with_the_difference():
    """Also where a tenth is the control and few spend much, and among rates."""
    rng = np.random.default_rng(3)
    inside = {"even": 0, "uneven": 0, "rates": 0}
    for _ in range(60):
        spent = np.where(rng.random(900) < 0.2, rng.lognormal(3, 1.2, 900), 0.0)
        worlds = {
            "even": (rng.gamma(2, 6, 600), rng.gamma(2, 5, 500), 0.2, "continuous"),
            "uneven": (spent[:800] * 1.5, spent[800:], 0.5, "continuous"),
            "rates": (rng.random(700) < 0.18, rng.random(90) < 0.15, 0.2, "binary"),
        }
        for name, (one, other, truth, kind) in worlds.items():
            arms, question = (group(one * 1.0), group(other * 1.0)), Question(kind=kind, level=0.95)
            if kind == "binary":
                found = rate_lift(arms[0].arm, arms[1].arm, 0.95)
            else:
                found = revenue_difference(arms[0].arm, arms[1].arm, rng, many=500, draws=199)
            ratio = relative_lift(*arms, question, found)
            if ratio is None:
                inside[name] += 1
                continue
            inside[name] += ratio.low <= truth <= ratio.high
            held = found.estimate.low <= 0 <= found.estimate.high
            assert (ratio.low <= 0 <= ratio.high) is held
    assert min(inside.values()) >= 54
    nothing = group(rng.normal(1, 1, 50)), group(rng.normal(0, 1, 50))
    question = Question(kind="continuous", level=0.95)
    found = revenue_difference(nothing[0].arm, nothing[1].arm, rng, many=0)
    assert relative_lift(*nothing, question, found) is None


def test_several_arms_seldom_find_something_where_there_is_nothing():
    """Of five arms that do nothing, one in twenty experiments at most should say otherwise."""
    rng = np.random.default_rng(4)
    arms = ("control", "a", "b", "c", "d", "e")
    wrong = 0
    for _ in range(120):
        drawn = Units(
            arm=rng.integers(0, 6, 1_800), outcome=rng.integers(0, 2, 1_800) * 1.0, before=None
        )
        found, _ = read_experiment(drawn, design(arms, kind="binary"), rng)
        wrong += any(each.is_significant for each in found.comparisons)
    assert wrong / 120 < 0.10
    assert found.level == pytest.approx(0.99)


def test_the_verdict_says_what_could_have_been_seen():
    rng = np.random.default_rng(5)
    seen = 0
    smallest = None
    for _ in range(200):
        one, other = rng.normal(0.4, 1, 150), rng.normal(0, 1, 150)
        groups = [
            Group(name=name, values=v, active=1_500) for name, v in (("a", one), ("b", other))
        ]
        found = compare(*groups, Question(kind="continuous", level=0.95), rng)
        smallest = found.smallest_effect
        seen += found.is_significant
    # 0.4 is somewhat more than what eight of ten such experiments find.
    assert smallest == pytest.approx(2.8 * np.sqrt(2 / 150), rel=0.15)
    assert seen / 200 > 0.8


def test_groups_that_are_not_the_sizes_drawn_carry_no_claim():
    rng = np.random.default_rng(6)
    drawn = units(rng, before=False)
    kept = ~((drawn.arm == 1) & (rng.random(2_000) < 0.2))
    short = Units(arm=drawn.arm[kept], outcome=drawn.outcome[kept], before=None)
    shares = {"control": 0.5, "letter": 0.5}
    with pytest.raises(Refused, match="not the sizes they were drawn to be"):
        read_experiment(short, design(shares=shares), rng)
    found, warnings = read_experiment(drawn, design(shares=shares), rng)
    assert found.sizes_p_value > 0.001
    assert not warnings
    # Undeclared they are no refusal, but what it would mean is said.
    _, warnings = read_experiment(short, design(), rng)
    assert "if they were to be of one size, they are not (control" in " ".join(warnings)
    _, warnings = read_experiment(drawn, design(), rng)
    assert "not declared" in " ".join(warnings)
    assert "one size" not in " ".join(warnings)


def test_one_unit_that_weighs_more_than_all_others_is_told():
    rng = np.random.default_rng(14)
    drawn = units(rng, before=False)
    assert not any("one unit" in each for each in read_experiment(drawn, design(), rng)[1])
    outcome = drawn.outcome.copy()
    outcome[np.flatnonzero(drawn.arm == 1)[0]] = 50_000.0
    whale = Units(arm=drawn.arm, outcome=outcome, before=None)
    _, warnings = read_experiment(whale, design(), rng)
    assert any("one unit of letter (50,000) makes" in each for each in warnings)


def test_a_past_that_differs_between_arms_is_told():
    rng = np.random.default_rng(7)
    drawn = units(rng)
    leaked = Units(arm=drawn.arm, outcome=drawn.outcome, before=drawn.before + 3 * drawn.arm)
    _, warnings = read_experiment(leaked, design(before="past"), rng)
    assert any("'past' differs between the arms" in warning for warning in warnings)
    _, warnings = read_experiment(drawn, design(before="past"), rng)
    assert not any("differs" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda rng: units(rng, size=40, before=False), "at least 30 in each arm"),
        (
            lambda rng: Units(
                arm=np.arange(400) % 2, outcome=(np.arange(400) < 6) * 1.0, before=None
            ),
            "at least 5",
        ),
        (
            lambda rng: Units(arm=np.arange(400) % 2, outcome=np.full(400, 3.0), before=None),
            "outcome is the same",
        ),
    ],
)
def test_what_cannot_carry_a_claim_is_refused(made, reason):
    rng = np.random.default_rng(8)
    with pytest.raises(Refused, match=reason):
        read_experiment(made(rng), design(), rng)


def test_one_arm_and_a_column_of_names_are_no_experiment():
    rng = np.random.default_rng(9)
    with pytest.raises(Refused, match="one arm"):
        read_experiment(units(rng, arms=1), design(("control",)), rng)
    with pytest.raises(Refused, match="right column"):
        read_experiment(units(rng), design([f"c{place}" for place in range(300)]), rng)
    with pytest.raises(Invalid, match="--control"):
        find_control(["letter", "card"])
    assert find_control(["letter", "Control"]) == "Control"


def test_rows_of_one_unit_are_put_together_only_when_said():
    drawn = Units(
        arm=np.array([0, 0, 1, 1]),
        outcome=np.array([1.0, 2.0, 5.0, 0.0]),
        before=np.array([4.0, np.nan, np.nan, 8.0]),
    )
    who = np.array([7, 7, 9, 8])
    with pytest.raises(Refused, match="3 units have 4 rows"):
        gather(drawn, who, "refuse")
    for how, wanted in (("sum", 3.0), ("mean", 1.5), ("max", 2.0), ("first", 1.0)):
        found = gather(drawn, who, how)
        assert found.outcome.tolist() == [wanted, 0.0, 5.0]
        assert found.arm.tolist() == [0, 1, 1]
        np.testing.assert_array_equal(found.before, [4.0, 8.0, np.nan])
    with pytest.raises(Refused, match="1 units stand in more than one arm"):
        gather(drawn, np.array([7, 8, 7, 9]), "sum")
