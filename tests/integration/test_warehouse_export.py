"""Exporting to the warehouse, reading it, verifying it, erasing from it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pyarrow.parquet as pq
import pytest

from amity.analysis.logic.scoring.keeping import replace_scores
from amity.infra import database, warehouse
from amity.infra.warehouse_reading import run_sql, tables
from amity.infra.warehouse_rewriting import compact
from amity.infra.warehouse_verifying import prune_all, verify
from amity.infra.warehouse_writing import (
    ensure_exports,
    export_all,
    export_slice,
    sweep_leftovers,
    turn,
)
from amity.store import api as store
from amity.store import api_identity
from amity.web.erasing import erase_customer
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC).replace(microsecond=0)
# Looked for in the bytes of compressed files, which by chance hold anything that is short.
DEVICE, ORDER, NAME = "device-of-ann-1", "order-of-ann-1", 'Ann "the" Ünal-Montgomery'
VIEWED = {"sku": "", "said": 'two\nlines, "quoted"', "gone": None}


@pytest.fixture
def source(db):
    yield store.create_source(name="Shop", kind="server").source_id
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    assert store.append_events(source_id=source_id, events=raw, now=NOW).accepted == len(events)
    while store.fold_batch().events:
        pass


def track(name, minutes=0, properties=None, **ids):
    at = (NOW - timedelta(days=3) + timedelta(minutes=minutes)).isoformat()
    return {"type": "track", "event": name, "timestamp": at, "properties": properties or {}, **ids}


def identify(traits, minutes=0, **ids):
    return {**track("", minutes, **ids), "type": "identify", "traits": traits}


def order(order_id, total, minutes=0, **ids):
    return track("Order Completed", minutes, {"order_id": order_id, "total": total}, **ids)


def export():
    ensure_exports(list_exports())
    return export_all(list_exports())


def check():
    return verify(list_exports(), log_days=store.read_log_days, now=NOW)


def ask(sql):
    return run_sql(sql, seconds=30).to_pylist()


def tell(source):
    send(
        source,
        identify({"email": "ann@shop.test", "name": NAME}, userId="ann"),
        track("Product Viewed", 1, VIEWED, anonymousId=DEVICE),
        order(ORDER, 12.5, 2, anonymousId=DEVICE),
        identify({"email": "bob@shop.test"}, 3, userId="bob"),
        order("o-2", 7, 4, userId="bob"),
    )


def log_something_else():
    """A send and a decision, as their engines write them."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO broadcast_send (run_kind, run_id, contact_point, profile_id, class,"
            " content_id, state, not_before, not_after)"
            " VALUES ('test', 0, %s, 7, 'service', 1, 'queued', now(), now())",
            [str(uuid4())],
        )
        connection.execute(
            "INSERT INTO broadcast_campaign (name, segment_id, template_id, salt, state)"
            " VALUES ('Spring', 1, 1, 'salt', 'finished')"
        )
        connection.execute(
            "INSERT INTO broadcast_participant (campaign_id, profile_id, arm, contact_point,"
            " assigned_at) SELECT id, 7, 'holdout', %s, now() FROM broadcast_campaign",
            [str(uuid4())],
        )
        result = msgspec.msgpack.encode(([("offer-a", 0.25, 1.5, "")], b"\0"))
        connection.execute(
            "INSERT INTO personalization_decision (id, decided_at, profile_id, placement_id,"
            " channel, snapshot_id, seed, policy, request, facts, result)"
            " VALUES (%s, now(), 7, 1, 'web', 1, 3, 'thompson', '{}', '', %s)",
            [uuid4(), result],
        )


def test_all_tables_come_over_once_and_verify(source):
    tell(source)
    log_something_else()
    rows = export()
    assert rows["events"] == 5
    assert rows["profiles"] == 3
    assert rows["orders"] >= 2
    assert (rows["sends"], rows["decisions"], rows["participants"]) == (1, 1, 1)
    drawn = ask("SELECT profile_id, arm, window_seconds, held_rate_micro FROM participants")
    told = {"arm": "holdout", "window_seconds": 7 * 86400, "held_rate_micro": 100_000}
    assert drawn == [{"profile_id": 7} | told]
    assert export() == dict.fromkeys(rows, 0)
    done = check()
    assert done.is_clean, done.differences
    assert done.rows["events"] == 5
    assert done.rows["decisions"] == 1

    people = ask("SELECT name, email FROM profiles WHERE user_id = 'ann'")
    assert people == [{"name": NAME, "email": "ann@shop.test"}]
    viewed = ask("SELECT properties FROM events WHERE name = 'Product Viewed'")
    assert msgspec.json.decode(viewed[0]["properties"]) == VIEWED
    items = ask("SELECT items FROM decisions")[0]["items"]
    assert msgspec.json.decode(items) == [{"item": "offer-a", "propensity": 0.25, "score": 1.5}]
    assert ask("SELECT sum(total_minor)::BIGINT AS revenue FROM orders") == [{"revenue": 1950}]
    assert warehouse.status(now=datetime.now(UTC)).is_clean is True


