"""The warehouse's page, its commands, and what stats and doctor say of it."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner
from django.test import Client

from amity.cli.main import root
from amity.infra import database, warehouse
from amity.store import api as store


@pytest.fixture
def filled(db):
    source = store.create_source(name="Shop", kind="server").source_id
    event = {"type": "track", "event": "Cart Viewed", "userId": "ann", "messageId": "m-1"}
    store.append_events(
        source_id=source, events=[msgspec.json.encode(event)], now=datetime.now(UTC)
    )
    while store.fold_batch().events:
        pass
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def amity(*arguments, code=0):
    done = CliRunner().invoke(root, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def page():
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"p-{datetime.now(UTC)}", role="analyst"))
    answer = client.get("/warehouse/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_commands_and_page_say_how_things_stand(filled):
    assert "Nothing exported yet" in page()
    assert "Nothing was exported yet." in amity("warehouse", "status")
    assert json.loads(amity("warehouse", "export", "--json"))["rows"]["events"] == 1
    assert json.loads(amity("warehouse", "verify", "--json"))["verification"]["is_clean"] is True
    assert "The warehouse says what its source says." in amity("warehouse", "verify")
    assert json.loads(amity("warehouse", "compact", "--json"))["rows_removed"]["events"] == 0
    assert json.loads(amity("warehouse", "export", "--again", "events", "--json"))["rows"] == {
        "events": 1,
        "order_lines": 0,
        "profiles": 0,
        "identities": 0,
        "orders": 0,
        "links": 0,
        "link_reviews": 0,
        "memberships": 0,
        "scores": 0,
        "decisions": 0,
        "sends": 0,
        "participants": 0,
    }
    status = json.loads(amity("warehouse", "status", "--json"))
    assert status["is_clean"] is True
    assert 0 <= status["lag_seconds"] < 60
    assert json.loads(amity("stats", "--json"))["warehouse"]["rows"] == status["rows"]
    shown = page()
    assert "no difference" in shown
    assert "everything that happened" in shown
    from amity.web.warehouse.views import _WORDS

    assert _WORDS.keys() == {table["name"] for table in status["tables"]}, "each has its words"


def test_differences_are_said_everywhere(filled):
    amity("warehouse", "export")
    with database.transaction("owner") as connection:
        connection.execute("UPDATE store_profile SET name = 'Somebody else'")
    output = amity("warehouse", "verify", code=1)
    assert "1 rows here are not those in the source" in output
    assert "found differences" in page()
    found = json.loads(amity("doctor", "--json", code=1))["findings"]
    (said,) = [each for each in found if each["check"] == "Warehouse" and each["advice"]]
    assert "--again" in said["advice"]
    amity("warehouse", "export", "--again", "profiles")
    amity("warehouse", "verify")


def test_an_unknown_table_is_named(filled):
    from amity.kernel.errors import NotFound

    done = CliRunner().invoke(root, ["warehouse", "export", "--again", "secrets"])
    assert isinstance(done.exception, NotFound)
