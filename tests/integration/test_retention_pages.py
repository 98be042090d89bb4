"""The screens, the control API and the commands of retention, on a real database."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner
from django.test import Client

from amity.cli.main import root
from amity.infra import database
from amity.store import api as store
from amity.web.retention.sweeping import run_due

NOW = datetime.now(UTC)


def put_aside(days, count=3):
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO store_quarantine (received_at, source_id, reason, raw, content_hash)"
            " SELECT %s, 1, 'r', 'x', sha256((n || '-' || %s)::text::bytea)"
            " FROM generate_series(1, %s) AS n",
            [NOW - timedelta(days=days), days, count],
        )


@pytest.fixture
def admin(db):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("ann", password="x" * 12, role="admin"))
    client.post("/sign-in/confirm/", {"password": "x" * 12, "next": "/"})
    return client


def page(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


FORM = {
    "keep_days": "10",
    "basis": "legal_obligation",
    "reason": "the auditors said so",
    "every_hours": "12",
    "is_enabled": "yes",
}


def test_a_rule_is_looked_at_changed_run_and_taken_back(admin):
    put_aside(20)
    text = page(admin, "/retention/")
    assert "Details of events" in text
    assert "switched off" in text
    assert "set by" not in text
    assert "remove <b>nothing</b>" in page(admin, "/retention/rules/quarantine/preview/")
    impact = page(admin, "/retention/rules/quarantine/preview/?keep_days=10")
    assert "remove <b>3 rows" in impact
    bad = admin.post("/retention/rules/quarantine/save/", FORM | {"keep_days": "0"})
    assert bad.status_code == 422
    assert "kept for 1 to" in bad.content.decode()
    assert admin.post("/retention/rules/quarantine/save/", FORM).status_code == 302
    text = page(admin, "/retention/?show=set")
    assert "set by ann" in text
    assert "Details of events" not in text
    assert "the auditors said so" in page(admin, "/retention/rules/quarantine/")
    assert admin.post("/retention/rules/quarantine/run/").status_code == 302
    assert "Under way" in page(admin, "/retention/rules/quarantine/")
    while run_due(now=datetime.now(UTC)):
        pass
    assert "3 rows" in page(admin, "/retention/rules/quarantine/")
    text = page(admin, "/retention/runs/?rule=quarantine&removing=yes")
    assert "3 rows" in text
    assert "Files of exports</a>" not in text
    told = admin.get("/retention/runs.csv?rule=quarantine&removing=yes")
    lines = list(csv.DictReader(io.StringIO(b"".join(told).decode())))
    assert [
        (line["rule"], line["rows"], line["asked_by"], line["kept_days"]) for line in lines
    ] == [("quarantine", "3", "ann", "10")]
    assert admin.post("/retention/rules/quarantine/reset/").status_code == 302
    assert "set by" not in page(admin, "/retention/?show=")
    assert "No run with this filter" in page(admin, "/retention/runs/?state=failed")


def test_a_rule_is_added_and_deleted(admin):
    made = FORM | {"kind": "events.details", "name": "views", "names": "Page Viewed\n"}
    bad = admin.post("/retention/new/", made | {"names": ""})
    assert "which events" in bad.content.decode()
    assert admin.post("/retention/new/", made | {"keep_days": "20"}).status_code == 302
    text = page(admin, "/retention/rules/events.details.views/")
    assert "Page Viewed" in text
    assert "Delete the rule" in text
    assert admin.post("/retention/rules/events.details.views/reset/").status_code == 302
    page(admin, "/retention/rules/events.details.views/", 404)


def test_what_we_hold_says_how_much_why_and_for_how_long(admin):
    put_aside(1, 7)
    text = page(admin, "/held/")
    row = text[text.index('id="store_quarantine"') :].partition("</tr>")[0]
    assert ">7<" in row
    assert "Quarantine</a>: 30 days" in row
    assert "Time to mend" in row
    assert "Deleted" in row
    profile = text[text.index('id="store_profile"') :].partition("</tr>")[0]
    assert "Customers long silent</a>: switched off" in profile
    assert 'id="store_quarantine"' not in page(admin, "/held/?q=visits+to+the+site")
    assert "No table like that" in page(admin, "/held/?q=unheard")


def test_wordings_are_listed_with_how_they_were_answered(admin):
    first = store.list_notices(key="marketing.email")[0]
    store.add_notice(
        key="marketing.email", language="en", wording="Other words.", by="ann", now=NOW
    )
    source = store.create_source(name="Shop", kind="server").source_id
    for user, yes in (("ann", True), ("bob", True), ("cid", False)):
        said = {"categoryPreferences": {"marketing.email": yes}, "notice": first.name}
        name = "Segment Consent Preference Updated"
        event = {"type": "track", "event": name, "userId": user, "properties": said}
        store.append_events(source_id=source, events=[msgspec.json.encode(event)], now=NOW)
    while store.fold_batch().events or store.write_consents(now=NOW):
        pass
    text = page(admin, "/notices/?q=marketing.email")
    old = text[text.index("former") :].partition("</tr>")[0]
    assert 'data-label="Said yes">2<' in old
    assert 'data-label="Said no">1<' in old
    assert text.index("Other words.") < text.index("former")
    assert "No wording says" in page(admin, "/notices/?q=unheard")


def test_the_api_tells_previews_changes_and_runs(db):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(name="all", scopes=["*"], by="test")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def ask(method, path, body=None, status=200, **more):
        data = b"" if body is None else json.dumps(body).encode()
        path = f"/api/v1{path}"
        answer = client.generic(method, path, data, "application/json", **more)
        assert answer.status_code == status, answer.content
        return answer.json(), answer.headers.get("ETag")

    put_aside(20)
    rules, _ = ask("GET", "/retention-rules")
    assert {"quarantine", "sends", "decisions", "profiles"} <= {r["key"] for r in rules["items"]}
    rule, tag = ask("GET", "/retention-rules/quarantine")
    assert rule["keep_days"] == 30
    change = {"keep_days": 10, "reason": "so agreed"}
    made, _ = ask("PATCH", "/retention-rules/quarantine", change, headers={"If-Match": tag})
    assert (made["keep_days"], made["basis"]) == (10, "legitimate_interest")
    _, tag = ask("GET", "/retention-rules/quarantine")
    ask("PATCH", "/retention-rules/quarantine", {"keep_days": 0}, 422, headers={"If-Match": tag})
    found, _ = ask("GET", "/retention-rules/quarantine/preview?keep_days=5")
    assert found["removal"]["rows"] == 3
    run, _ = ask("POST", "/retention-rules/quarantine/run", status=202)
    assert run["state"] == "running"
    while run_due(now=datetime.now(UTC)):
        pass
    done, _ = ask("GET", f"/retention-runs/{run['run_id']}")
    assert (done["state"], done["removed"]["rows"]) == ("finished", 3)
    runs, _ = ask("GET", "/retention-runs?rule=quarantine&removing=true")
    assert [each["run_id"] for each in runs["items"]] == [run["run_id"]]
    ask("GET", "/retention-rules/nothing", status=404)


def test_the_commands_tell_set_preview_and_run(db):
    def ask(*words, code=0):
        done = CliRunner().invoke(root, ["retention", *words, "--json"])
        assert done.exit_code == code, done.output
        return json.loads(done.output) if code == 0 else None

    put_aside(20)
    assert {line["rule"]["key"] for line in ask("list")} >= {"quarantine", "sends"}
    made = ask("set", "quarantine", "--days", "10", "--reason", "so agreed", "--off")
    assert (made["keep_days"], made["is_enabled"], made["set_by"]) == (10, False, "command line")
    assert ask("preview", "quarantine")["removal"]["rows"] == 3
    assert ask("run", "quarantine")["removed"]["tables"] == {"store_quarantine": 3}
    assert [run["rule_key"] for run in ask("runs")] == ["quarantine"]
    assert ask("write-anew") == {"tables": []}
    for words in (["list"], ["preview", "quarantine"], ["run", "quarantine"], ["runs"]):
        done = CliRunner().invoke(root, ["retention", *words])
        assert done.exit_code == 0, done.output
    assert (
        "Kept for days"
        in CliRunner()
        .invoke(root, ["retention", "set", "quarantine", "--on", "--every-hours", "5"])
        .output
    )