def person(user_id):
    (found,) = [r for r in store.list_profiles(limit=9).items if r.user_id == user_id]
    return found.profile_id


def keep_scores(scores):
    with database.transaction() as connection:
        run = connection.execute(
            "INSERT INTO analysis_model_run (estimator, customers, parameters, report)"
            " VALUES ('test', 2, '{}', '{\"version\": \"3\"}') RETURNING id"
        ).fetchone()
        rows = [(*each, "", None, None, run[0]) for each in scores]
        replace_scores(connection, names=["clv", "churn"], rows=rows)


def test_scores_come_with_their_model_and_go_when_they_are_gone(source):
    tell(source)
    ann, bob = person("ann"), person("bob")
    keep_scores(
        [(ann, "clv", 0.1), (ann, "churn", None), (bob, "clv", 1e300), (bob, "churn", -0.0)]
    )
    assert export()["scores"] == 4
    assert check().is_clean
    held = ask("SELECT value, percentile, estimator, model_version FROM scores WHERE value > 1")
    assert held == [{"value": 1e300, "percentile": 75.0, "estimator": "test", "model_version": "3"}]
    assert ask("SELECT profile_id FROM scores WHERE value IS NULL") == [{"profile_id": ann}]
    assert export()["scores"] == 0
    keep_scores([(ann, "clv", 1 / 3), (ann, "churn", float("inf"))])
    keep_scores([(ann, "clv", 1 / 3), (bob, "churn", 5.0)])
    assert export()["scores"] == 4, "two that hold, and two that are gone"
    done = check()
    assert done.is_clean, done.differences
    assert done.rows["scores"] == 2
    held = ask("SELECT profile_id, name, value FROM scores ORDER BY name")
    assert held == [
        {"profile_id": bob, "name": "churn", "value": 5.0},
        {"profile_id": ann, "name": "clv", "value": 1 / 3},
    ]
    with database.transaction() as connection:
        connection.execute("UPDATE warehouse_gone SET gone_at = now() - interval '2 days'")
    prune_all(list_exports())
    sizes = {table.name: table for table in warehouse.status(now=NOW).tables}
    assert sizes["scores"].rows == 2, "older versions are gone too"
    assert check().is_clean
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM warehouse_gone").fetchone() == (0,)


def test_households_and_what_was_said_of_them_come_and_go(source):
    home = {"street": "Main St. 5", "postalCode": "1010"}
    for user_id, name in (("ann", "Ann Lee"), ("bob", "Bob Lee"), ("cy", "Cy Lee")):
        mail = f"{user_id}@firm.test"
        send(source, identify({"name": name, "address": home, "email": mail}, userId=user_id))
    ann, bob, cy = map(person, ("ann", "bob", "cy"))
    api_identity.gather_links(now=NOW)
    assert export()["links"] == 6
    api_identity.gather_links(now=NOW)
    assert export()["links"] == 0, "what is as it was is not told again"

    away = {"street": "Away Rd. 1", "postalCode": "9999"}
    send(source, identify({"address": away}, 5, userId="cy"))
    api_identity.gather_links(now=NOW)
    api_identity.reject_link(profile_id=ann, kind="household", by="Tests", now=NOW)
    rows = export()
    assert (rows["links"], rows["link_reviews"]) == (1, 1)
    homes = ask("SELECT profile_id FROM links WHERE kind = 'household' ORDER BY 1")
    assert homes == [{"profile_id": ann}, {"profile_id": bob}]
    assert ask("SELECT state, one_id, other_id FROM link_reviews") == [
        {"state": "rejected", "one_id": ann, "other_id": bob}
    ]
    assert check().is_clean

    api_identity.reject_link(profile_id=cy, kind="company", by="Tests", now=NOW)
    api_identity.restore_link(profile_id=ann, kind="household", by="Tests", now=NOW)
    export()
    assert check().is_clean
    assert ask("SELECT DISTINCT kind FROM link_reviews") == [{"kind": "company"}]
    keep_scores([(bob, "clv", 5.0), (cy, "clv", 1.0)])
    export()
    erase_customer(profile_id=bob, by="Tests", now=NOW)
    held = ask(
        "SELECT profile_id AS id FROM links UNION SELECT profile_id FROM scores UNION "
        "SELECT one_id FROM link_reviews UNION SELECT other_id FROM link_reviews ORDER BY 1"
    )
    assert held == [{"id": ann}, {"id": cy}]
    for path in warehouse.folder().rglob("links/**/*.parquet"):
        assert bob not in pq.ParquetFile(path).read()["profile_id"].to_pylist()
    assert check().is_clean


