"""Predictions are kept as they were made and compared with what then came."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from amity.analysis import api
from amity.infra.database import transaction
from amity.testing.estimators_kit import make_transactions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MADE = EPOCH + timedelta(days=10_100, hours=12)
DUE = MADE + timedelta(days=91)


@pytest.fixture
def shop(db):
    """Orders of 600 customers over 200 days, of which predictions see the first hundred."""
    purchases = make_transactions(seed=6, customers=600)
    rows = zip(
        purchases.customer_id.tolist(),
        purchases.day.tolist(),
        purchases.amount.tolist(),
        strict=True,
    )
    with transaction() as connection, connection.cursor() as cursor:
        columns = "(profile_id, order_id, placed_at, total_minor, currency)"
        with cursor.copy(f"COPY store_order {columns} FROM STDIN") as copy:
            for place, (customer, day, amount) in enumerate(rows):
                at = EPOCH + timedelta(days=day, hours=9)
                copy.write_row((customer, str(place), at, amount, "USD"))
    return purchases


def reliability(now):
    return {found.score: found for found in api.list_reliability(now=now)}


def count(table):
    with transaction("readonly") as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_predictions_are_compared_when_their_time_is_over(shop):
    api.refresh_scores(now=MADE)
    waiting = reliability(MADE)
    assert set(waiting) == {"expected_purchases", "churn", "next_basket", "clv"}
    assert waiting["churn"].groups == []
    assert waiting["churn"].rounds[0].observed is None
    assert f"{MADE + timedelta(days=90):%Y-%m-%d}" in waiting["churn"].sentence
    followed = waiting["churn"].rounds[0].customers
    assert count("analysis_prediction") == 4 * followed

    api.refresh_scores(now=DUE)
    held = reliability(DUE)
    bought = held["expected_purchases"]
    first = bought.rounds[-1]
    assert (first.predicted_at, first.due_at) == (MADE, MADE + timedelta(days=90))
    known = set(shop.customer_id[shop.day <= 10_100].tolist())
    inside = (shop.day > 10_100) & (shop.day <= 10_190) & np.isin(shop.customer_id, list(known))
    days = set(zip(shop.customer_id[inside].tolist(), shop.day[inside].tolist(), strict=True))
    assert first.observed == len(days)
    assert first.customers == followed == len(known)
    assert first.observed == pytest.approx(first.expected, rel=0.35)
    assert held["churn"].is_share
    for group in held["churn"].groups:
        assert 0 <= group.low <= group.observed <= group.high <= 1
    lowest, highest = held["churn"].groups[0], held["churn"].groups[-1]
    assert lowest.observed < highest.observed
    assert sum(group.customers for group in bought.groups) == followed
    basket = held["next_basket"]
    # Of the next basket only who bought can tell.
    assert basket.rounds[-1].customers == len({who for who, _ in days})
    assert basket.rounds[-1].observed == pytest.approx(basket.rounds[-1].expected, rel=0.3)
    # A year is not over, and whose predictions came true is forgotten.
    assert held["clv"].groups == []
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT DISTINCT score, predicted_at FROM analysis_prediction ORDER BY 1, 2"
        ).fetchall()
    assert rows == [
        *(("churn", DUE), ("clv", MADE), ("clv", DUE)),
        *(("expected_purchases", DUE), ("next_basket", DUE)),
    ]


def test_no_more_than_a_round_a_week_is_kept(shop):
    for day in range(3):
        api.refresh_scores(now=MADE + timedelta(days=day))
    found = reliability(MADE + timedelta(days=3))
    assert [len(each.rounds) for each in found.values()] == [1, 1, 1, 1]
    api.refresh_scores(now=MADE + timedelta(days=8))
    found = reliability(MADE + timedelta(days=9))
    assert len(found["churn"].rounds) == 2
    assert len(found["clv"].rounds) == 1


def test_the_money_of_a_year_is_compared_when_the_year_is_over(shop):
    api.refresh_scores(now=MADE)
    end = MADE + timedelta(days=366)
    api.refresh_scores(now=end)
    worth = reliability(end)["clv"].rounds[-1]
    assert worth.observed is not None
    assert 0 < worth.observed < float(shop.amount.sum()) / 100


def test_the_erased_are_forgotten_and_the_merged_left_out(shop):
    api.refresh_scores(now=MADE)
    before = reliability(MADE)["churn"].rounds[0].customers
    api.forget_profiles(profile_ids=[3, 10])
    with transaction() as connection:
        connection.execute("DELETE FROM store_order WHERE profile_id IN (3, 10, 17)")
    api.refresh_scores(now=DUE)
    round_ = reliability(DUE)["churn"].rounds[-1]
    gone = len({3, 10, 17} & set(shop.customer_id[shop.day <= 10_100].tolist()))
    assert round_.customers == before - gone


def test_a_model_that_misses_otherwise_than_before_is_said_to_have_drifted(shop):
    api.refresh_scores(now=MADE)
    with transaction() as connection:
        # From a hundred days on everybody buys once more, which no model can know.
        connection.execute(
            "INSERT INTO store_order (profile_id, order_id, placed_at, total_minor, currency) "
            "SELECT DISTINCT profile_id, 'gift-' || profile_id, %s::timestamptz, 1000, 'USD' "
            "FROM store_order",
            [MADE + timedelta(days=95)],
        )
    api.refresh_scores(now=MADE + timedelta(days=8))
    assert reliability(MADE + timedelta(days=9))["churn"].drift == ""
    api.refresh_scores(now=MADE + timedelta(days=99))
    found = reliability(MADE + timedelta(days=99))["churn"]
    assert len([one for one in found.rounds if one.observed is not None]) == 2
    assert found.has_drifted
    assert found.drift.startswith("It has drifted")


def test_each_score_of_orders_says_what_moves_it(shop):
    api.refresh_scores(now=MADE)
    seen = shop.day <= 10_100
    customers, counts = np.unique(shop.customer_id[seen], return_counts=True)
    most = int(customers[counts.argmax()])
    found = api.explain_scores(profile_id=most, now=MADE)
    assert set(found) == {
        *("p_alive", "expected_purchases", "churn", "next_purchase_days", "next_basket", "clv"),
    }
    first = found["expected_purchases"][0]
    assert first.text.startswith("bought ")
    assert first.change > 0
    assert all(reason.change for reasons in found.values() for reason in reasons)
    assert api.explain_scores(profile_id=10**9, now=MADE) == {}
