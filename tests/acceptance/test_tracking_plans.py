"""Plans from the command line and through the control API, against a real database."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client

from amity.cli.main import main
from amity.store import api as store
from amity.store import api_plans


def send(count):
    source = store.find_source(name="Shop") or store.create_source(name="Shop", kind="server")
    raw = [
        msgspec.json.encode(
            {"type": "track", "event": "Order", "userId": "u", "properties": {"total": n}}
        )
        for n in range(count)
    ]
    now = datetime.now(UTC)
    store.append_events(source_id=source.source_id, events=raw, now=now)
    while store.fold_batch().events or api_plans.watch_quality(now=now):
        pass
    return source.source_id


@pytest.fixture
def amity(db, capfdbinary):
    """Run a command in this process: its exit code and its output, errors behind it."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capfdbinary.readouterr()
        return ended.value.code, (printed.out + printed.err).decode()

    return run


def test_a_plan_is_pinned_changed_kept_in_a_file_and_brought_back(amity, tmp_path):
    assert "none is planned" in amity("plan", "list")[1]
    assert amity("plan", "show", "Order")[0] == 1
    send(20)
    assert "not pinned" in amity("plan", "list")[1]
    assert amity("plan", "pin", "Order", "--policy", "cut") == (
        0,
        "Version 1 is pinned, everywhere within seconds.\n",
    )
    code = '{"path": "code", "types": ["string"], "allowed": ["a"], "policy": "quarantine"}'
    changed = amity("plan", "change", "Order", "--field", code, "--description", "Somebody paid")
    assert "code was added" in changed[1]
    assert "Version 2" in changed[1]
    assert amity("plan", "change", "Order", "--drop", "nothing")[0] == 1
    assert amity("plan", "change", "Order", "--field", '{"path": "x", "tpyes": []}')[0] == 1
    shown = amity("plan", "show", "Order")[1]
    assert "string, one of a, else quarantine" in shown
    assert "number, required" in shown
    document = json.loads(amity("plan", "show", "Order", "--json")[1])
    assert [each["path"] for each in document["inferred"]["fields"]] == ["total"]
    assert [each["version"] for each in document["versions"]] == [2, 1]

    kept = tmp_path / "plans.json"
    assert amity("plan", "export", str(kept))[0] == 0
    assert amity("plan", "diff", str(kept)) == (0, "The pinned plans are those of the file.\n")
    assert amity("plan", "export")[1].encode() == kept.read_bytes()
    amity("plan", "change", "Order", "--policy", "pass", "--drop", "code")
    differs = amity("plan", "diff", str(kept))
    assert differs == (
        1,
        "~ Order\n    code was added\n    what is against it: pass became cut\n",
    )
    assert amity("plan", "import", str(kept))[0] == 0
    assert "Version" not in amity("plan", "import", str(kept))[1], "the same makes no version"
    assert api_plans.list_plans()[0].version == 4
    assert amity("plan", "export")[1].encode() == kept.read_bytes(), "there and back"

    empty = tmp_path / "empty.json"
    empty.write_text('{"format": "amity.plans.v1", "plans": []}', "utf-8")
    assert "use --prune" in amity("plan", "import", str(empty))[1]
    assert api_plans.list_plans()
    assert amity("plan", "import", str(empty), "--prune")[0] == 0
    assert not api_plans.list_plans()
    assert amity("plan", "pin", "Order", "--version", "2")[0] == 0
    assert api_plans.list_plans()[0].description == "Somebody paid"
    assert amity("plan", "unpin", "Order")[0] == 0
    elsewhere = json.loads(kept.read_text("utf-8"))
    elsewhere["plans"][0]["source"] = "No such"
    empty.write_text(json.dumps(elsewhere), "utf-8")
    assert "no source named" in amity("plan", "import", str(empty))[1]


def test_events_are_checked_before_they_are_ever_sent(amity, tmp_path):
    send(20)
    amity("plan", "pin", "Order", "--policy", "quarantine")
    event = {"type": "track", "event": "Order", "userId": "u", "properties": {"total": 1}}
    wrong = [event | {"properties": {"total": "x"}}, {"type": "track", "event": "Order"}]
    lines = [event, event | {"event": "Other"}, *wrong]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    code, said = amity("plan", "check", str(file))
    assert code == 1
    assert "total: wrong_type" in said
    assert said.endswith("4 events, 2 wrong, 1 without a plan\n")
    verdicts = json.loads(amity("plan", "check", str(file), "--json")[1])
    assert [each["verdict"] for each in verdicts] == [
        "fits",
        "unplanned",
        "quarantined",
        "not_understood",
    ]
    assert store.count_by_source()[store.find_source(name="Shop").source_id].received == 20
    calm = tmp_path / "plans.json"
    plans = [{"type": "track", "name": "Order", "fields": [{"path": "total"}]}]
    calm.write_text(json.dumps({"format": "amity.plans.v1", "plans": plans}), "utf-8")
    file.write_text(json.dumps(lines[:3]), "utf-8")
    assert amity("plan", "check", str(file), "--plan", str(calm))[0] == 0


