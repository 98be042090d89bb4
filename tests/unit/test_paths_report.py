"""Paths: visits are cut at pauses, loops are collapsed, what is rare is put together."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis.logic.behaviour.paths import ENDED, OTHERS, gather_flows
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.paths import Paths
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)


def asked(**choices):
    return msgspec.structs.replace(ASKED, choices=choices)


@pytest.fixture(scope="module")
def town():
    made = Town()
    for customer_id, told in {
        1: "AAB C",
        2: "AB    D",
        # A pause of more than half an hour: another visit.
        3: "B" + " " * 40 + "AC",
    }.items():
        made.customer(customer_id)
        for minute, name in enumerate(told):
            if name.strip():
                made.event(customer_id, name, BEGIN + timedelta(minutes=minute))
    made.event(3, "Home", BEGIN + timedelta(hours=5), {"name": "Start"}, type="page")
    return made


def paths(found):
    return {row[0]: row[1] for row in found.table("paths").rows}


def test_visits_end_at_a_pause_and_repeats_are_one_step(town):
    found = find(Paths, town, asked=asked())
    assert paths(found) == {"A → B → C": 1, "A → B → D": 1, "B": 1, "A → C": 1, "Page: Start": 1}
    assert paths(find(Paths, town, asked=asked(is_collapsed=False)))["A → A → B → C"] == 1
    assert len(paths(find(Paths, town, asked=asked(pause_minutes=600)))) == 3


def test_paths_begin_at_an_event_or_lead_to_it(town):
    found = find(Paths, town, asked=asked(around="B"))
    assert paths(found) == {"B → C": 1, "B → D": 1, "B": 1}
    assert {row[0]: row[1] for row in found.table("nearest").rows} == {"C": 1, "D": 1, ENDED: 1}
    before = find(Paths, town, asked=asked(around="C", direction="before"))
    assert paths(before) == {"A → B → C": 1, "A → C": 1}
    flows = set(before.table("flows").rows)
    assert ("−1. B", "0. C", 1) in flows
    assert ("−2. A", "−1. B", 1) in flows
    assert ("−2. (the visit began)", "−1. A", 1) in flows


def test_every_visit_is_in_the_flows_of_each_position(town):
    found = find(Paths, town, asked=asked(steps=1))
    assert sum(row[2] for row in found.table("flows").rows) == 5


def test_who_went_a_path_can_be_named(town):
    question = complete(Paths, asked(around="A"), {})
    run = duckdb_engine(town.tables())
    ids = drill(Paths(), expressions(), question, run, table="paths", row={"path": "A → B → D"})
    assert ids == [2]


def test_what_is_rare_is_put_together_and_nothing_is_lost():
    rows = [
        {"position": 0, "label": "X", "next_label": "often", "visits": 7},
        {"position": 0, "label": "X", "next_label": "rare", "visits": 2},
        {"position": 0, "label": "X", "next_label": "rarer", "visits": 1},
        {"position": 0, "label": "X", "next_label": None, "visits": 4},
        {"position": 1, "label": "often", "next_label": None, "visits": 7},
        {"position": 1, "label": "rare", "next_label": "rarer", "visits": 2},
    ]
    flows = gather_flows(rows, most=2, end=ENDED)
    told = {(flow.position, flow.source, flow.target): flow.visits for flow in flows}
    assert told == {
        (0, "X", "often"): 7,
        (0, "X", ENDED): 4,
        (0, "X", OTHERS): 3,
        (1, "often", ENDED): 7,
        (1, OTHERS, OTHERS): 2,
    }
