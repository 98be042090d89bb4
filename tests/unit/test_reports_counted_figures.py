"""What the reports of money and behaviour say, counted again from a town's rows one by one."""

from collections import Counter, defaultdict
from datetime import date, timedelta

import msgspec
import pytest

from amity.analysis.reports.campaign_economics import CampaignEconomics
from amity.analysis.reports.dimensions import Dimensions
from amity.analysis.reports.funnel import Funnel
from amity.analysis.reports.penetration import Penetration
from amity.analysis.reports.rfm_grid import RfmGrid
from amity.analysis.reports.satisfaction import Satisfaction
from amity.testing import reports_oracle as oracle
from amity.testing.reports_kit import ASKED, NOW, find
from amity.testing.reports_oracle import WINDOW, at_midnight, table_of

BEFORE = (WINDOW[0] - (WINDOW[1] - WINDOW[0]), WINDOW[0])
RECENCY = {"up to 30 days": 30, "31 to 60 days": 60, "61 to 90 days": 90, "91 to 180 days": 180}
OFTEN = {1: "1", 2: "2", 3: "3 to 4", 4: "3 to 4", **dict.fromkeys(range(5, 10), "5 to 9")}


@pytest.fixture(scope="module")
def town():
    return oracle.crowd(23, customers=200)


def euros(town, window=WINDOW):
    return oracle.placed(town, window=window, currency="EUR")


def three(town, window, before):
    """Return the figures of the three dimensions in a window."""
    now, base = euros(town, window), {one.customer for one in euros(town, before)}
    begun = {}
    for order in euros(town, None):
        begun[order.customer] = min(order.at, begun.get(order.customer, order.at))
    customers, net = {one.customer for one in now}, sum(one.net for one in now)
    return {
        "acquisition": sum(window[0] <= at < window[1] for at in begun.values()),
        "expansion": net / len(customers),
        "retention": len(base & customers) / len(base),
        "active": len(customers),
        "revenue": net,
    }


def test_the_three_dimensions_and_those_of_the_time_before(town):
    figures = {one.name: one for one in find(Dimensions, town).figures}
    earlier = (BEFORE[0] - (WINDOW[1] - WINDOW[0]), BEFORE[0])
    for name, value in three(town, WINDOW, BEFORE).items():
        assert figures[name].value == pytest.approx(value, abs=1e-9), name
    for name, value in three(town, BEFORE, earlier).items():
        assert figures[name].before == pytest.approx(value, abs=1e-9), name


def test_each_cell_of_the_grid_has_who_bought_so_lately_and_so_often(town):
    found = find(RfmGrid, town)
    each = defaultdict(list)
    for order in euros(town):
        each[order.customer].append(order)
    cells = defaultdict(lambda: [0, 0, 0])
    slipping = 0
    for orders in each.values():
        # Today's order is a day old when the window ends.
        days = (WINDOW[1].date() - max(one.at for one in orders).date()).days
        since = next(name for name, most in RECENCY.items() if days <= most)
        cell = cells[since, OFTEN.get(len(orders), "10 and more")]
        cell[0] += 1
        cell[1] += len(orders)
        cell[2] += sum(one.net for one in orders)
        slipping += len(orders) >= 3 and days > 90
    table = table_of(found, "cells")
    told = {(row["since"], row["often"]): row for row in table if row["customers"]}
    assert {
        place: [row["customers"], row["orders"], row["net"]] for place, row in told.items()
    } == cells
    assert {one.name: one.value for one in found.figures}["slipping"] == slipping


