"""What a nasty shop does to the numbers of reports, counted by hand."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.reports.anomalies import Anomalies
from amity.analysis.reports.attribution import Attribution
from amity.analysis.reports.campaign_economics import CampaignEconomics
from amity.analysis.reports.lifecycle import Lifecycle
from amity.analysis.reports.loyalty import Loyalty
from amity.analysis.reports.pareto import Pareto
from amity.analysis.reports.satisfaction import Satisfaction
from amity.analysis.reports.scorecard import Scorecard
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.testing.reports_kit import ASKED, find
from amity.testing.reports_town import NOW, Town

DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


def figures(answer):
    return {figure.name: figure for figure in answer.figures}


def rows(answer, table):
    found = answer.table(table)
    return [found.row(number) for number in range(len(found.rows))]


def test_a_call_that_is_answered_and_ends_costs_one_call():
    town = Town()
    town.customer(1)
    town.order(1, DAY, 1000, products=({"price": -5, "cost": 1}, {"price": 5}))
    for name in ("Call Started", "Call Answered", "Call Ended", "Ticket Opened"):
        town.event(1, name, DAY)
    for name in ("Live Chat Conversation Started", "Live Chat Conversation Ended"):
        town.event(1, name, DAY)
    calls = [{"unit": "call", "amount_minor": 30, "currency": "EUR"}]
    answer = find(Pareto, town, facts={"unit_costs": calls})
    assert figures(answer)["contribution"].value == 1000 - 100 - 3 * 30


def test_an_answer_counts_alike_wherever_it_is_read():
    town = Town()
    told = ((1, 9.0), (2, 11), (3, -1), (4, 9.5), (5, "9"), (6, True), (7, 9))
    for customer, value in told:
        town.customer(customer)
        town.order(customer, DAY, 100)
        town.event(customer, "Survey Answered", DAY, {"kind": "nps", "answer": value})
    town.event(2, "Survey Answered", DAY, {"kind": "csat", "answer": 9})
    town.customer(8)
    town.event(8, "Survey Answered", DAY, {"kind": "nps", "answer": "great"})
    satisfied = figures(find(Satisfaction, town))
    assert (satisfied["figure"].value, satisfied["answers"].value) == (100, 2)
    loyal = find(Loyalty, town, asked=msgspec.structs.replace(ASKED, choices={"signs": 9}))
    assert figures(loyal)["answered"].value == pytest.approx(2 / 7)
    assert figures(loyal)["latent"].value == pytest.approx(2 / 7)


def test_what_amity_does_itself_engages_nobody_and_a_number_is_an_order_id():
    town = Town()
    for customer in (1, 2):
        town.customer(customer)
        town.event(customer, "Segment Entered", DAY, source_id=SYSTEM_SOURCE_ID)
    town.event(1, "Email Link Clicked", DAY, source_id=SYSTEM_SOURCE_ID)
    order_id = town.order(1, DAY + timedelta(days=1), 100)
    town.rows["orders"][0]["order_id"] = "77"
    assert order_id != "77"
    for told in (77, " 77 "):
        town.event(1, "Order Shipped", DAY + timedelta(days=2), {"order_id": told})
    stages = {row["stage"]: row for row in rows(find(Lifecycle, town), "stages")}
    assert (stages["engage"]["entered"], stages["engage"]["moved"]) == (1, 1)
    assert (stages["transact"]["entered"], stages["transact"]["moved"]) == (1, 1)


def test_half_a_campaign_is_no_channel_with_half_a_name_and_ten_touches_share_an_order():
    town = Town()
    town.customer(1)
    for back in range(12, 0, -1):
        half = {"campaign": {"medium": "", "source": "News" if back > 10 else f"s{back}"}}
        context = msgspec.json.encode(half).decode()
        town.event(1, "Home", DAY - timedelta(hours=back), type="page", context=context)
    town.order(1, DAY, 100)
    answer = find(Attribution, town)
    credits = {row["channel"]: row for row in rows(answer, "credits")}
    assert set(credits) == {f"s{back}" for back in range(1, 11)}
    assert {row["channel"] for row in rows(answer, "channels")} == set(credits)


def test_interests_amity_reads_off_visits_describe_nobody_beyond_orders():
    town = Town()
    for customer, traits in ((1, '{"interests": {"bread": 3}}'), (2, '{"town": "Ulm"}'), (3, "{}")):
        town.customer(customer, traits=traits)
        town.order(customer, DAY, 100)
    assert figures(find(Scorecard, town))["described"].value == pytest.approx(1 / 3)


def drawn_town(assigned):
    town = Town()
    for customer in range(1, 101):
        town.customer(customer)
        town.draw(1, customer, assigned, arm="holdout" if customer > 50 else "treatment")
        if customer <= 30:
            town.order(customer, assigned + timedelta(hours=1), 900 + customer)
    return town


def test_a_campaign_is_not_proven_before_its_time_is_over_nor_by_few_buyers():
    def verdict(town):
        (line,) = rows(find(CampaignEconomics, town), "campaigns")
        return line["verdict"], line["margin"]

    asked_at = datetime.combine(ASKED.until_on, datetime.min.time(), UTC)
    assert verdict(drawn_town(DAY))[0] == "more than chance"
    early, margin = verdict(drawn_town(asked_at - timedelta(days=1)))
    assert early == "so far: not over yet"
    assert margin == pytest.approx(sum(range(901, 931)) / 50 * 1000)
    few = drawn_town(DAY)
    few.rows["orders"] = few.rows["orders"][:9]
    assert verdict(few) == ("too few to say", None)
    assert asked_at - timedelta(days=1) + timedelta(days=7) > NOW


def test_one_order_where_none_is_usual_is_nothing_odd():
    town = Town()
    for number, ago in enumerate((2, 70, 60, 50, 40, 30)):
        town.customer(number + 1)
        at = datetime.combine(ASKED.until_on, datetime.min.time(), UTC) - timedelta(days=ago)
        town.order(number + 1, at, 5000)
    asked = msgspec.structs.replace(ASKED, from_on=date(2026, 4, 20))
    assert figures(find(Anomalies, town, asked=asked))["odd"].value == 0


def test_a_change_between_two_customers_is_no_change_beyond_chance():
    share, mean = statistics.share, statistics.mean
    assert statistics.is_within_chance(share(1, 1), share(0, 1))
    assert statistics.is_within_chance(mean(np.array([900]), 1), mean(np.array([10]), 1))
    assert statistics.is_within_chance(mean(np.array([9, 9]), 1), mean(np.array([4, 4]), 1))
    assert not statistics.is_within_chance(share(90, 100), share(10, 100))
    assert not statistics.is_within_chance(statistics.count(100), statistics.count(50))
    # Of 4, 6, 8 the standard error is 2 / sqrt(3), and Student's quantile of two degrees 4.3027.
    low = 6 - 4.302652729696142 * 2 / 3**0.5
    assert mean(np.array([4, 6, 8]), 1).low == pytest.approx(low)
    assert statistics.mean_of_sums(3, 18, 116).low == pytest.approx(low)
    assert mean(np.array([7, 7]), 1).low is None
