"""`amity webhook`, `export`, `mailbox` and `enrichment`: what is set up without a screen."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from amity.analysis import api as analysis
from amity.cli.main import root
from amity.infra import config
from amity.store import api, api_outbound
from amity.testing.webhook_receiver import receiving


def run(*arguments, given="", fails=False):
    done = CliRunner().invoke(root, arguments, input=given)
    assert (done.exit_code != 0) == fails, f"{done.output} {done.exception!r}"
    return f"{done.output} {done.exception}" if fails else done.output


@pytest.fixture
def receiver():
    with receiving() as running, config.override(egress_allow="127.0.0.0/8"):
        yield running


def test_a_webhook_is_added_tried_changed_and_deleted(db, receiver):
    assert "begin with `amity webhook add" in run("webhook", "list")
    url = f"{receiver.url}/ok"
    made = json.loads(run("webhook", "add", "Stock", url, "--event", "Order Completed", "--json"))
    assert made["secret"].startswith("whsec_")
    assert "the answer was 200" in run("webhook", "test", "Stock")
    assert receiver.count("/ok") == 1
    assert "Secret" in run("webhook", "rotate", "Stock")
    run("webhook", "change", "Stock", "--state", "paused", "--event", "*", "--rename", "All")
    [one] = json.loads(run("webhook", "list", "--json"))
    assert (one["name"], one["state"], one["events"]) == ("All", "paused", ["*"])
    assert "All" in run("webhook", "list")
    assert json.loads(run("webhook", "deliveries", "All", "--json")) == []
    assert json.loads(run("webhook", "replay", "All", "--json")) == {"deliveries": 0}
    assert "say what to change" in run("webhook", "change", "All", fails=True)
    assert "'All'" in run("webhook", "test", "Stock", fails=True)
    run("webhook", "change", "All", "--url", f"{receiver.url}/500/x")
    assert "answered 500" in run("webhook", "test", "All", fails=True)
    run("webhook", "delete", "All")
    assert api_outbound.list_endpoints() == []


def test_an_export_is_added_tried_run_and_deleted(db, tmp_path):
    rule = {"node": "check", "field": "profile.email", "is": {"op": "exists"}}
    analysis.create_segment(name="Known", rule=rule, by="t", now=datetime.now(UTC))
    address = tmp_path / "address"
    address.write_text("sqlite:///cli.db\n")
    given = ("--segment", "Known", "--to", "database", "--address-file", str(address))
    run("export", "add", "Nightly", *given, "--set", "table=people", "--every-hours", "24")
    assert "can be written" in run("export", "test", "Nightly")
    done = json.loads(run("export", "run", "Nightly", "--json"))
    assert done["run"]["state"] == "finished"
    assert [one["state"] for one in json.loads(run("export", "runs", "Nightly", "--json"))]
    assert "finished" in run("export", "runs", "Nightly")
    run("export", "change", "Nightly", "stop")
    assert "stopped" in run("export", "list")
    assert json.loads(run("export", "list", "--json"))[0]["is_enabled"] is False
    run("export", "change", "Nightly", "delete")
    assert api_outbound.list_exports() == []
    assert "amity export add" in run("export", "run", "Nightly", fails=True)


def test_an_enrichment_is_added_tried_and_forgotten(db, receiver, tmp_path):
    api.create_source(name="Panel", kind="server")
    secret = tmp_path / "secret"
    secret.write_text("s3cret-words")
    given = ["--source", "Panel", "--key", "email_sha256", "--purpose", "sharing"]
    given += ["--basis", "consent", "--take", "size=company.size", "--header", "X-Key"]
    url = f"{receiver.url}/people/{{value}}"
    said = run("enrichment", "add", "Who", url, *given, "--secret-file", str(secret), "--json")
    assert json.loads(said)["has_secret"] is True
    assert "s3cret" not in said
    assert "answered 501" in run("enrichment", "test", "Who", fails=True)
    run("enrichment", "change", "Who", "pause")
    assert "paused" in run("enrichment", "list")
    waiting = json.loads(run("enrichment", "ask", "Who", "1", "--json"))["waiting"]
    assert waiting == 1, "who is paused is asked nothing"
    run("enrichment", "change", "Who", "delete")
    assert json.loads(run("enrichment", "list", "--json")) == []


def test_a_mailbox_that_may_not_be_called_is_refused(db):
    api.create_source(name="Mail", kind="server")
    given = ("--host", "127.0.0.1", "--user", "care", "--source", "Mail", "--security", "none")
    said = run("mailbox", "add", "Care", *given, given="a password", fails=True)
    assert "AMITY_EGRESS_ALLOW" in said
    assert "a password" not in said
    assert "begin with `amity mailbox add" in run("mailbox", "list")
    for command in (("test", "Care"), ("run", "Care"), ("change", "Care", "delete")):
        assert "there is no mailbox 'Care'" in run("mailbox", *command, fails=True)
