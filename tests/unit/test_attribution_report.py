"""Attribution: shares that sum to the total, chains and values checked by hand."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.behaviour.attribution import RULES, Journey, allot
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.attribution import Attribution
from amity.testing.reports_kit import ASKED, Town, complete, duckdb_engine, expressions, find

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
JOURNEYS = [
    Journey(channels=("a", "b"), journeys=10, orders=4, value=900),
    Journey(channels=("b",), journeys=20, orders=2, value=500),
    Journey(channels=("a", "c", "a", "b"), journeys=4, orders=4, value=101),
    Journey(channels=("c",), journeys=9, orders=0, value=0),
]


def orders(journey):
    return float(journey.orders)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_gives_out_everything(name):
    rule = RULES[name][1]
    for amount, total in ((orders, 10), (lambda journey: float(journey.value), 1501)):
        credits = rule(JOURNEYS, amount)
        assert sum(credits.values()) == pytest.approx(total)
        assert min(credits.values()) >= 0
        assert sum(allot(credits, total).values()) == total


def test_the_simple_rules_are_those_of_their_names():
    share = {name: rule(JOURNEYS, orders) for name, (_, rule) in RULES.items()}
    assert share["last"] == {"a": 0.0, "b": 10.0, "c": 0.0}
    assert share["first"] == {"a": 8.0, "b": 2.0, "c": 0.0}
    assert share["even"] == pytest.approx({"a": 2 + 2, "b": 2 + 2 + 1, "c": 1})
    assert share["position"] == pytest.approx({"a": 2 + 1.6 + 0.4, "b": 2 + 2 + 1.6, "c": 0.4})


def test_shapley_is_the_mean_over_all_orders_of_joining():
    def worth(channels):
        return sum(j.orders for j in JOURNEYS if set(j.channels) <= set(channels))

    wanted = dict.fromkeys("abc", 0.0)
    for order in permutations("abc"):
        for place, channel in enumerate(order):
            gain = worth(order[: place + 1]) - worth(order[:place])
            wanted[channel] += gain / math.factorial(3)
    assert RULES["shapley"][1](JOURNEYS, orders) == pytest.approx(wanted)


def test_removal_is_what_walks_through_the_chain_say():
    """The chain's chances found by walking it many times, with and without each channel."""
    moves = {}
    for journey in JOURNEYS:
        steps = ["start", *journey.channels]
        for one, other in pairwise(steps):
            moves.setdefault(one, {}).setdefault(other, 0)
            moves[one][other] += journey.journeys
        end = moves.setdefault(steps[-1], {})
        end["order"] = end.get("order", 0) + journey.orders
        end["none"] = end.get("none", 0) + journey.journeys - journey.orders
    rng = np.random.default_rng(5)

    def chance(removed):
        done = 0
        for _ in range(8000):
            here = "start"
            while here not in {"order", "none", removed}:
                names = list(moves[here])
                weights = np.cumsum([moves[here][name] for name in names])
                here = names[int(np.searchsorted(weights, rng.random() * weights[-1], "right"))]
            done += here == "order"
        return done / 8000

    whole = chance(None)
    effects = {channel: 1 - chance(channel) / whole for channel in "abc"}
    scale = 10 / sum(effects.values())
    wanted = {channel: effect * scale for channel, effect in effects.items()}
    assert RULES["removal"][1](JOURNEYS, orders) == pytest.approx(wanted, abs=0.35)


def test_whole_parts_sum_to_the_total():
    assert allot({"a": 1.0, "b": 1.0, "c": 1.0}, 100) == {"a": 34, "b": 33, "c": 33}
    assert allot({"a": 0.0}, 7) == {"a": 0}


def asked(**choices):
    return msgspec.structs.replace(ASKED, choices=choices)


