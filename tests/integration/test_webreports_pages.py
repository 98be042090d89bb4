"""The pages of reports: the gallery, an answer, who is behind a row, files, views, costs."""

import io
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow.parquet as pq
import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.analysis import api_models, api_work
from amity.analysis import api_reports as reports
from amity.infra import warehouse
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.store import api as store
from amity.testing.working import work_off
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)


@pytest.fixture
def client(db):
    from amity.web.staff.models import Staff

    made = Client(SERVER_NAME="localhost")
    made.force_login(Staff.objects.create_user("ann", password="x" * 12, role="analyst"))
    yield made
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def sell(*orders):
    source_id = store.create_source(name="Shop", kind="server").source_id
    events = [
        {
            "type": "track",
            "event": "Order Completed",
            "timestamp": (NOW - timedelta(days=days)).isoformat(),
            "userId": user,
            "properties": {"order_id": f"o-{number}", "total": total},
        }
        for number, (user, days, total) in enumerate(orders)
    ]
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    return source_id


def test_an_answer_is_asked_for_shown_opened_and_taken_away(client):
    sell(("ann", 3, 20), ("ann", 8, 12), ("bob", 3, 9.5))
    first = client.get("/reports/dimensions/?days=30")
    assert b"This was not asked before" in first.content
    assert b'hx-post="/reports/dimensions/refresh/?days=30"' in first.content
    client.post("/reports/dimensions/refresh/?days=30")
    [work] = api_work.list_work()
    live = client.get(f"/reports/work/{work.work_id}/")
    assert b"Waiting for its turn" in live.content
    assert b"for ann" in live.content
    assert client.get(f"/segments/work/{work.work_id}/").status_code == 404
    work_off(now=NOW)
    assert client.get(f"/reports/work/{work.work_id}/")["HX-Refresh"] == "true"
    page = client.get("/reports/dimensions/?days=30").content.decode()
    assert "41.50 USD" in page
    assert "How it is counted" in page
    assert "The answer is as of" in page
    assert 'data-figure="periods-1-figure"' in page

    opened = reports.open_report(name="dimensions", given={"days": "30"}, now=NOW)
    table = opened.state.run.answer.table("periods")
    row = max(table.rows, key=lambda row: row[2])
    who = f"table=periods&row={table.key_of(row)}"
    where = f"/reports/dimensions/customers/?days=30&{who}"
    assert b'hx-trigger="load"' in client.get(where).content, "it asks itself, by a POST"
    client.post(where.replace("/?", "/find/?"))
    work_off(now=NOW)
    shown = client.get(where).content.decode()
    assert f"{row[2]} customer" in shown
    assert "bob" in shown
    assert client.get(f"/reports/dimensions/customers/?days=30&{who}x").status_code == 404

    csv = client.get("/reports/dimensions/tables/periods/csv/?days=30").content.decode()
    assert csv.splitlines()[0] == "period,acquired,customers,orders,net_USD,per_customer_USD"
    parquet = client.get("/reports/dimensions/tables/periods/parquet/?days=30").content
    assert sum(pq.read_table(io.BytesIO(parquet))["net_minor"].to_pylist()) == 4150
    assert client.get("/reports/dimensions/tables/nothing/csv/?days=30").status_code == 404
    assert client.get("/reports/dimensions/tables/periods/xls/?days=30").status_code == 404


def test_what_cannot_be_asked_says_so_and_an_empty_shop_explains_itself(client):
    sell()
    wrong = client.get("/reports/dimensions/?days=0", follow=True)
    assert b"Days is from 1" in wrong.content
    assert client.get("/reports/nothing/").status_code == 404
    client.post("/reports/dimensions/refresh/")
    [work] = api_work.list_work()
    client.post(f"/reports/work/{work.work_id}/stop/")
    assert b"ann stopped it before" in client.get("/reports/dimensions/").content
    client.post("/reports/dimensions/refresh/")
    work_off(now=NOW)
    assert b"Orders arrive as Order Completed" in client.get("/reports/dimensions/").content


def test_who_is_behind_a_row_is_followed_as_a_segment_where_a_rule_says_who(client):
    source_id = sell(("ann", 3, 20), ("bob", 400, 20), ("cem", 3, 5))
    told = [
        {"type": "identify", "userId": user, "traits": {"acquisition_channel": "search"}}
        for user in ("ann", "bob")
    ]
    raw = [msgspec.json.encode(one) for one in told]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass
    export_all(list_exports())
    reports.run_report(name="acquisition", given={}, now=NOW)
    where = "table=channels&row=search"
    client.post(f"/reports/acquisition/customers/find/?{where}")
    work_off(now=NOW)
    page = client.get(f"/reports/acquisition/customers/?{where}").content.decode()
    assert "1 customer behind this row" in page
    assert "Follow them as a segment" in page
    client.post(f"/reports/acquisition/customers/segment/?{where}", {"name": "Won by search"})
    [segment] = analysis.list_segments()
    assert segment.name == "Won by search"
    assert analysis.preview(rule=segment.rule, now=NOW).members == 1


