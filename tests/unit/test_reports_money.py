"""The numbers of the reports of money, in towns small enough to count by hand."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.reporting import concentrating
from amity.analysis.reports.acquisition import Acquisition
from amity.analysis.reports.anomalies import Anomalies
from amity.analysis.reports.campaign_economics import CampaignEconomics
from amity.analysis.reports.loyalty import Loyalty
from amity.analysis.reports.pareto import Pareto
from amity.analysis.reports.penetration import Penetration
from amity.analysis.reports.rfm_grid import RfmGrid
from amity.analysis.reports.scorecard import Scorecard
from amity.testing.reports_kit import ASKED, FROM, UNTIL, Town, find

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def figures(answer):
    return {figure.name: figure for figure in answer.figures}


def rows(answer, table):
    found = answer.table(table)
    return [found.row(number) for number in range(len(found.rows))]


def cost(unit, amount, currency="EUR"):
    return {"unit": unit, "amount_minor": amount, "currency": currency}


def test_who_costs_more_than_he_brings_is_found_below_the_line():
    town = Town()
    for customer, total in ((1, 10_000), (2, 5_000), (3, 200)):
        town.customer(customer)
        bread = {"price": total / 100, "cost": total / 200}
        town.order(customer, DAY, total, products=(bread,))
    for _ in range(3):
        town.send(3, DAY)
    costs = [cost("order", 100), cost("email", 900), cost("email", 50), cost("item", 9, "USD")]
    answer = find(Pareto, town, facts={"unit_costs": costs})
    known = figures(answer)
    # 1: 10000 - 5000 - 100; 2: 5000 - 2500 - 100; 3: 200 - 100 - 100 - 3 * 50
    assert known["contribution"].value == 4900 + 2400 - 150
    assert known["subsidised"].value == 1
    assert known["subsidy"].value == 150
    assert [row["zone"] for row in rows(answer, "zones")] == ["Retain", "Select"]
    assert sum(row["margin"] for row in rows(answer, "deciles")) == 7150
    curve = rows(answer, "curve")
    assert curve[-1]["share"] == 1
    assert max(row["share"] for row in curve) == pytest.approx(7300 / 7150)
    assert any("other currencies" in note for note in answer.notes)


def test_the_curve_and_its_band_are_those_of_the_same_customers_drawn_again():
    even = np.full(100, 7.0)
    assert concentrating.top_share(even, 0.2) == pytest.approx(0.2)
    assert concentrating.gini(even) == pytest.approx(0, abs=1e-12)
    one = np.zeros(100)
    one[3] = 5
    assert concentrating.gini(one) == pytest.approx(0.99)
    assert concentrating.whale_curve(np.array([-1.0, 0.5])) is None
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(40):
        drawn = rng.lognormal(0, 1, 400)
        low, high = concentrating.top_share_interval(drawn, 0.2)
        # The true share of the best fifth of a log-normal law: 1 - Phi(Phi^-1(0.8) - sigma).
        inside += low <= 0.5627 <= high
    assert inside >= 32


def test_channels_are_told_with_their_cost_by_the_days_in_the_window():
    town = Town()
    for customer, channel, days in ((1, "search", 0), (2, "search", 3), (3, "", 0), (4, "post", 0)):
        traits = {"acquisition_channel": channel} if channel else {}
        town.customer(customer, traits=msgspec.json.encode(traits).decode())
        town.order(customer, DAY + timedelta(days=days), 1000)
    town.order(1, DAY + timedelta(days=9), 500)
    town.order(4, DAY - timedelta(days=90), 500)
    month = {"campaign": "", "currency": "EUR", "amount_minor": 5900}
    inside = month | {"channel": "search", "from_on": FROM - timedelta(days=30)}
    spent = [
        inside | {"until_on": FROM + timedelta(days=28)},
        month | {"channel": "radio", "from_on": FROM, "until_on": FROM},
    ]
    answer = find(Acquisition, town, facts={"channel_costs": spent})
    told = {row["channel"]: row for row in rows(answer, "channels")}
    assert set(told) == {"search", "not told", "radio"}
    # 59 days cost 5900, of which 29 are in the window.
    assert (told["search"]["customers"], told["search"]["cost"]) == (2, 2900)
    assert told["search"]["repeated"] == 1
    assert told["search"]["earned"] == pytest.approx(2500 / 2900)
    assert told["not told"]["cost"] is None
    assert told["radio"]["per_won"] is None
    assert figures(answer)["per_won"].value == pytest.approx((2900 + 5900) / 2)


def test_the_grid_places_by_fixed_bounds_and_knows_who_slips_away():
    asked = msgspec.structs.replace(ASKED, from_on=UNTIL - timedelta(days=365))
    town = Town()
    for customer, days in ((1, (1, 29, 40)), (2, (100, 120, 150)), (3, (30,)), (4, (31,))):
        town.customer(customer)
        for ago in days:
            at = datetime.combine(UNTIL, datetime.min.time(), UTC) - timedelta(days=ago, hours=-1)
            town.order(customer, at, 100)
    answer = find(RfmGrid, town, asked=asked)
    known = {(row["since"], row["often"]): row["customers"] for row in rows(answer, "cells")}
    assert known["up to 30 days", "3 to 4"] == 1
    assert known["up to 30 days", "1"] == 1
    assert known["31 to 60 days", "1"] == 1
    assert known["91 to 180 days", "3 to 4"] == 1
    assert len(known) == 30
    assert figures(answer)["slipping"].value == 1


def test_what_is_done_and_what_is_thought_make_four_cells_and_moves_between_them():
    town = Town()
    before = DAY - timedelta(days=89)
    for customer in (1, 2, 3, 4):
        town.customer(customer)
    for customer, at, orders in (
        (1, DAY, 3),
        (2, before, 3),
        (2, DAY, 3),
        (3, DAY, 1),
        (4, before, 1),
    ):
        for number in range(orders):
            town.order(customer, at + timedelta(days=number), 100)
    for customer, kind, value, at in (
        (1, "nps", 10, DAY),
        (2, "nps", 9, before),
        (2, "nps", 9, DAY),
        (2, "nps", 4, DAY + timedelta(days=1)),
        (3, "csat", 5, DAY),
    ):
        town.event(customer, "Survey Answered", at, {"kind": kind, "answer": value})
    policies = [{"cell": "spurious", "words": "Call them"}]
    answer = find(Loyalty, town, facts={"policies": policies})
    known = {row["now"]: row for row in rows(answer, "cells")}
    cells = ("True loyalty", "Latent loyalty", "Spurious loyalty", "No loyalty")
    assert [known[cell]["customers"] for cell in cells] == [1, 1, 1, 1]
    assert known["Spurious loyalty"]["policy"] == "Call them"
    moves = {(row["before"], row["now"]): row["customers"] for row in rows(answer, "moves")}
    assert moves["True loyalty before", "Spurious loyalty now"] == 1
    assert moves["not a customer before", "True loyalty now"] == 1
    assert moves["No loyalty before", "No loyalty now"] == 1
    assert figures(answer)["kept"].value == 0


def test_a_campaign_claims_what_the_held_out_did_not_do_and_nothing_else():
    town = Town()
    rng = np.random.default_rng(3)
    for customer in range(1, 401):
        town.customer(customer)
        arm = "holdout" if customer > 200 else "treatment"
        town.draw(1, customer, DAY, arm=arm)
        if rng.random() < (0.5 if arm == "treatment" else 0.1):
            town.order(customer, DAY + timedelta(days=2), int(rng.integers(900, 1100)))
        if customer <= 40:
            town.draw(2, customer, DAY)
    town.send(1, DAY, run_id=1)
    town.order(1, DAY + timedelta(days=60), 10**6)
    answer = find(CampaignEconomics, town, facts={"unit_costs": [cost("email", 200)]})
    one, two = rows(answer, "campaigns")
    assert (one["customers"], one["held_out"], one["cost"]) == (200, 200, 200)
    assert one["low"] < 0.4 * 1000 * 1000 < one["high"]
    assert one["verdict"] == "more than chance"
    assert one["after"] == pytest.approx(one["margin"] - 1000)
    assert (two["margin"], two["verdict"]) == (None, "nobody held out: no claim")


def test_penetration_counts_customers_and_the_wallet_is_an_estimate_with_its_range():
    town = Town()
    for customer in range(1, 41):
        town.customer(customer)
        kind = "Wine" if customer <= 10 else "Bread"
        line = {"category": kind, "price": 1}
        town.order(customer, DAY, customer * 100, products=(line,))
    asked = msgspec.structs.replace(ASKED, choices={"market": 400})
    answer = find(Penetration, town, asked=asked)
    known = figures(answer)
    assert known["market"].value == pytest.approx(0.1)
    assert [row["share"] for row in rows(answer, "categories")] == [0.75, 0.25]
    assert known["wallet_share"].value == pytest.approx(2050 / 3610)
    assert known["wallet_share"].low < 2050 / 3610 < known["wallet_share"].high


def test_a_day_is_odd_against_its_own_weekdays_and_what_moved_is_named():
    town = Town()
    end = datetime(2026, 5, 1, 10, tzinfo=UTC)
    for ago in range(1, 100):
        for number in range(9 if ago != 3 else 60):
            town.customer(ago * 100 + number)
            goods = ({"category": "Wine" if number > 5 else "Bread", "price": 10},)
            day = end - timedelta(days=ago)
            town.order(ago * 100 + number, day, 1000, products=goods)
    asked = msgspec.structs.replace(ASKED, from_on=date(2026, 4, 24))
    sources = [{"source_id": 2, "name": "The till"}]
    answer = find(Anomalies, town, asked=asked, facts={"sources": sources})
    odd = rows(answer, "odd")
    assert {row["day"] for row in odd} == {"2026-04-28"}
    assert {row["figure"] for row in odd} == {"Orders", "Revenue", "New customers"}
    # Of 60 orders six are of bread as on any day, so what moved is wine.
    assert odd[0]["moved"] == (
        "Wine: 54 orders, usually 3; new customers: 60 orders, usually 9; "
        "The till: 60 orders, usually 9"
    )
    assert "60 where 9 is usual" in answer.sentence
    assert figures(answer)["looked_at"].value == 28


def test_the_scorecard_judges_by_targets_and_says_what_is_next():
    town = Town()
    for customer in range(1, 11):
        town.customer(customer, email="a@b.test" if customer < 4 else None)
        town.order(customer, DAY, 1000)
    town.event(1, "Product Viewed", DAY, source_id=9)
    targets = [
        {"report": "scorecard", "figure": name, "value": value, "owner": "", "currency": ""}
        for name, value in (("reachable", 0.9), ("online", 0.1), ("per_customer", 500))
    ]
    targets.append(
        {"report": "other", "figure": "joined", "value": 0.9, "owner": "", "currency": ""}
    )
    answer = find(Scorecard, town, facts={"targets": targets})
    known = {row["figure"]: row for row in rows(answer, "scorecard")}
    assert known["Reachable by mail or phone"]["verdict"] == "missed"
    assert known["Seen online"]["verdict"] == "met"
    assert known["Revenue a customer"]["verdict"] == "met"
    assert known["Known to several sources"]["verdict"] == "no target"
    assert known["Came again"]["verdict"] == "not known"
    assert known["Reachable by mail or phone"]["next"]
    assert answer.sentence.startswith("2 of 3 targets are met; furthest behind is reachable")