@pytest.fixture(scope="module")
def town():
    made = Town()
    for customer_id in range(1, 5):
        made.customer(customer_id)

    def came(customer_id, hours, **more):
        made.event(customer_id, "Page Viewed", DAY + timedelta(hours=hours), type="page", **more)

    google = '{"campaign": {"source": "Google", "medium": "cpc"}}'
    friend = '{"page": {"referrer": "https://a.friend.example/x", "url": "https://shop.test/"}}'
    own = '{"page": {"referrer": "https://www.shop.test/", "url": "https://shop.test/b"}}'
    came(1, 0, context=google)
    # Half an hour is not over: the same touch. A page of the own site is none.
    came(1, 0.4, context=google)
    came(1, 1, context=own)
    came(1, 48, context=friend)
    made.order(1, DAY + timedelta(hours=49), 3001)
    # Since the order before there is no touch.
    made.order(1, DAY + timedelta(hours=50), 999)
    made.event(2, "Email Link Clicked", DAY)
    made.order(2, DAY + timedelta(days=20), 1000)
    made.event(3, "Visited", DAY, {"channel": "app"})
    made.event(4, "Visited", DAY, {"channel": "app"})
    made.order(4, DAY + timedelta(days=40), 1000)
    return made


def credit(found):
    names = [column.name for column in found.table("credits").columns]
    return {row[0]: dict(zip(names, row, strict=True)) for row in found.table("credits").rows}


def test_touches_before_orders_share_them(town):
    found = credit(find(Attribution, town, asked=asked()))
    assert {channel: row["last"] for channel, row in found.items()} == {
        "referral": 1,
        "email": 1,
        "cpc / google": 0,
        "app": 0,
        "(no touch known)": 2,
    }
    assert found["cpc / google"]["first"] == 1
    assert found["referral"]["shapley"] == 0.5
    # Ages of an hour and of 49: two days of a half-life of seven.
    weights = 1, 2 ** (-2 / 7)
    assert found["referral"]["decay"] == pytest.approx(weights[0] / sum(weights), abs=0.01)
    for name in [*RULES, "decay"]:
        assert sum(row[name] for row in found.values()) == pytest.approx(4), name


def test_revenue_is_given_out_to_the_cent(town):
    found = credit(find(Attribution, town, asked=asked(shared="value")))
    for name in [*RULES, "decay"]:
        assert sum(row[name] for row in found.values()) == 6000, name
    assert sorted((found["referral"]["even"], found["cpc / google"]["even"])) == [1500, 1501]


def test_who_came_by_a_channel_can_be_named(town):
    run = duckdb_engine(town.tables())
    question = complete(Attribution, asked(), {})
    row = {"channel": "referral"}
    ids = drill(Attribution(), expressions(), question, run, table="channels", row=row)
    assert ids == [1]


def test_what_a_campaign_caused_stands_beside():
    town = Town()
    for customer_id in range(1, 201):
        town.customer(customer_id)
        is_held = customer_id % 4 == 0
        town.draw(5, customer_id, DAY, arm="holdout" if is_held else "treatment")
        if customer_id % (10 if is_held else 2) == 1 or customer_id % 40 == 0:
            town.order(customer_id, DAY + timedelta(days=1), 1000)
    # After its time an order does not count.
    town.order(2, DAY + timedelta(days=8), 1000)
    facts = {"campaigns": [{"campaign_id": 5, "name": "Weekly"}]}
    found = find(Attribution, town, asked=asked(), facts=facts)
    number, name, *told = found.table("caused").rows[0]
    assert (number, name) == (5, "Weekly")
    row = (number, *told)
    assert row[:5] == (5, 150, pytest.approx(100 / 150), 50, pytest.approx(5 / 50))
    assert row[5] == pytest.approx(100 / 150 - 5 / 50)
    assert row[6] < row[5] < row[7]
    assert row[8] == pytest.approx(85)
    assert row[9] < row[8] < row[10]


@pytest.mark.parametrize(("held_rate", "is_stated"), [(0.25, True), (0.4, False)])
def test_of_groups_that_are_not_of_the_sizes_drawn_no_effect_is_stated(held_rate, is_stated):
    town = Town()
    for customer_id in range(1, 201):
        town.customer(customer_id)
        arm = "treatment" if customer_id % 4 else "holdout"
        town.draw(5, customer_id, DAY, arm=arm, held_rate_micro=round(held_rate * 1_000_000))
        if customer_id % 3 == 0:
            town.order(customer_id, DAY + timedelta(days=1), 1000)
    answer = find(Attribution, town, asked=asked())
    row = answer.table("caused").row(0)
    said = [note for note in answer.notes if "no effect is stated" in note]
    assert (row["caused"] is not None, not said) == (is_stated, is_stated)
    assert all("of 200 customers 50 were held out where 40% were to be" in one for one in said)
    assert not any("fewer than 30" in note for note in answer.notes)