def test_rules_of_rows_find_who_is_behind_them(client):
    sell(("ann", 3, 20), ("ann", 40, 20), ("bob", 45, 20), ("cem", 3, 5), ("dan", 100, 9))
    given = {"currency": "USD"}
    run = reports.run_report(name="rfm_grid", given=given, now=NOW)
    table, found = run.answer.table("cells"), 0
    for number, row in enumerate(table.rows):
        key = table.key_of(row)
        rule = reports.find_row_rule(name="rfm_grid", given=given, table="cells", key=key, now=NOW)
        if rule is None:
            assert not table.row(number)["customers"]
            continue
        assert (
            analysis.preview(rule=rule.rule, now=NOW).members == table.row(number)["customers"]
        ), row
        found += table.row(number)["customers"]
    assert found == 4


def test_whose_latest_answer_is_of_a_camp_is_followed(client):
    source_id = sell(("ann", 3, 20))
    told = [("ann", 9, 2), ("ann", 3, 1), ("bob", 3, 2), ("bob", 9, 1), ("cem", 10, 3)]
    events = [
        {
            "type": "track",
            "event": "Survey Answered",
            "timestamp": (NOW - timedelta(days=days)).isoformat(),
            "userId": user,
            "properties": {"kind": "nps", "answer": value, "post": "shop"},
        }
        for user, value, days in told
    ]
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass
    export_all(list_exports())
    run = reports.run_report(name="satisfaction", given={}, now=NOW)
    counts = {row[0]: row[2] for row in run.answer.table("camps").rows}
    assert counts == {"well": 2, "between": 0, "badly": 1}
    for camp, customers in counts.items():
        rule = reports.find_row_rule(
            name="satisfaction", given={}, table="camps", key=camp, now=NOW
        )
        assert analysis.preview(rule=rule.rule, now=NOW).members == customers, camp


def visit(source_id, *told):
    """Record events: user, name, days ago, properties."""
    raw = [
        msgspec.json.encode(
            {
                "type": "track",
                "event": name,
                "timestamp": (NOW - timedelta(days=days)).isoformat(),
                "userId": user,
                "properties": properties,
            }
        )
        for user, name, days, properties in told
    ]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass


ROWS = {
    # report: (question, table, whether a rule says who is in a row)
    "funnel": (
        {"steps": "Product Viewed [category = Tea] > Product Added > Order Completed"},
        {"steps": lambda row: row["step"] < 3, "stopped": lambda row: row["step"] == 1},
    ),
    "cohorts": ({"days": "300", "by": "month"}, {"cohorts": lambda row: row["offset"] == 0}),
    "penetration": ({}, {"categories": lambda row: row["category"] != "no category told"}),
    "baskets": ({"least_together": "1"}, {"items": lambda row: True}),
    "lifecycle": ({}, {"stages": lambda row: row["stage"] in {"transact", "service"}}),
    "leaving": ({"quiet_days": "60"}, {"reasons": lambda row: True}),
    "scorecard": (
        {},
        {"lacking": lambda row: row["figure"] in {"reachable", "retention", "asked"}},
    ),
}


def test_rules_of_rows_of_behaviour_find_who_is_behind_them(client):
    tea, soap = {"category": "Tea", "price": 4}, {"category": "Soap", "price": 3}
    first = {"order_id": "1", "total": 7, "products": [tea, soap]}
    source_id = sell(("dan", 200, 9), ("eve", 100, 9), ("fay", 95, 9))
    visit(
        source_id,
        ("ann", "Product Viewed", 3.5, {"category": "Tea"}),
        ("ann", "Product Added", 3.4, {}),
        ("ann", "Order Completed", 3.3, first),
        ("bob", "Product Viewed", 5, {"category": "Tea"}),
        ("bob", "Product Added", 2, {}),
        ("cem", "Product Viewed", 5, {"category": "Soap"}),
        ("cem", "Product Added", 4.9, {}),
        ("cem", "Order Completed", 4.8, {"order_id": "2", "total": 3, "products": [soap]}),
        ("cem", "Ticket Opened", 2, {}),
        ("eve", "Account Closed", 90, {"reason": "price"}),
        ("fay", "Account Closed", 90, {}),
    )
    ensure_exports(list_exports())
    export_all(list_exports())
    for report, (given, said) in ROWS.items():
        run = reports.run_report(name=report, given={"days": "300"} | given, now=NOW)
        for name, is_said in said.items():
            table = run.answer.table(name)
            found = 0
            for number, row in enumerate(table.rows):
                told = table.row(number)
                key = {"table": name, "key": table.key_of(row), "given": {"days": "300"} | given}
                rule = reports.find_row_rule(name=report, **key, now=NOW)
                assert (rule is not None) == is_said(told), (report, told)
                if rule is not None:
                    members = analysis.preview(rule=rule.rule, now=NOW).members
                    assert members == told[table.counted], (report, told)
                    found += members
            assert found, (report, name)


