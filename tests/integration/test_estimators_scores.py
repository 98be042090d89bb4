"""Scores computed from the store's orders, and kept."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api
from amity.analysis.logic.reporting.entering import enter_fact
from amity.analysis.logic.scores import LOCK
from amity.infra import queries
from amity.infra.config import override
from amity.infra.database import transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import NotFound
from amity.store import api as store
from amity.testing.estimators_kit import make_transactions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = EPOCH + timedelta(days=10_200, hours=12)
SQL = queries.load("amity.analysis")


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


@pytest.fixture
def town(db):
    """A shop of many, and Ann, who has ordered three times; scored, and followed up to now."""
    purchases = make_transactions(seed=5, customers=500)
    # Apart from the profiles that events make.
    purchases = msgspec.structs.replace(purchases, customer_id=purchases.customer_id + 10_000)
    put_orders(as_orders(purchases))
    source_id = store.create_source(name="Shop", kind="server").source_id
    for days in (200, 120, 40):
        order(source_id, "ann", total=30, at=NOW - timedelta(days=days))
    api.refresh_scores(now=NOW)
    api.follow_scores(now=NOW)
    return source_id


def order(source_id, user, *, at, name="Order Completed", **about):
    body = {"type": "track", "event": name, "userId": user, "timestamp": format_instant(at)}
    body["properties"] = {"order_id": f"{user} {at}", "currency": "USD"} | about
    store.append_events(
        source_id=source_id, events=[msgspec.json.encode(body)], now=datetime.now(UTC)
    )
    while store.fold_batch().events:
        pass
    return store.find_profile(kind="user_id", value=user).profile_id


def rows_of(query, *given):
    with transaction() as connection:
        return connection.execute(query, given).fetchall()


def test_who_orders_is_predicted_anew_by_the_models_there_are(town):
    ann, other = store.find_profile(kind="user_id", value="ann").profile_id, 10_003
    often = {
        "node": "score",
        "score": "rfm",
        "is": {"op": "gt", "value": scores_of(ann)["rfm"].value},
    }
    api.create_segment(name="Rose", rule=often, by="t", now=NOW)
    later = NOW + timedelta(hours=2)
    assert api.follow_scores(now=later).events == 0
    before = {who: scores_of(who) for who in (ann, other)}
    runs, predicted = (
        count_of("analysis_model_run"),
        rows_of("SELECT * FROM analysis_reliability r ORDER BY score, predicted_at, place"),
    )
    graded = rows_of("SELECT * FROM analysis_prediction ORDER BY score, profile_id")
    order(town, "ann", total=50, at=later)
    stranger = order(town, "ned", total=20, at=later)
    assert api.follow_scores(now=later).events == 2
    after = {who: scores_of(who) for who in (ann, other, stranger)}
    assert after[other] == before[other]
    assert {score.computed_at for score in after[ann].values()} == {later}
    assert after[ann]["rfm"].value > before[ann]["rfm"].value
    assert after[ann]["churn"].value < before[ann]["churn"].value
    assert after[ann]["p_alive"].low <= after[ann]["p_alive"].value <= after[ann]["p_alive"].high
    assert sorted(after[stranger]) == sorted(after[ann])
    assert 0 <= after[stranger]["churn"].percentile <= 100
    # What will be graded stays what was said when everybody was scored.
    assert count_of("analysis_model_run") == runs
    assert predicted == rows_of(
        "SELECT * FROM analysis_reliability r ORDER BY score, predicted_at, place"
    )
    assert graded == rows_of("SELECT * FROM analysis_prediction ORDER BY score, profile_id")
    # Segments that ask for a score hear of it.
    asked = rows_of("SELECT name, profile_id FROM analysis_recheck")
    assert sorted(asked) == sorted(("rfm", who) for who in (ann, stranger))
    # Fitting anew with the same orders says nearly the same.
    api.refresh_scores(now=later)
    for name in ("p_alive", "expected_purchases", "churn", "clv"):
        assert scores_of(ann)[name].value == pytest.approx(after[ann][name].value, rel=0.1)


def test_what_was_renewed_or_went_is_exported(town):
    with transaction() as connection:
        connection.execute(
            "INSERT INTO warehouse_export (name, shape) VALUES ('scores', '{}')"
            " ON CONFLICT DO NOTHING"
        )
    ned = order(town, "ned", total=20, at=NOW)
    (horizon,) = rows_of(SQL["warehouse_horizon"])[0]
    api.follow_scores(now=NOW)
    names = set(scores_of(ned))
    order(town, "ned", at=NOW, name="Order Cancelled")
    with transaction() as connection:
        exported = connection.execute(SQL["warehouse_scores"], {"after": horizon}).fetchall()
    assert {(row[1], row[2]) for row in exported} == {(ned, name) for name in names}
    assert {row[-1] for row in exported} == {NOW}
    api.follow_scores(now=NOW)
    assert scores_of(ned) == {}
    gone = rows_of("SELECT key FROM warehouse_gone WHERE export = 'scores'")
    assert {key for (key,) in gone} == {f"{ned}:{name}" for name in names}


def test_while_all_are_scored_nobody_is_renewed_and_nothing_is_missed(town):
    ned = order(town, "ned", total=20, at=NOW)
    with transaction() as connection:
        connection.execute(SQL["scores_lock"], [LOCK])
        assert api.follow_scores(now=NOW).events == 0
    assert api.follow_scores(now=NOW).events == 1
    assert scores_of(ned)


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
