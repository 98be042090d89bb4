"""Scores computed from the store's orders, and kept."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api
from amity.analysis.logic.reporting.entering import enter_fact
from amity.infra.config import override
from amity.infra.database import transaction
from amity.kernel.errors import NotFound
from amity.testing.estimators_kit import make_transactions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = EPOCH + timedelta(days=10_200, hours=12)


def put_orders(orders):
    """Put (profile, order, placed_at, total, currency, refunded, refunded whole, cancelled)."""
    with (
        transaction() as connection,
        connection.cursor() as cursor,
        cursor.copy(
            "COPY store_order (profile_id, order_id, placed_at, total_minor, currency, "
            "refunded_minor, is_refunded, is_cancelled) FROM STDIN"
        ) as copy,
    ):
        for order in orders:
            copy.write_row(order)


def as_orders(purchases):
    return [
        (customer, str(place), EPOCH + timedelta(days=day, hours=9), amount, "USD", 0, False, False)
        for place, (customer, day, amount) in enumerate(
            zip(
                purchases.customer_id.tolist(),
                purchases.day.tolist(),
                purchases.amount.tolist(),
                strict=True,
            )
        )
    ]


@pytest.fixture
def shop(db):
    purchases = make_transactions(seed=5, customers=500)
    put_orders(as_orders(purchases))
    return purchases


def test_every_customer_gets_every_score(shop):
    runs = api.refresh_scores(now=NOW)
    assert [run.estimator for run in runs] == ["rfm", "bgnbd", "gamma_gamma", "pareto_nbd"]
    scores = scores_of(3)
    assert sorted(scores) == [
        *("churn", "clv", "expected_purchases", "next_basket", "next_purchase_days"),
        *("p_alive", "rfm"),
    ]
    assert 1 - scores["p_alive"].value <= scores["churn"].value <= 1
    wait = scores["next_purchase_days"]
    assert 0 < wait.low < wait.value < wait.high
    assert scores["next_basket"].low < scores["next_basket"].value < scores["next_basket"].high
    assert 0 <= scores["p_alive"].low <= scores["p_alive"].value <= scores["p_alive"].high <= 1
    assert scores["expected_purchases"].value <= scores["expected_purchases"].high
    assert scores["clv"].value > 0
    numbers, word = scores["rfm"].label.split(" ", 1)
    assert sum(map(int, numbers.split("-"))) == scores["rfm"].value
    assert word
    assert all(score.computed_at == NOW for score in scores.values())
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT name, count(*) FROM analysis_score GROUP BY name"
        ).fetchall()
    assert dict(rows) == dict.fromkeys(scores, len(set(shop.customer_id.tolist())))


def test_runs_are_kept_with_their_check_against_held_out_time(shop):
    made = {run.estimator: run for run in api.refresh_scores(now=NOW)}
    kept = api.get_latest_run(estimator="bgnbd")
    assert kept == msgspec.structs.replace(made["bgnbd"], report=kept.report)
    assert msgspec.json.decode(msgspec.json.encode(made["bgnbd"].report)) == kept.report
    check = kept.report["calibration"]
    assert sum(group["customers"] for group in check["groups"]) == check["customers"]
    assert check["horizon_days"] > 40
    assert abs(check["error_rate"]) < 0.5
    assert set(kept.parameters) == {"r", "alpha", "a", "b"}
    assert kept.report["version"] == 1
    rival = api.get_latest_run(estimator="pareto_nbd")
    assert rival.report["calibration"]["customers"] == check["customers"]
    value = api.get_latest_run(estimator="gamma_gamma").report["clv"]
    assert (value["months"], value["yearly_discount_rate"]) == (12, 0.1)


def test_profit_needs_a_margin_and_heeds_what_an_order_costs(shop):
    def report():
        return {run.estimator: run for run in api.refresh_scores(now=NOW)}["gamma_gamma"].report

    assert "no margin rate" in report()["profit"]["refused"]
    cost = {"unit": "order", "amount_minor": 300, "currency": "USD"}
    with override(margin_rate=0.4):
        free = report()["profit"]
        scores = {score.name: score for score in api.list_scores(profile_id=3)}
        assert scores["profit"].low < scores["profit"].value < scores["profit"].high
        assert scores["profit"].value == pytest.approx(0.4 * scores["clv"].value, rel=1e-3)
        enter_fact(kind="unit_cost", fact=cost, by="t", now=NOW)
        costly = report()["profit"]
    assert costly["cost_per_order"] == 3.0
    assert costly["total"] < free["total"]
    assert costly["low"] < costly["total"] < costly["high"]


def test_refreshing_again_replaces_and_changes_nothing(shop):
    api.refresh_scores(now=NOW)
    before = api.list_scores(profile_id=10)
    api.refresh_scores(now=NOW)
    assert api.list_scores(profile_id=10) == before


def test_who_has_just_ordered_is_predicted_anew_by_the_models_there_are(shop):
    api.refresh_scores(now=NOW)
    later = NOW + timedelta(hours=2)
    assert api.refresh_recent_scores(now=later) == 0
    stranger = 99_999
    before = {who: scores_of(who) for who in (3, 10)}
    put_orders(
        [
            (3, "new", later - timedelta(minutes=9), 5_000, "USD", 0, False, False),
            (stranger, "first", later - timedelta(minutes=5), 2_000, "USD", 0, False, False),
        ]
    )
    runs = count_of("analysis_model_run")
    assert api.refresh_recent_scores(now=later) == 2
    assert count_of("analysis_model_run") == runs
    after = {who: scores_of(who) for who in (3, 10, stranger)}
    assert after[10] == before[10]
    assert after[3]["rfm"] == before[3]["rfm"]
    assert after[3]["churn"].value < before[3]["churn"].value
    assert after[3]["p_alive"].low <= after[3]["p_alive"].value <= after[3]["p_alive"].high
    assert "rfm" not in after[stranger]
    assert after[stranger]["expected_purchases"].value > 0
    assert 0 <= after[stranger]["churn"].percentile <= 100
    assert api.refresh_recent_scores(now=later) == 0
    # Fitting anew with the same orders says nearly the same.
    api.refresh_scores(now=later)
    again = scores_of(3)
    for name in ("p_alive", "expected_purchases", "churn", "clv"):
        assert again[name].value == pytest.approx(after[3][name].value, rel=0.1)


def scores_of(profile_id):
    return {score.name: score for score in api.list_scores(profile_id=profile_id)}


def count_of(table):
    with transaction("readonly") as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_orders_that_come_later_are_not_looked_at(shop):
    api.refresh_scores(now=EPOCH + timedelta(days=10_050))
    assert api.get_latest_run(estimator="rfm").customers < len(set(shop.customer_id.tolist()))


def test_cancelled_orders_do_not_count_and_refunds_bring_nothing(db):
    put_orders(
        [
            *as_orders(make_transactions(seed=5, customers=500)),
            (1, "cancelled", NOW - timedelta(days=1), 999, "USD", 0, False, True),
            (1, "only refunded so far", None, 0, "", 500, False, False),
        ]
    )
    api.refresh_scores(now=NOW)
    assert api.list_scores(profile_id=1) == []


def test_other_currencies_are_said(shop):
    put_orders([(3, "euro", NOW - timedelta(days=1), 999, "EUR", 0, False, False)])
    runs = {run.estimator: run for run in api.refresh_scores(now=NOW)}
    assert any("1 orders in other currencies" in w for w in runs["gamma_gamma"].report["warnings"])


def test_a_new_shop_is_told_why_there_are_no_predictions(db):
    with pytest.raises(NotFound):
        api.get_latest_run(estimator="bgnbd")
    runs = {run.estimator: run for run in api.refresh_scores(now=NOW)}
    assert "there are 0" in runs["bgnbd"].report["refused"]
    assert api.get_latest_run(estimator="bgnbd").parameters == {}
    assert api.list_scores(profile_id=1) == []


def test_scores_of_before_go_when_the_data_no_longer_carry_them(shop):
    api.refresh_scores(now=NOW)
    with transaction() as connection:
        connection.execute("DELETE FROM store_order WHERE profile_id > 60")
    runs = {run.estimator: run for run in api.refresh_scores(now=NOW)}
    assert "refused" in runs["bgnbd"].report
    assert [score.name for score in api.list_scores(profile_id=3)] == ["rfm"]