def test_zones_tenths_and_cells_are_followed_by_the_scores_of_the_night(client):
    users = [f"u{number}" for number in range(12)]
    source_id = sell(
        *(
            (user, 3 + day, 10 + 7 * at)
            for at, user in enumerate(users)
            for day in range(1 + at % 4)
        )
    )
    answers = {"kind": "nps", "post": "shop"}
    visit(
        source_id,
        *(
            (user, "Survey Answered", 2, answers | {"answer": 3 + at % 8})
            for at, user in enumerate(users)
        ),
    )
    ensure_exports(list_exports())
    export_all(list_exports())
    tables = {"pareto": ("zones", "deciles"), "loyalty": ("cells",)}
    for report in tables:
        reports.run_report(name=report, given={}, now=NOW)
    [zone] = [row for row in _rows_of("pareto", "zones") if row[0].startswith("Retain~")]
    where = f"/reports/pareto/customers/?table=zones&row={zone[0]}"
    client.post(where.replace("/?", "/find/?"))
    work_off(now=NOW)
    page = client.get(where).content.decode()
    assert "Keep this list as a segment" in page
    assert "the score of the night was not made yet" in page
    api_models.refresh_store_estimates(now=NOW, name="pareto")
    api_models.refresh_store_estimates(now=NOW, name="loyalty")
    for report, names in tables.items():
        for name in names:
            counted = 0
            for key, customers in _rows_of(report, name):
                rule = reports.find_row_rule(name=report, given={}, table=name, key=key, now=NOW)
                assert "the score of the night, last made on" in rule.differs
                assert analysis.preview(rule=rule.rule, now=NOW).members == customers, key
                counted += customers
            assert counted >= 10, name
    page = client.get(where).content.decode()
    assert "Follow them as a segment" in page
    client.post(where.replace("/?", "/segment/?"), {"name": "Whom to keep"})
    [segment] = analysis.list_segments()
    assert "by the score of the night" in segment.description
    assert analysis.preview(rule=segment.rule, now=NOW).members == zone[1]
    # What the score does not say is a list that tells why: other days, and a move.
    reports.run_report(name="pareto", given={"days": "30"}, now=NOW)
    other = reports.find_list_reason(
        name="pareto",
        given={"days": "30"},
        table="zones",
        key=_rows_of("pareto", "zones", days="30")[0][0],
        now=NOW,
    )
    assert "about the 365 days up to today" in other
    best = client.get(f"/customers/{_buyers(zone[0])[0]}/").content.decode()
    for said in ("80/20 zone", "Retain", "1 of 10", "Place 1 of ", "Loyalty", "orders in 180 days"):
        assert said in best, said


def _rows_of(report, name, **given):
    """Return of each row of a kept answer what an address calls it, and its customers."""
    table = reports.open_report(name=report, given=given, now=NOW).state.run.answer.table(name)
    place = [column.name for column in table.columns].index("customers")
    return [(table.key_of(row), row[place]) for row in table.rows]


def _buyers(key):
    """Return the customers of a zone, the best first."""
    ids = reports.list_row_customers(name="pareto", given={}, table="zones", key=key, now=NOW)
    worth = {
        score.profile_id: score.value
        for profile_id in ids
        for score in analysis.list_scores(profile_id=profile_id)
        if score.name == "pareto_zone"
    }
    return sorted(ids, key=lambda one: -worth[one])


def test_who_is_behind_a_row_that_no_rule_says_is_kept_as_a_list_of_the_day(client):
    sell(("ann", 3, 20), ("bob", 3, 20), ("cem", 400, 5))
    reports.run_report(name="acquisition", given={}, now=NOW)
    where = "table=channels&row=not told"
    client.post(f"/reports/acquisition/customers/find/?{where}")
    work_off(now=NOW)
    page = client.get(f"/reports/acquisition/customers/?{where}").content.decode()
    assert "Keep this list as a segment" in page
    told = client.post(
        f"/reports/acquisition/customers/segment/?{where}", {"name": "Untold"}, follow=True
    )
    assert b"Untold is being filled" in told.content
    [segment] = analysis.list_segments()
    assert "A list: whoever comes to be so later is not on it" in segment.description
    assert analysis.preview(rule=segment.rule, now=NOW).members == 2
    again = client.post(
        f"/reports/acquisition/customers/segment/?{where}", {"name": "untold"}, follow=True
    )
    assert b"called untold already" in again.content
    assert b'value="untold"' in again.content, "what was typed is still there"
    assert len(analysis.list_segments()) == 1


