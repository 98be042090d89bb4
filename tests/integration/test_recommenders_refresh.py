"""Recommenders learn from orders as they lie in the store."""

from datetime import UTC, datetime, timedelta

import msgspec

from amity.personalization import api
from amity.store import api as store
from amity.store import api_retention as keeping

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def order(number, user, products, *, days_ago=1, **more):
    at = NOW - timedelta(days=days_ago)
    return msgspec.json.encode(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": user,
            "messageId": f"o{number}",
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "properties": {
                "order_id": f"o{number}",
                "currency": "USD",
                "products": products,
                **more,
            },
        }
    )


def line(product_id, name="", price=1.5, **more):
    return {"product_id": product_id, "name": name or product_id, "price": price, **more}


def test_orders_become_products_and_neighbours(db):
    source = store.create_source(name="till", kind="server")
    tea, milk, odd = line("tea", category="Drinks"), line("milk", price="dear"), line("odd")
    events = [order(n, f"u{n}", [tea, milk, milk]) for n in range(8)]
    events += [
        order(20, "u1", [line("tea", "Green tea", 2.25, category="Drinks"), odd], days_ago=0.1)
    ]
    events += [
        order(30, "u9", "none"),
        order(31, "u9", [None, 3, {"name": "no id"}, {"product_id": ""}]),
        order(32, "u9", [line(f"bulk{n}") for n in range(501)]),
    ]
    store.append_events(source_id=source.source_id, events=events, now=NOW)
    while store.fold_batch().events:
        pass
    runs = {run.recommender: run for run in api.refresh_recommenders(now=NOW)}
    assert runs["also_bought"].baskets == 9
    assert runs["also_bought"].report["too_large"] == 1
    known = api.get_products(product_ids=["tea", "milk", "nothing"])
    assert set(known) == {"tea", "milk"}
    assert (known["tea"].name, known["tea"].price_minor, known["tea"].buyers) == (
        "Green tea",
        225,
        8,
    )
    assert known["milk"].price_minor is None
    found = api.recommend(recommender="also_bought", product_ids=["milk"])
    assert [(one.product_id, one.because) for one in found] == [("tea", "milk")]
    assert (
        api.recommend(recommender="popularity", product_ids=["milk"], limit=1)[0].product_id
        == "tea"
    )
    first = api.list_products(limit=1)
    assert first.items[0].product_id == "tea"
    assert first.next_cursor
    assert api.list_products(limit=1, cursor=first.next_cursor).items[0].product_id == "milk"
    assert [one.product_id for one in api.list_products(search="drink").items] == ["tea"]
    assert [one.product_id for one in api.list_products(search="50%_").items] == []


def test_a_shop_without_orders_learns_nothing_and_says_so(db):
    runs = api.refresh_recommenders(now=NOW)
    assert {(run.items, run.baskets) for run in runs} == {(0, 0)}
    assert api.recommend(recommender="also_bought", product_ids=["x"]) == []
    assert api.list_products().items == []


def test_old_models_are_let_go(db):
    for _ in range(5):
        api.refresh_recommenders(now=NOW)
    sweeps = keeping.index_sweeps(api.list_sweeps())
    gone = keeping.run_retention(sweeps, key="decisions", by="t", now=NOW).removed.tables
    assert gone == {"personalization_model": 4}
    from amity.infra.database import transaction

    with transaction() as connection:
        rows = connection.execute(
            "SELECT recommender, count(*) FROM personalization_model GROUP BY 1"
        ).fetchall()
    assert dict(rows) == {"also_bought": 3, "popularity": 3}
