"""The report of funnels: what it counts in a town made by hand."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis.logic.behaviour.steps import Step, read_steps
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.funnel import Funnel
from amity.kernel.errors import Invalid
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
VIEWED, ADDED, BOUGHT = "Product Viewed", "Product Added", "Order Completed"
STEPS = "Product Viewed > Product Added > Order Completed"


def asked(**choices):
    return msgspec.structs.replace(ASKED, choices={"steps": STEPS, "hours": 1} | choices)


@pytest.fixture(scope="module")
def town():
    """Four customers: one buys in time, one too late, one looks elsewhere first, one only looks."""
    made = Town()
    told = {
        1: [
            ("Product Viewed", 0, "Bakery"),
            ("Product Added", 10, ""),
            ("Order Completed", 30, ""),
        ],
        2: [
            ("Product Viewed", 0, "Bakery"),
            ("Product Added", 20, ""),
            ("Order Completed", 90, ""),
        ],
        3: [
            ("Product Viewed", 0, "Wine"),
            ("Order Completed", 5, ""),
            ("Product Added", 40, ""),
            ("Order Completed", 60, ""),
        ],
        4: [("Product Viewed", 0, "Wine"), ("Product Viewed", 2, "Cheese")],
    }
    for customer_id, events in told.items():
        made.customer(customer_id)
        for name, minutes, category in events:
            properties = {"category": category} if category else {}
            made.event(customer_id, name, DAY + timedelta(minutes=minutes), properties)
    return made


def test_it_counts_who_came_in_time(town):
    found = find(Funnel, town, asked=asked())
    rows = found.table("steps").rows
    assert [row[2] for row in rows] == [4, 3, 2]
    assert rows[1][9:] == (20.0, 20.0)
    assert rows[2][9:] == (20.0, 45.0)
    assert rows[2][3] == 0.5
    assert [row[2] for row in found.table("stopped").rows] == [1, 1]
    assert "Of 4 customers who began, 2 (50.0%) came to “Order Completed”." in found.sentence


def test_strict_lets_nothing_come_between(town):
    found = find(Funnel, town, asked=asked(order="strict"))
    assert [row[2] for row in found.table("steps").rows] == [4, 2, 1]


def test_who_stopped_can_be_named(town):
    run = duckdb_engine(town.tables())
    question = complete(Funnel, asked(), {})
    for table, step, wanted in (("stopped", 1, [4]), ("stopped", 2, [2]), ("steps", 3, [1, 3])):
        row = {"step": step}
        ids = drill(Funnel(), expressions(), question, run, table=table, row=row)
        assert ids == wanted, (table, step)


def test_it_is_split_by_the_value_at_the_first_step(town):
    found = find(Funnel, town, asked=asked(split_by="category"))
    rows = {row[0]: row[1:4] for row in found.table("groups").rows}
    # The fourth customer got no further than the first step, where Wine came first.
    assert rows == {"Bakery": (2, 2, 1), "Wine": (2, 1, 1)}


def test_a_step_can_ask_for_a_property(town):
    steps = "Product Viewed [category = Wine] > Order Completed"
    found = find(Funnel, town, asked=asked(steps=steps))
    assert [row[2] for row in found.table("steps").rows] == [2, 1]


def test_steps_are_read_as_people_write_them():
    assert read_steps("A b > C[x=1 2]", most=4) == [
        Step(event="A b"),
        Step(event="C", key="x", value="1 2"),
    ]
    assert read_steps("A > C [ x = y ]", most=2)[1].label == "C [x = y]"
    for wrong in ("", "A >", "A [x]", "A > B > C"):
        with pytest.raises(Invalid):
            read_steps(wrong, most=2)