def test_penetration_counts_customers_orders_and_lines_of_each_category(town):
    placed = {order.event_id: order for order in euros(town)}
    found = defaultdict(lambda: (set(), set(), []))
    for line in town.rows["order_lines"]:
        order = placed.get(line["event_id"])
        if order:
            customers, orders, amounts = found[line["category"] or "no category told"]
            customers.add(order.customer)
            orders.add(order.order_id)
            # Millionths to cents, halves away from nothing.
            amounts.append((line["amount_micro"] + 5_000) // 10_000)
    answer = find(Penetration, town, asked=msgspec.structs.replace(ASKED, choices={"market": 400}))
    everybody = len({order.customer for order in placed.values()})
    rows = {row["category"]: row for row in table_of(answer, "categories")}
    assert rows.keys() == found.keys()
    for category, (customers, orders, amounts) in found.items():
        row = rows[category]
        counted = (row["customers"], row["orders"], row["amount"])
        assert counted == (len(customers), len(orders), sum(amounts)), category
        assert row["share"] == pytest.approx(len(customers) / everybody)
    figures = {one.name: one.value for one in answer.figures}
    assert figures["market"] == pytest.approx(everybody / 400)
    known = [len(one[0]) for name, one in found.items() if name != "no category told"]
    assert figures["categories_each"] == pytest.approx(sum(known) / everybody)
    net = Counter()
    for order in placed.values():
        net[order.customer] += order.net
    spent = sorted(net.values())
    place = 0.9 * (len(spent) - 1)
    low = spent[int(place)]
    wallet = low + (spent[int(place) + 1] - low) * (place - int(place))
    shares = sorted(min(one / wallet, 1) for one in spent)
    middle = (shares[(len(shares) - 1) // 2] + shares[len(shares) // 2]) / 2
    assert figures["wallet_share"] == pytest.approx(middle)


@pytest.mark.parametrize("hours", [0.01, 0.5, 24])
def test_customers_come_as_far_in_a_funnel_as_any_chain_of_theirs(town, hours):
    steps = ["Product Viewed", "Product Added", "Search", "Order Completed"]
    choices = {"steps": " > ".join(steps), "hours": hours}
    found = find(Funnel, town, asked=msgspec.structs.replace(ASKED, choices=choices))
    come = oracle.furthest(oracle.acts(town), steps, hours)
    assert [row["customers"] for row in table_of(found, "steps")] == [
        sum(number for far, number in come.items() if far >= step) for step in range(1, 5)
    ]


def test_a_campaign_costs_its_messages_and_brings_margin_above_the_held_out(town):
    facts = {
        "unit_costs": [
            {"unit": "email", "amount_minor": 3, "currency": "EUR"},
            {"unit": "sms", "amount_minor": 9, "currency": "EUR"},
        ],
        "channel_costs": [
            {"channel": "x", "campaign": "1", "amount_minor": 5_000, "currency": "EUR"}
            | {"from_on": date(2026, 2, 1), "until_on": date(2026, 3, 1)}
        ],
    }
    rows = {
        row["campaign"]: row
        for row in table_of(find(CampaignEconomics, town, facts=facts), "campaigns")
    }
    assert set(rows) == {1, 2}
    for campaign, row in rows.items():
        groups, margin = _drawn(town, campaign), Counter()
        goods = Counter()
        for line in town.rows["order_lines"]:
            goods[line["event_id"]] += (line["cost_micro"] + 5_000) // 10_000
        for order in euros(town, (WINDOW[0], NOW)):
            arm, at = groups.get(order.customer, ("", None))
            if at and at <= order.at < at + timedelta(days=75):
                margin[arm] += order.net - goods[order.event_id]
        sizes = Counter(arm for arm, _ in groups.values())
        assert (row["customers"], row["held_out"]) == (sizes["treatment"], sizes["holdout"])
        each = {arm: 1000 * margin[arm] / size for arm, size in sizes.items()}
        assert row["margin"] == pytest.approx(each["treatment"] - each["holdout"])
        sent = Counter(
            send["channel"]
            for send in town.rows["sends"]
            if send["run_id"] == campaign and WINDOW[0] <= send["wire_at"] < NOW
        )
        cost = 3 * sent["email"] + 9 * sent["sms"] + (5_000 if campaign == 1 else 0)
        assert (row["messages"], row["cost"]) == (sent.total(), cost)
        assert row["after"] == pytest.approx(row["margin"] - 1000 * cost / sizes["treatment"])


def _drawn(town, campaign):
    """Return of each customer the group he or she was first drawn into, and when."""
    whose, found = oracle.owners(town), {}
    for row in sorted(
        town.rows["participants"], key=lambda row: (row["assigned_at"], row["profile_id"])
    ):
        if row["campaign_id"] == campaign:
            found.setdefault(whose[row["profile_id"]], (row["arm"], row["assigned_at"]))
    return found


@pytest.mark.parametrize("kind", [RfmGrid, Penetration, Satisfaction])
def test_beside_a_segment_stands_what_those_in_it_then_did_in_as_many_days_before(town, kind):
    inside = oracle.members(town, 7, WINDOW[0])
    assert inside != oracle.members(town, 7, WINDOW[1])
    asked = msgspec.structs.replace(ASKED, segment_id=7)
    earlier = msgspec.structs.replace(ASKED, from_on=BEFORE[0].date(), until_on=date(2026, 2, 1))
    figures = find(kind, town, asked=asked).figures
    before = {
        one.name: one.value
        for one in find(kind, oracle.only_members(town, inside), asked=earlier).figures
    }
    assert {one.name: one.before for one in figures} == pytest.approx(before)
    assert any(before.values())


def test_a_window_ends_before_its_last_moment_is_over_everywhere(town):
    """The day after the last is not in it, in no report."""
    asked = msgspec.structs.replace(ASKED, from_on=date(2026, 3, 28), until_on=date(2026, 3, 30))
    window = (at_midnight(asked.from_on), at_midnight(asked.until_on))
    orders = euros(town, window)
    figures = {one.name: one.value for one in find(Dimensions, town, asked=asked).figures}
    assert figures["revenue"] == sum(one.net for one in orders)
    assert figures["active"] == len({one.customer for one in orders})
