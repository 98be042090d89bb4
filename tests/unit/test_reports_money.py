"""The numbers of the reports of money, in towns small enough to count by hand."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest
from scipy import stats

from amity.analysis.logic.behaviour.day_parts import Change, find_moved
from amity.analysis.logic.reporting import concentrating
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.acquisition import Acquisition
from amity.analysis.reports.anomalies import Anomalies
from amity.analysis.reports.campaign_economics import CampaignEconomics
from amity.analysis.reports.loyalty import Loyalty
from amity.analysis.reports.pareto import Pareto
from amity.analysis.reports.penetration import Penetration
from amity.analysis.reports.rfm_grid import RfmGrid
from amity.analysis.reports.scorecard import Scorecard
from amity.testing.reports_kit import (
    ASKED,
    FROM,
    UNTIL,
    Town,
    complete,
    duckdb_engine,
    expressions,
    find,
)

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
WEEKS = range(1, 9)


def figures(answer):
    return {figure.name: figure for figure in answer.figures}


def rows(answer, table):
    found = answer.table(table)
    return [found.row(number) for number in range(len(found.rows))]


def cost(unit, amount, currency="EUR"):
    return {"unit": unit, "amount_minor": amount, "currency": currency}


def test_what_goods_cost_is_left_open_where_no_line_tells_it():
    town = Town()
    for customer in (1, 2):
        town.customer(customer)
        town.order(customer, DAY, 1_000, products=({"price": 10},))
    answer = find(Pareto, town)
    assert {row["goods"] for row in rows(answer, "deciles")} == {None}
    assert figures(answer)["contribution"].value == 2_000
    assert any("No order line tells what the goods cost" in note for note in answer.notes)


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


def test_the_band_of_very_many_is_that_of_drawing_them_one_by_one(monkeypatch):
    drawn = np.random.default_rng(3).lognormal(3, 1.2, 4_000)
    singly = concentrating.top_share_interval(drawn, 0.2)
    monkeypatch.setattr(concentrating, "_MOST_ONE_BY_ONE", 1_000)
    monkeypatch.setattr(concentrating, "_GROUPS", 200)
    grouped = concentrating.top_share_interval(drawn, 0.2)
    assert grouped != singly
    width = singly[1] - singly[0]
    assert np.abs(np.subtract(grouped, singly)).max() < 0.2 * width


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


def test_what_went_with_losing_and_with_becoming_truly_loyal_stands_beside_who_stayed():
    town, before = Town(), DAY - timedelta(days=89)
    for customer in range(1, 61):
        town.customer(customer)
        for at, is_well in ((before, customer <= 40), (DAY, customer <= 20 or customer > 50)):
            for _ in range(3):
                town.order(customer, at, 100)
            answer = {"kind": "nps", "answer": 10 if is_well else 2}
            town.event(customer, "Survey Answered", at, answer)
        if 20 < customer <= 40:
            town.event(customer, "Call Started", DAY)
        if customer > 50:
            town.send(customer, DAY)
    answer = find(Loyalty, town)
    lost = {row["what"]: row for row in rows(answer, "preceded")}
    called = lost["Called, chatted or wrote to service"]
    assert (called["left"], called["stayed"], called["apart"]) == (1, 0, "beyond chance")
    assert lost["Was sent a message"]["apart"] == "within chance"
    gained = {row["what"]: row for row in rows(answer, "gained")}
    written = gained["Was sent a message"]
    assert (written["left"], written["stayed"], written["apart"]) == (1, 0, "beyond chance")


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
    named = [{"campaign_id": 1, "name": "Weekly"}]
    print_ = {"channel": "mail", "campaign": "weekly", "currency": "EUR", "amount_minor": 800}
    other = print_ | {"campaign": "yearly"}
    facts = {"unit_costs": [cost("email", 200)], "campaigns": named}
    facts |= {"channel_costs": [print_, other, print_ | {"currency": "USD"}]}
    answer = find(CampaignEconomics, town, facts=facts)
    one, two = rows(answer, "campaigns")
    assert (one["name"], two["name"]) == ("Weekly", "campaign 2")
    assert "Weekly caused the most margin" in answer.sentence
    assert (one["customers"], one["held_out"], one["cost"]) == (200, 200, 1000)
    assert one["low"] < 0.4 * 1000 * 1000 < one["high"]
    assert one["verdict"] == "more than chance"
    assert one["after"] == pytest.approx(one["margin"] - 5000)
    assert (two["margin"], two["verdict"]) == (None, "nobody held out: no claim")


@pytest.mark.parametrize("held", [20, 50])
def test_a_campaign_whose_groups_are_not_of_the_sizes_drawn_claims_nothing(held):
    town = Town()
    for customer in range(1, 501):
        town.customer(customer)
        arm = "holdout" if customer <= held * 2 else "treatment"
        town.draw(1, customer, DAY, arm=arm, held_rate_micro=100_000)
        if arm == "treatment" or customer % 10 == 0:
            town.order(customer, DAY + timedelta(days=2), 900 + customer)
    # That many or fewer of 500 held out where 50 were to be: by the binomial law itself.
    exact = stats.binomtest(held * 2, 500, 0.1).pvalue
    assert (exact < 0.001) == (held == 50)
    named = [{"campaign_id": 1, "name": "Weekly"}]
    answer = find(CampaignEconomics, town, facts={"campaigns": named})
    [row] = rows(answer, "campaigns")
    said = [note for note in answer.notes if "100 were held out where 10% were to be" in note]
    if held == 20:
        assert row["verdict"] == "more than chance"
        assert not said
    else:
        assert (row["margin"], row["low"]) == (None, None)
        assert row["verdict"] == "groups not of the sizes drawn: no claim"
        assert len(said) == 1
        assert "campaign Weekly" in said[0]
        assert answer.sentence.startswith("No claim can be made")
        assert figures(answer)["proven"].value == 0


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


def test_each_category_and_each_band_of_wallets_says_what_to_do_next():
    town = Town()
    for customer in range(1, 41):
        town.customer(customer)
        bought = [{"category": "Bread", "price": 2}]
        if customer <= 30:
            bought.append({"category": "Wine", "price": 50})
        if customer <= 5:
            bought.append({"category": "Truffle", "price": 90})
        if customer <= 3:
            bought.append({"category": "Salt", "price": 1})
        if customer == 1:
            bought.append({"price": 7})
        town.order(customer, DAY, 100 * customer, products=tuple(bought))
    answer = find(Penetration, town)
    told = {row["category"]: row["next"].split(":")[0] for row in rows(answer, "categories")}
    # In the middle 17.5 customers buy in a category, for 26 each.
    assert told == {
        "Bread": "Bought by many, for little",
        "Wine": "Bought by many, for much",
        "Truffle": "Bought by few, for much",
        "Salt": "Bought by few, for little",
        "no category told": "Send `category` with each product, so that these lines can be told "
        "apart.",
    }
    bands = rows(answer, "wallets")
    spent = np.arange(1, 41) * 100.0
    wallet = np.quantile(spent, 0.9)
    edges = np.digitize(spent, wallet * np.array([0.25, 0.5, 1.0]))
    assert [row["customers"] for row in bands] == [int((edges == band).sum()) for band in range(4)]
    assert sum(row["revenue"] for row in bands) == spent.sum()
    short = np.maximum(wallet - spent, 0).sum()
    assert sum(row["left"] for row in bands) == pytest.approx(short, abs=3)
    assert len({row["next"] for row in bands}) == 4
    asked = complete(Penetration, ASKED, {})
    run = duckdb_engine(town.tables())
    for band, row in enumerate(bands):
        ids = drill(Penetration(), expressions(), asked, run, table="wallets", row=row)
        assert ids == (np.flatnonzero(edges == band) + 1).tolist()
    assert Penetration().segment_rule(asked, "wallets", bands[0]) is None
    assert "found anew" in Penetration().list_reason(asked, "wallets", bands[0])


def test_a_day_is_odd_against_its_own_weekdays_and_what_moved_is_named():
    town = Town()
    end = datetime(2026, 5, 1, 10, tzinfo=UTC)
    for ago in range(1, 100):
        for number in range(9 if ago != 3 else 60):
            customer, day = ago * 100 + number, end - timedelta(days=ago)
            is_won = ago == 3 and number < 30
            town.customer(customer, traits='{"acquisition_channel": "ads"}' if is_won else "{}")
            goods = ({"category": "Wine" if number > 5 else "Bread", "price": 10},)
            town.order(customer, day, 1000, products=goods)
            if ago == 3 and number < 40:
                came = {"campaign": {"name": "Spring", "source": "news", "medium": "email"}}
                context = msgspec.json.encode(came).decode()
                before = day - timedelta(hours=2)
                town.event(customer, "Page", before, type="page", context=context)
            if ago == 3 and number < 20:
                town.send(customer, day - timedelta(days=1), run_id=7)
    asked = msgspec.structs.replace(ASKED, from_on=date(2026, 4, 24))
    facts = {
        "sources": [{"source_id": 2, "name": "The till"}],
        "campaigns": [{"campaign_id": 7, "name": "Weekly"}],
    }
    answer = find(Anomalies, town, asked=asked, facts=facts)
    odd = rows(answer, "odd")
    assert {row["day"] for row in odd} == {"2026-04-28"}
    assert {row["figure"] for row in odd} == {"Orders", "Revenue", "New customers"}
    # Of 60 orders six are of bread as on any day, so what moved is wine; all are new as ever.
    assert odd[0]["moved"] == (
        "came by the campaign Spring: 40, usually 0; came by email / news: 40, usually 0 "
        "(78% of the change); goods of Wine: 54, usually 3; won by ads: 30, usually 0; written to "
        "by our campaign “Weekly”: 20, usually 0"
    )
    assert "goods of Wine: 540.00 EUR, usually 30.00 EUR" in odd[1]["moved"] + odd[2]["moved"]
    assert "60 where 9 is usual" in answer.sentence
    assert figures(answer)["looked_at"].value == 28


def test_a_source_that_fell_silent_is_named_and_a_day_on_which_all_fell_alike_names_nothing():
    usual = {day: {"orders": 50} for day in (date(2026, 4, 28) - timedelta(weeks=n) for n in WEEKS)}
    change = Change(
        figure="orders",
        day=date(2026, 4, 28),
        was=10,
        usual=100,
        orders=100,
        begun=date(2026, 1, 1),
    )
    parts = {("source", "2"): usual, ("source", "3"): usual | {change.day: {"orders": 10}}}
    [moved] = find_moved(change, parts, {("source", "2"): "the till"})
    assert (moved.words, moved.was, moved.usual) == ("told by the till", 0, 50)
    both = {key: usual | {change.day: {"orders": 5}} for key in parts}
    assert find_moved(change, both, {}) == []


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
    lacking = {row["figure"]: row["customers"] for row in rows(answer, "lacking")}
    assert lacking == {
        "reachable": 7,
        "online": 9,
        "joined": 9,
        "chose": 10,
        "retention": 0,
        "asked": 10,
        "described": 10,
    }