@pytest.fixture
def ask(db):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(name="all", scopes=["*"], by="test")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def send_one(method, path, body=None, status=200, **headers):
        data = b"" if body is None else json.dumps(body).encode()
        answer = client.generic(
            method, f"/api/v1{path}", data, content_type="application/json", headers=headers
        )
        assert answer.status_code == status, answer.content
        return (json.loads(answer.content) if answer.content else None), answer.get("ETag")

    return send_one


def test_the_control_api_pins_changes_and_keeps_who_changes_at_once_apart(ask):
    source = send(20)
    draft, _ = ask("GET", "/plans/inferred?type=track&name=Order")
    assert draft["fields"] == [{"path": "total", "is_required": True, "types": ["number"]}]
    made, tag = ask("POST", "/plans", draft, 201)
    path = f"/plans/{made['plan_id']}"
    change = {"policy": "quarantine", "fields": [{"path": "code", "max_length": 3}]}
    ask("PATCH", path, change, 428)
    second, tag2 = ask("PATCH", path, change, **{"If-Match": tag})
    assert (second["version"], second["policy"], len(second["fields"])) == (2, "quarantine", 2)
    ask("PATCH", path, {"policy": "cut"}, 412, **{"If-Match": tag})
    ask("PATCH", path, {"policy": "cut"}, 409, **{"If-Match": "*"})
    later = f"/plans/{second['plan_id']}"
    third, _ = ask("PATCH", later, {"drop": ["code"]}, **{"If-Match": tag2})
    assert [field["path"] for field in third["fields"]] == ["total"]
    event = {"type": "track", "event": "Order", "userId": "u", "properties": {}}
    found, _ = ask("POST", "/plans/check", {"events": [event, 7]})
    assert [each["verdict"] for each in found["items"]] == ["quarantined", "not_understood"]
    document, _ = ask("GET", "/plans/export")
    assert ask("POST", "/plans/import", {"document": document})[0]["items"] == []
    ask("POST", f"{path}/restore")
    dry = {"document": document, "is_dry_run": True}
    [difference] = ask("POST", "/plans/import", dry)[0]["items"]
    assert difference["words"] == ["what is against it: pass became quarantine"]
    versions, _ = ask("GET", "/plans?type=track&name=Order&versions=true")
    assert [each["version"] for each in versions["items"]] == [4, 3, 2, 1]
    ask("DELETE", path, status=404)
    ask("DELETE", f"/plans/{versions['items'][0]['plan_id']}", status=204)
    assert ask("GET", "/plans")[0]["items"] == []
    ask("POST", "/plans", draft | {"type": "alias"}, 422)
    assert ask("GET", "/event-shapes")[0]["items"][0]["events"] == 20
    paths = ask("GET", f"/event-shapes/fields?type=track&name=Order&source_id={source}")[0]
    assert [each["path"] for each in paths["items"]] == ["", "total"]


def test_the_control_api_tells_of_quality_and_alerts(ask):
    source = send(20)
    assert ask("GET", f"/sources/{source}/quality")[0]["items"][0]["stored"] == 20
    assert ask("GET", f"/sources/{source}/latest")[0]["with_user_id"] == 20
    assert ask("GET", f"/sources/{source}/fill-rates?days=3")[0]["items"] == []
    assert ask("GET", f"/sources/{source}/findings")[0]["items"] == []
    held, tag = ask("GET", f"/sources/{source}/watch")
    terms = held["terms"] | {"silent_hours": 1}
    path = f"/sources/{source}/watch"
    ask("PATCH", path, {"terms": terms}, 428)
    changed, tag2 = ask("PATCH", path, {"terms": terms}, **{"If-Match": tag})
    assert (changed["terms"]["silent_hours"], changed["updated_by"]) == (1, "key all")
    ask("PATCH", path, {"terms": {"most_late": 7}}, 422, **{"If-Match": tag2})
    ask("GET", "/sources/99/quality", status=404)
    assert ask("GET", "/alerts?show=all")[0]["items"] == []
    ask("POST", "/alerts/1/acknowledge", status=404)
