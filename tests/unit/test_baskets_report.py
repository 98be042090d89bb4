"""Baskets: counts made by hand, and an interval of the lift that covers what it should."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.behaviour.baskets import measure_lift
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.baskets import Baskets
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def asked(**choices):
    return msgspec.structs.replace(ASKED, choices={"least_together": 1} | choices)


@pytest.fixture(scope="module")
def town():
    made = Town()
    for number, goods in enumerate(("ab", "ab", "abb", "a", "c", "c", "bc", "")):
        customer_id = number % 3 + 1
        made.customer(customer_id)
        products = tuple(
            {"product_id": g, "name": f"Good {g}", "category": g.upper(), "price": 1} for g in goods
        )
        made.order(customer_id, DAY + timedelta(days=number), 100, products=products)
    return made


def test_support_confidence_and_lift_are_those_of_the_definition(town):
    found = find(Baskets, town, asked=asked())
    rules = {
        row[:2]: dict(zip((c.name for c in found.table("rules").columns), row, strict=True))
        for row in found.table("rules").rows
    }
    assert set(rules) == {("A", "B"), ("B", "A"), ("B", "C"), ("C", "B")}
    one = rules["A", "B"]
    # Seven baskets with lines; A in four, B in four, both in three of three customers.
    assert (one["together"], one["customers"]) == (3, 3)
    assert one["support"] == pytest.approx(3 / 7)
    assert one["confidence"] == pytest.approx(3 / 4)
    assert one["lift"] == pytest.approx(3 * 7 / (4 * 4))
    assert rules["C", "B"]["confidence"] == pytest.approx(1 / 3)
    assert {figure.name: figure.value for figure in found.figures}["several"] == pytest.approx(
        4 / 7
    )


def test_products_have_their_names_and_rare_pairs_are_left_out(town):
    found = find(Baskets, town, asked=asked(level="product", least_together=2))
    assert [row[2] for row in found.table("rules").rows] == ["Good a → Good b", "Good b → Good a"]


def test_who_bought_both_can_be_named(town):
    question = complete(Baskets, asked(), {})
    run = duckdb_engine(town.tables())
    row = {"first": "C", "second": "B"}
    assert drill(Baskets(), expressions(), question, run, table="rules", row=row) == [1]


def test_the_interval_of_the_lift_covers_it_nineteen_times_in_twenty():
    rng = np.random.default_rng(11)
    chances = np.array([0.06, 0.14, 0.09, 0.71])
    true = chances[0] / ((chances[0] + chances[1]) * (chances[0] + chances[2]))
    covered = 0
    for both, first, second, none in rng.multinomial(400, chances, size=2000).tolist():
        measure = measure_lift(both, both + first, both + second, 400)
        covered += measure.low <= true <= measure.high
        assert both + first + second + none == 400
    assert 0.935 <= covered / 2000 <= 0.965
