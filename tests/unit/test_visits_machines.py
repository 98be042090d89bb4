"""Machines are told from people: labelled samples of agents, signs and timing."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amity.store.contracts import Activity
from amity.store.logic.visits.cutting import Cutting, cut
from amity.store.logic.visits.devices import find_device
from amity.store.logic.visits.hits import PageTopics, read_hit

_FILE = Path(__file__).parents[1] / "fixtures/visitors/agents.json"
AGENTS = json.loads(_FILE.read_text("utf-8"))
PEOPLE_AGENTS, APP_AGENTS, MACHINE_AGENTS = AGENTS["people"], AGENTS["apps"], AGENTS["machines"]
AT = datetime(2026, 5, 6, 22, tzinfo=UTC)
CHROME = PEOPLE_AGENTS[0]


def visit(seconds, *, agent=CHROME, urls=None, kind="page", **context):
    """Return the visit that pages at these seconds come to."""
    more = {"locale": "en-GB", "page": {"url": "https://shop.example/"}} | context
    hits = []
    for number, second in enumerate(seconds):
        url = urls[number % len(urls)] if urls else f"https://shop.example/{number}"
        activity = Activity(
            position=number,
            profile_id=1,
            event_id=number + 1,
            source_id=100,
            occurred_at=AT + timedelta(seconds=second),
            received_at=AT,
            type=kind,
            name="Page Viewed",
            properties={"url": url, "category": "Shoes"},
            context={"userAgent": agent} | more,
        )
        hits.append(read_hit(activity, PageTopics(), "EUR"))
    [one] = cut(hits, Cutting(idle=timedelta(hours=1)))
    return one


def reading(seed, pages):
    """Return when somebody turns pages: quickly at times, never evenly."""
    rng, at, times = random.Random(seed), 0.0, []
    for _ in range(pages):
        times.append(at)
        at += rng.lognormvariate(2.6, 1.0) + 0.5
    return times


PEOPLE = {
    **{f"agent {n}": visit(reading(n, 12), agent=a) for n, a in enumerate(PEOPLE_AGENTS)},
    **{f"app {n}": visit(reading(n, 9), agent=a, kind="screen") for n, a in enumerate(APP_AGENTS)},
    **{f"reader {n}": visit(reading(n, 40 + n)) for n in range(60)},
    "behind a VPN": visit(reading(1, 9), network={"type": "hosting"}),
    "a client that tells no language": visit(reading(2, 9), locale=None),
    "opens nine tabs at once": visit([0.1 * n for n in range(9)]),
    "a tab that loads itself anew": visit(
        [30.0 * n for n in range(900)], urls=["https://shop.example/deals"]
    ),
    "no user agent at all": visit(reading(3, 9), agent=""),
}
MACHINES = {
    **{f"agent {n}": visit([0], agent=a) for n, a in enumerate(MACHINE_AGENTS)},
    "webdriver": visit(reading(4, 5), webdriver=True),
    "webdriver below navigator": visit(reading(4, 5), navigator={"webdriver": True}),
    "headless beside a data centre": visit([0], locale=None, network={"type": "hosting"}),
    "no language, no screen": visit([0], locale=None, screen={"width": 0, "height": 0}),
    **{f"a burst of {n}": visit([0.2 * k for k in range(n)]) for n in (10, 15, 60, 300)},
    "a burst in a long visit": visit([*reading(5, 20), *(1500 + 0.3 * n for n in range(12))]),
    **{
        f"every {gap} seconds": visit(
            [gap * n + random.Random(n).uniform(0, 0.05 * gap) for n in range(120)]
        )
        for gap in (15, 30, 60, 240)
    },
    "all night without a pause": visit(
        [n * 47 + random.Random(n).uniform(0, 40) for n in range(700)]
    ),
}


@pytest.mark.parametrize("label", PEOPLE)
def test_nobody_is_taken_for_a_machine(label):
    assert PEOPLE[label].machine == ""
    assert PEOPLE[label].topics


def test_machines_are_found_out():
    missed = [label for label, one in MACHINES.items() if not one.machine]
    assert len(missed) <= 0.01 * len(MACHINES), missed
    assert not any(one.topics for one in MACHINES.values() if one.machine)


def test_devices_are_told_apart():
    kinds = [find_device(agent, None) for agent in PEOPLE_AGENTS]
    assert kinds[:11] == ["desktop"] * 11
    assert kinds[11:20] == ["phone"] * 9
    assert kinds[20] == "tablet"
    assert kinds[21:29] == ["phone"] * 8
    assert kinds[29:31] == ["tablet"] * 2
    assert find_device("", "Mobile") == "phone"
    assert find_device(PEOPLE_AGENTS[34], None) == "other"
