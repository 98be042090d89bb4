"""Reports and metrics by the control API and the command line."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner
from django.test import Client

from amity.cli.main import root
from amity.infra import warehouse
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.store import api as store
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)


@pytest.fixture
def shop(db):
    source_id = store.create_source(name="Shop", kind="server").source_id
    events = [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": user,
            "timestamp": (NOW - timedelta(days=3)).isoformat(),
            "properties": {"order_id": user, "total": total},
        }
        for user, total in (("ann", 20), ("bob", 60))
    ]
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def amity(*arguments):
    done = CliRunner().invoke(root, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_a_program_asks_enters_and_changes_what_a_person_can(shop, tmp_path):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(name="Reports", scopes=["*"], by="ann")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(method, path, body=None):
        given = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
        answer = getattr(client, method)(f"/api/v1{path}", **given)
        return answer.status_code, json.loads(answer.content or b"null")

    status, listed = ask("get", "/reports")
    assert status == 200
    assert "pareto" in {entry["words"]["name"] for entry in listed["items"]}
    assert ask("get", "/reports/pareto?question=days%3D30")[1]["state"]["run"] is None
    status, run = ask("post", "/reports/pareto/run", {"parameters": {"days": "30"}})
    assert status == 200
    figures = {one["name"]: one["value"] for one in run["answer"]["figures"]}
    assert figures["contribution"] == 8000
    kept = ask("get", "/reports/pareto?question=days%3D30")[1]
    assert kept["state"]["run"]["answer"] == run["answer"]
    row = {"name": "First zone", "table": "zones", "row": "Retain~1~2"}
    row |= {"parameters": {"days": "30"}}
    status, segment = ask("post", "/reports/pareto/row-segment", row)
    assert (status, segment["name"]) == (201, "First zone")
    assert "the 2 who were there" in segment["description"]
    assert ask("post", "/reports/pareto/row-segment", row)[0] == 409
    assert ask("post", "/reports/pareto/row-segment", row | {"row": "Retain"})[0] == 404
    assert ask("get", "/reports/pareto?question=days%3D0")[0] == 422
    assert ask("get", "/reports/nothing")[0] == 404
    fact = {"kind": "unit_cost", "fact": {"unit": "order", "amount_minor": 5, "currency": "USD"}}
    status, entered = ask("post", "/report-facts", fact)
    assert status == 201
    assert len(ask("get", "/report-facts?kind=unit_cost")[1]["items"]) == 1
    assert ask("delete", f"/report-facts/{entered['fact_id']}")[0] == 204
    metric = next(one for one in ask("get", "/metrics")[1]["items"] if one["name"] == "orders")
    changed = metric["definition"] | {"title": "Baskets"}
    assert ask("post", "/metrics/orders/impact", {"definition": changed})[0] == 200
    assert ask("post", "/metrics/orders", {"definition": changed})[1]["version"] == 1
    assert ask("get", "/metrics/orders/uses")[1]["metrics"] == ["average_order"]
    assert len(ask("get", "/metrics/orders")[1]["items"]) == 2

    assert "pareto" in amity("report", "list")
    out = tmp_path / "deciles.csv"
    said = amity("report", "run", "pareto", "--with", "days=30", "--out", str(out))
    assert "80.00 USD" in said
    assert out.read_text().startswith("decile,")
    steps = "steps=Order Completed > Order Completed"
    said = amity("report", "run", "funnel", "--with", "days=30", "--with", steps)
    assert "Of 2 customers who began, 0 (0.0%) came" in said
    assert "Baskets" in amity("metric", "list", "--json")
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(changed))
    assert "Main figures" in amity("metric", "set", "orders", str(file), "--dry-run")
    assert "2" in amity("metric", "set", "orders", str(file))
    wrong = CliRunner().invoke(root, ["report", "run", "pareto", "--with", "days"])
    assert wrong.exit_code != 0
    wrong = CliRunner().invoke(root, ["report", "run", "pareto", "--table", "curves"])
    assert "it has deciles, zones, curve" in str(wrong.exception)


def test_a_view_is_mailed_by_the_api_and_the_command_line(db):
    from amity.analysis import api_reports
    from amity.analysis.contracts_reports import ViewChanges
    from amity.testing.mailing import sending_to_sink
    from amity.web.staff import api_keys
    from amity.web.staff.models import Staff

    Staff.objects.create_user("ann", password="x" * 12, role="analyst", email="a@shop.example")
    changes = ViewChanges(name="Board", report="dimensions", parameters={}, is_shared=True)
    view = api_reports.save_report_view(changes=changes, by="ann", now=NOW)
    key = api_keys.create_api_key(name="Reports", scopes=["*"], by="ann")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(method, path, body=None):
        given = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
        answer = getattr(client, method)(f"/api/v1/report-schedules{path}", **given)
        return answer.status_code, json.loads(answer.content or b"null")

    asked = {
        "view_id": view.view_id,
        "recipients": ["ann"],
        "times": {"every": "day", "at": "07:30", "zone": "Europe/Berlin"},
    }
    status, told = ask("post", "", asked)
    assert (status, told["code"]) == (503, "no_mail_server")
    with sending_to_sink(now=NOW):
        assert ask("post", "", asked | {"recipients": ["a@x.example"]})[0] == 422
        status, made = ask("post", "", asked)
        assert (status, made["times"]["at"]) == (201, "07:30")
        here = f"/{made['schedule_id']}"
        assert ask("post", f"{here}/pause", {"is_paused": True})[1]["is_paused"] is True
        amity("report", "schedule", str(view.view_id), "--to", "ann", "--every", "weekday")
        assert "paused" in amity("report", "schedules")
        assert "Board" in amity("report", "views")
        assert ask("delete", here)[0] == 204
        [left] = json.loads(amity("report", "schedules", "--json"))
        amity("report", "pause", str(left["schedule_id"]))
        amity("report", "pause", str(left["schedule_id"]), "--off")
        amity("report", "unschedule", str(left["schedule_id"]))
    assert ask("get", "")[1]["items"] == []
