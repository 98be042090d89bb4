"""Satisfaction: three figures by their definitions, latest answers, posts, and who answers."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.behaviour.opinions import camp_bounds, camp_of, sum_up
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.satisfaction import Satisfaction
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def asked(**choices):
    return msgspec.structs.replace(ASKED, granularity="month", choices=choices)


def answer(town, customer_id, value, *, days=0, kind="nps", **more):
    properties = {"kind": kind, "answer": value} | more
    town.event(customer_id, "Survey Answered", DAY + timedelta(days=days), properties)


@pytest.fixture(scope="module")
def town():
    made = Town()
    for customer_id in range(1, 6):
        made.customer(customer_id)
    answer(made, 1, 3, post="delivery")
    answer(made, 1, 10, days=1, post="delivery")
    answer(made, 2, 9, post="delivery")
    answer(made, 3, 6, post="call")
    answer(made, 4, 8, days=31)
    answer(made, 5, 11)
    answer(made, 5, "ten", days=1)
    answer(made, 5, 5, kind="csat")
    made.event(1, "Survey Asked", DAY - timedelta(days=1), {"kind": "nps", "post": "delivery"})
    made.event(5, "Survey Asked", DAY - timedelta(days=1), {"kind": "nps", "post": "delivery"})
    return made


def test_the_latest_answer_of_each_customer_counts(town):
    found = find(Satisfaction, town, asked=asked())
    figures = {figure.name: figure.value for figure in found.figures}
    # Promoters 1 and 2, detractor 3, and 4 in between.
    assert figures["figure"] == pytest.approx(25)
    assert figures["answers"] == 4
    assert figures["response"] == 0.5
    posts = {row[0]: row[1:4] for row in found.table("posts").rows}
    assert posts == {
        "delivery": (2, 2, 100),
        "call": (None, 1, -100),
        "(not said)": (None, 1, 0),
    }
    assert [row[1:3] for row in found.table("periods").rows] == [
        (3, pytest.approx(100 / 3)),
        (1, 0),
    ]
    assert any("2 answers are left out" in note for note in found.notes)
    assert any("takes at least 30" in note for note in found.notes)


def test_who_thinks_badly_can_be_named(town):
    run = duckdb_engine(town.tables())
    question = complete(Satisfaction, asked(), {})
    for camp, wanted in (("well", [1, 2]), ("between", [4]), ("badly", [3])):
        row = {"camp": camp}
        ids = drill(Satisfaction(), expressions(), question, run, table="camps", row=row)
        assert ids == wanted, camp


def test_each_figure_is_that_of_its_name():
    rows = [{"value": value, "customers": number} for value, number in ((1, 2), (3, 1), (5, 7))]
    assert sum_up(rows, "csat").figure.value == 0.7
    ease = sum_up(rows, "ces").figure
    assert ease.value == pytest.approx(4.0)
    answers = np.repeat([1, 3, 5], [2, 1, 7])
    # Student's quantile of nine degrees.
    half = 2.262157 * answers.std(ddof=1) / np.sqrt(10)
    assert (ease.low, ease.high) == pytest.approx((4 - half, 4 + half))
    assert sum_up([{"value": 9, "customers": 1}], "nps").figure.low is None
    assert sum_up([], "nps").figure.value is None


@pytest.mark.parametrize("kind", ["nps", "csat", "ces"])
def test_camps_hold_every_answer_once(kind):
    for camp in ("well", "between", "badly"):
        low, high = camp_bounds(camp, kind)
        assert {camp_of(value, kind) for value in range(low, high + 1)} == {camp}


def test_it_is_corrected_for_who_answers():
    """Those who ordered much answer often and are pleased; the others seldom, and are not."""
    town = Town()
    rng = np.random.default_rng(3)
    for customer_id in range(1, 301):
        town.customer(customer_id)
        is_keen = customer_id % 2 == 0
        for number in range(4 if is_keen else 1):
            town.order(customer_id, DAY - timedelta(days=20 + number), 1000)
        town.event(customer_id, "Survey Asked", DAY, {"kind": "nps"})
        if rng.random() < (0.8 if is_keen else 0.25):
            answer(town, customer_id, 9 if rng.random() < (0.9 if is_keen else 0.2) else 3, days=1)
    found = {figure.name: figure for figure in find(Satisfaction, town, asked=asked()).figures}
    true = 100 * (2 * (0.9 + 0.2) / 2 - 1)
    assert found["figure"].low > true
    assert found["corrected"].low < true < found["corrected"].high
    assert found["corrected"].value < found["figure"].value