def test_the_gallery_is_searched_and_views_are_saved_and_deleted(client):
    page = client.get("/reports/").content.decode()
    assert "Acquisition, expansion, retention" in page
    assert "Acquisition, expansion" not in client.get("/reports/?q=zebra").content.decode()
    given = {"name": "Board", "shared": "yes"}
    client.post("/reports/dimensions/save/?days=30", given)
    assert "days=30" in client.get("/reports/").content.decode()
    again = client.post("/reports/dimensions/save/?days=30", given, follow=True)
    assert b"you have a view called Board already" in again.content.lower().replace(
        b"board", b"Board"
    )
    client.post("/reports/dimensions/save/", {"name": ""})
    [view] = reports.list_report_views(by="ann")
    assert view.parameters == {"days": "30"}
    assert reports.list_report_views(by="bob") == [view]
    client.post(f"/reports/views/{view.view_id}/delete/")
    assert reports.list_report_views(by="ann") == []


def test_costs_targets_and_policies_are_entered_and_taken_back(client):
    cost = {"kind": "channel_cost", "channel": "search", "amount": "12.50", "currency": "eur"}
    days = {"from_on": "2026-01-01", "until_on": "2026-01-31"}
    client.post("/reports/costs/enter/", cost | days)
    client.post("/reports/costs/enter/", {"kind": "unit_cost", "unit": "email", "amount": "0.01"})
    for aim, amount in (("scorecard.retention", "40 %"), ("scorecard.per_customer", "75.50")):
        target = {"kind": "target", "aim": aim, "amount": amount, "owner": "Ann"}
        client.post("/reports/costs/enter/", target)
    for wrong in (
        {"aim": "scorecard.nothing", "amount": "1"},
        {"aim": "scorecard.retention", "amount": "much"},
        {"aim": "scorecard.retention", "amount": "nan"},
    ):
        answer = client.post("/reports/costs/enter/", wrong | {"kind": "target"}, follow=True)
        assert b"toast error" in answer.content
    client.post("/reports/costs/enter/", {"kind": "policy", "cell": "latent", "words": "Invite"})
    page = client.get("/reports/costs/").content.decode()
    for said in ("12.50 EUR", "0.01 USD", "Invite", "40.0 %", "75.50 USD"):
        assert said in page
    for wrong in ({"kind": "nothing"}, cost | {"amount": "much"}, cost, {"kind": "policy"}):
        assert b"toast error" in client.post("/reports/costs/enter/", wrong, follow=True).content
    [one] = reports.list_facts(kind="channel_cost")
    client.post(f"/reports/costs/{one.fact_id}/delete/")
    assert reports.list_facts(kind="channel_cost") == []


def test_a_metric_is_looked_at_changed_after_seeing_what_changes_and_kept(client):
    sell(("ann", 3, 20), ("bob", 3, 60))
    assert b"Average order" in client.get("/reports/metrics/").content
    assert b"average_order" in client.get("/reports/metrics/orders/").content
    assert client.get("/reports/metrics/nothing/").status_code == 404
    shown = client.get("/reports/metrics/average_order/").content.decode()
    assert "<dt>Take</dt>" in shown
    assert '<dt>Divide it by</dt><dd><a class="link" href="/reports/metrics/orders/">' in shown
    assert '<details class="gap-b"><summary>Compute it otherwise' in shown, "JSON in a fold"
    where = '[{"column": "net_minor", "op": "at_least", "value": 5000}]'
    told = {
        "title": "Orders of note",
        "definition": "Orders of 50 and more.",
        "unit": "orders",
        "expression": f'{{"kind": "count", "base": "orders", "where": {where}}}',
    }
    often = {"node": "metric", "metric": "orders", "is": {"op": "gte", "value": 1}}
    analysis.create_segment(name="Buyers", rule=often, by="ann", now=datetime.now(UTC))
    looked = client.post("/reports/metrics/orders/save/", told | {"look": "yes"}).content.decode()
    assert "What it would change" in looked
    assert "80.00" in looked
    assert "Would leave" in looked, "of the segment that asks for it"
    assert [one.version for one in reports.list_metric_versions(name="orders")] == [0]
    client.post("/reports/metrics/orders/save/", told)
    assert reports.list_metrics()[0].definition.title == "Orders of note"
    wrong = client.post("/reports/metrics/orders/save/", told | {"expression": "many"})
    assert b"not JSON" in wrong.content
    assert b'<details class="gap-b" open>' in wrong.content, "what was typed is seen"
    kept = client.get("/reports/metrics/orders/").content.decode()
    assert "net minor is at least “5000”" in kept