def test_lines_of_orders_are_told_with_what_can_be_read_of_them(source):
    lines = [
        {"product_id": "b", "category": "Bakery", "quantity": 2.5, "price": 3.2, "cost": "1.5"},
        {"product_id": 7, "name": "Wine", "price": "dear", "quantity": "3"},
        "no line",
        {"price": 5e-2},
        {"product_id": "back", "quantity": -2, "price": 4},
    ]
    told = {"order_id": "o-1", "total": 9, "products": lines}
    send(source, track("Order Completed", 1, told, userId="ann"))
    send(source, track("Order Completed", 2, told | {"products": 5}, userId="bob"))
    assert export()["order_lines"] == 4
    assert check().is_clean
    assert ask(
        "SELECT product_id, category, quantity_milli, amount_micro, cost_micro FROM order_lines"
        " ORDER BY line"
    ) == [
        dict(
            zip(
                ("product_id", "category", "quantity_milli", "amount_micro", "cost_micro"),
                row,
                strict=True,
            )
        )
        for row in (
            ("b", "Bakery", 2500, 8_000_000, 3_750_000),
            ("7", None, 3000, None, None),
            (None, None, 1000, 50_000, None),
            ("back", None, 0, 0, None),
        )
    ]


def test_rows_that_change_hold_once_in_their_latest_version(source):
    tell(source)
    log_something_else()
    export()
    with database.transaction() as connection:
        connection.execute("UPDATE broadcast_send SET state = 'sent', settled_at = now()")
    send(source, {"type": "alias", "previousId": DEVICE, "userId": "ann"})
    send(source, identify({"email": "ann@new.test"}, 9, userId="ann"))
    rows = export()
    assert rows["sends"] == 1
    assert ask("SELECT state FROM sends") == [{"state": "sent"}]
    assert check().is_clean
    people = ask("SELECT profile_id, root_id FROM profiles")
    assert len(people) == 3
    assert len({each["root_id"] for each in people}) == 2
    by_customer = ask(
        "SELECT p.root_id, count(*) AS n FROM events e"
        " JOIN profiles p ON p.profile_id = e.origin_id GROUP BY 1 ORDER BY 2"
    )
    assert [each["n"] for each in by_customer] == [2, 5]
    assert ask("SELECT count(*) AS n FROM orders") == [{"n": 2}]


def test_a_merge_taken_back_moves_rows_and_leaves_nothing_of_the_other(source):
    tell(source)
    send(source, {"type": "alias", "previousId": DEVICE, "userId": "ann"})
    send(source, track("Cart Viewed", 8, anonymousId=DEVICE))
    export()
    (ann,) = [r for r in store.list_profiles(limit=9).items if r.user_id == "ann"]
    (merge,) = store.list_merges(profile_id=ann.profile_id).items
    store.unmerge(merge_id=merge.merge_id, by="Tests", now=NOW)
    while store.fold_batch().events:
        pass
    export()
    done = check()
    assert done.is_clean, done.differences
    # Ann's old rows, in which the device's order was hers, are not kept as an older version.
    with database.transaction() as connection:
        files = connection.execute("SELECT path FROM warehouse_file WHERE export = 'orders'")
        paths = [str(warehouse.folder() / row[0]) for row in files]
    held = [r for path in paths for r in pq.ParquetFile(path).read().to_pylist() if r["order_id"]]
    assert sorted((r["order_id"], r["profile_id"] == ann.profile_id) for r in held) == [
        ("o-2", False),
        (ORDER, False),
    ]


