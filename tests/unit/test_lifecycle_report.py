"""The lifecycle: what goes on, what waits, what leaks, and what nobody tells of."""

from datetime import timedelta

import msgspec
import pytest

from amity.analysis.logic.behaviour.lifecycle import find_quantile
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.lifecycle import Lifecycle
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import NOW, Town, expressions

LONG_AGO = NOW - timedelta(days=60)


def make_town(*, is_told=True):
    town = Town()
    for customer_id in (1, 2, 3, 4):
        town.customer(customer_id)
        town.event(customer_id, "Product Viewed", LONG_AGO)
    first = town.order(1, LONG_AGO + timedelta(hours=5, minutes=59), 1000)
    town.order(2, LONG_AGO + timedelta(hours=30), 1000)
    # Ordered yesterday: there is time yet.
    late = town.order(3, NOW - timedelta(days=4), 1000)
    assert late != first
    if is_told:
        town.event(1, "Order Shipped", LONG_AGO + timedelta(hours=50), {"order_id": first})
        town.event(2, "Order Shipped", LONG_AGO + timedelta(hours=60), {"order_id": "elsewhere"})
    town.event(1, "Ticket Opened", LONG_AGO + timedelta(hours=60))
    town.event(2, "Ticket Opened", LONG_AGO + timedelta(hours=60))
    town.event(2, "Ticket Closed", LONG_AGO + timedelta(hours=62))
    return town


@pytest.fixture(scope="module")
def town():
    return make_town()


def stages(found):
    table = found.table("stages")
    names = [column.name for column in table.columns]
    return {row[0].title(): dict(zip(names, row, strict=True)) for row in table.rows}


def test_each_stage_counts_what_went_on_and_what_did_not(town):
    found = stages(find(Lifecycle, town))

    def counts(name):
        return [found[name][one] for one in ("entered", "moved", "waiting", "leaked")]

    assert counts("Engage") == [4, 3, 0, 1]
    assert counts("Transact") == [3, 1, 1, 1]
    assert counts("Service") == [2, 1, 0, 1]
    assert counts("Fulfil") == [1, 1, 0, None]
    assert found["Engage"]["hours_25"] == 5
    assert found["Engage"]["hours_50"] == 30
    assert found["Transact"]["hours_50"] == 44
    assert found["Service"]["hours_50"] == 2
    assert found["Transact"]["leaking"] == 0.5


def test_who_was_forgotten_can_be_named(town):
    run = duckdb_engine(town.tables())
    question = complete(Lifecycle, ASKED, {})
    for stage, wanted in (("engage", [4]), ("transact", [2]), ("service", [1])):
        ids = drill(Lifecycle(), expressions(), question, run, table="leaks", row={"stage": stage})
        assert ids == wanted, stage


def test_what_nobody_tells_of_is_not_known_to_have_leaked():
    found = find(Lifecycle, make_town(is_told=False))
    assert stages(found)["Transact"]["leaked"] is None
    assert {figure.name: figure.value for figure in found.figures}["leaking_transact"] is None
    assert any("No event says that an order was fulfilled" in note for note in found.notes)
    assert [row[0] for row in found.table("leaks").rows] == ["engage", "service"]


def test_a_longer_patience_leaves_them_waiting(town):
    asked = msgspec.structs.replace(ASKED, choices={"engage_days": 400})
    found = stages(find(Lifecycle, town, asked=asked))
    assert (found["Engage"]["waiting"], found["Engage"]["leaked"]) == (1, 0)


def test_quantiles_are_values_that_were_there():
    counts = {1: 1, 5: 2, 9: 1}
    assert [find_quantile(counts, q) for q in (0.25, 0.5, 0.75, 0.9)] == [1, 5, 5, 9]
    assert find_quantile({}, 0.5) is None


def test_each_leak_has_an_owner_a_target_and_what_to_do_next(town):
    targets = [
        {"report": "lifecycle", "figure": f"leaking_{stage}", "value": value, "owner": owner}
        for stage, value, owner in (("engage", 0.5, "Mia"), ("transact", 0.5, "Old"))
    ]
    # The latest entered holds; another report's is no target of this one.
    targets.append(targets[1] | {"value": 0.01, "owner": "Jo"})
    targets.append(targets[1] | {"report": "scorecard", "value": 0.9, "owner": "Nobody"})
    table = find(Lifecycle, town, facts={"targets": targets}).table("leaks")
    told = {row["stage"]: row for row in map(table.row, range(len(table.rows)))}
    stood = {stage: (row["target"], row["verdict"], row["owner"]) for stage, row in told.items()}
    assert stood == {
        "engage": (0.5, "met", "Mia"),
        "transact": (0.01, "missed", "Jo"),
        "service": (None, "no target", "Nobody named. Usual: Customer care"),
    }
    # One of two orders is lost: 0.5 with an interval from 0.09, so a target of 0.1 is open.
    near = [targets[1] | {"value": 0.1}]
    table = find(Lifecycle, town, facts={"targets": near}).table("leaks")
    told = {row["stage"]: row for row in map(table.row, range(len(table.rows)))}
    assert told["transact"]["low"] < 0.1 < told["transact"]["leaking"]
    assert told["transact"]["verdict"] == "open"
    assert told["transact"]["next"].startswith("Send or refund these orders")
    assert len({row["next"] for row in told.values()}) == 3


def test_where_nobody_is_lost_there_is_nothing_to_do():
    town = Town()
    town.customer(1)
    town.event(1, "Product Viewed", LONG_AGO)
    town.order(1, LONG_AGO + timedelta(hours=1), 1000)
    table = find(Lifecycle, town).table("leaks")
    assert [table.row(0)["stage"], table.row(0)["next"]] == [
        "engage",
        "Nothing: nobody is lost here.",
    ]
    assert {aim.figure for aim in Lifecycle.aims} <= {f.name for f in find(Lifecycle, town).figures}