def test_an_erased_customer_is_in_no_byte_of_the_files(source):
    tell(source)
    log_something_else()
    export()
    send(source, {"type": "alias", "previousId": DEVICE, "userId": "ann"})
    send(source, identify({"email": "ann@later.test"}, 9, userId="ann"))
    export()
    (ann,) = [r for r in store.list_profiles(limit=9).items if r.user_id == "ann"]
    counts = erase_customer(profile_id=ann.profile_id, by="Tests", now=NOW)
    assert counts["warehouse_events"] == 5
    export()
    marks = ("ann@shop.test", "ann@later.test", DEVICE, ORDER, "nal-montgomery")
    for path in warehouse.folder().rglob("*"):
        if path.is_file():
            told = repr(pq.ParquetFile(path).read().to_pylist())
            raw = path.read_bytes().lower() + told.lower().encode()
            found = [mark for mark in marks if mark.encode() in raw]
            assert not found, (path, found)
    done = check()
    assert done.is_clean, done.differences
    assert ask("SELECT count(*) AS n FROM events") == [{"n": 2}]
    assert ask("SELECT email FROM profiles") == [{"email": "bob@shop.test"}]
    assert warehouse.status(now=NOW).forgetting == 0


def test_files_are_put_together_and_say_the_same(source):
    tell(source)
    export()
    for number in range(6):
        send(source, identify({"visits": number}, 10 + number, userId="ann"))
        export()
    before = warehouse.status(now=NOW)
    assert compact(many=2) > 10
    after = warehouse.status(now=NOW)
    assert after.files < before.files
    assert check().is_clean
    sizes = {table.name: table for table in after.tables}
    assert sizes["profiles"].files == 1
    assert sizes["profiles"].rows == 3  # older versions are gone
    assert ask("SELECT traits FROM profiles WHERE user_id = 'ann'")[0]["traits"].count("5") == 1


def test_verify_names_what_differs(source):
    tell(source)
    log_something_else()
    export()
    with database.transaction("owner") as connection:
        connection.execute("UPDATE store_activity SET properties = '{}' WHERE name LIKE 'Product%'")
        connection.execute("DELETE FROM personalization_decision")
    done = check()
    said = {(each.table, each.message) for each in done.differences}
    assert not done.is_clean
    assert ("events", "5 rows here are not those in the source") in said
    assert ("decisions", "1 rows here, 0 in the source") in said
    assert warehouse.status(now=NOW).is_clean is False
    assert prune_all(list_exports())["decisions"] == 1
    assert {each.table for each in check().differences} == {"events"}

    with database.transaction() as connection:
        paths = [row[0] for row in connection.execute("SELECT path FROM warehouse_file")]
    place = warehouse.folder() / paths[0]
    raw = bytearray(place.read_bytes())
    raw[len(raw) // 2] ^= 1
    place.write_bytes(raw)
    (warehouse.folder() / paths[1]).unlink()
    assert sorted(each.message for each in check().differences) == sorted(
        [f"{paths[0]} is not what was written", f"{paths[1]} is missing"]
    )


def test_an_event_missing_from_the_log_is_told(source):
    tell(source)
    export()
    with database.transaction("owner") as connection:
        connection.execute(
            "DELETE FROM store_event_log WHERE id = (SELECT min(id) FROM store_event_log)"
        )
    assert "5 rows here, 4 in the log" in {each.message for each in check().differences}


def test_a_rebuild_has_the_store_s_tables_written_anew(source):
    tell(source)
    export()
    store.rebuild()
    assert export()["events"] == 5
    assert sweep_leftovers() > 0
    assert check().is_clean


def test_only_one_writes_at_a_time(source):
    tell(source)
    ensure_exports(list_exports())
    (events, *_) = list_exports()
    with turn() as connection:
        assert connection is not None
        assert export_slice(events, waits=False) is None
    assert export_slice(events, waits=False) == (5, True)


def test_small_slices_come_to_the_same(source):
    tell(source)
    ensure_exports(list_exports())
    assert export_all(list_exports(), limit=1)["events"] == 5
    assert check().is_clean


def test_a_table_of_another_shape_begins_anew(source):
    tell(source)
    export()
    (events, *others) = list_exports()
    columns = {n: k for n, k in events.shape.columns.items() if n != "context"}
    shape = msgspec.structs.replace(events.shape, columns=columns)
    narrow = msgspec.structs.replace(
        events,
        shape=shape,
        rows=b"SELECT e.* FROM (" + events.rows + b") AS e",
    )
    ensure_exports([narrow, *others])
    assert export_all([narrow])["events"] == 5
    assert "context" not in tables()["events"].columns


def test_a_turn_of_the_worker_does_all_of_it(source):
    from amity.web.warehousing import Exporter

    tell(source)
    exporter = Exporter()
    assert exporter.turn() == 0
    leftover = warehouse.folder() / "events" / "part-of-a-dead-writer.parquet"
    leftover.write_bytes(b"x")
    assert exporter.turn() == 0
    assert not leftover.exists()
    assert check().rows["events"] == 5
