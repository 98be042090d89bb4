"""Events and quarantine, through the control API and the command line alike."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from amity.cli.main import main


@pytest.fixture
def source(db):
    from amity.store import api

    made = api.create_source(name="shop", kind="server")
    events = [
        b'{"type":"track","userId":"u1","messageId":"1","event":"A","properties":{"n":1.50}}',
        b'{"type":"track","userId":"u1","messageId":"2","event":"B"}',
        b'{"type":"track","messageId":"3","event":"nobody"}',
        b"\xff not json",
    ]
    receipt = api.append_events(source_id=made.source_id, events=events, now=datetime.now(UTC))
    assert (receipt.accepted, receipt.quarantined) == (2, 2)
    return made


@pytest.fixture
def api(db):
    from amity.web.staff.api_keys import create_api_key

    key = create_api_key(name="k", scopes=["*"], by="test")
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})


def read(answer, status=200):
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_events_can_be_followed_by_cursor(api, source):
    from amity.store import api as store

    page = read(api.get("/api/v1/events"))
    assert [item["name"] for item in page["items"]] == ["B", "A"]
    assert b'{"n":1.50}' in api.get("/api/v1/events").content  # the event as it was sent
    assert page["items"][0]["event"]["messageId"] == "2"
    nothing = read(api.get("/api/v1/events", {"cursor": page["next_cursor"]}))
    assert nothing == {"items": [], "next_cursor": page["next_cursor"]}
    store.append_events(
        source_id=source.source_id,
        events=[b'{"type":"track","userId":"u1","messageId":"9","event":"C"}'],
        now=datetime.now(UTC),
    )
    since = read(api.get("/api/v1/events", {"cursor": page["next_cursor"]}))
    assert [item["name"] for item in since["items"]] == ["C"]
    assert read(api.get("/api/v1/events", {"source_id": 1}))["items"] == []


def test_quarantine_is_listed_whole_and_replayed(api, source, capsys):
    from amity.infra import database

    page = read(api.get("/api/v1/quarantine", {"limit": 1}))
    rest = read(api.get("/api/v1/quarantine", {"limit": 1, "cursor": page["next_cursor"]}))
    bad, nobody = page["items"] + rest["items"]
    assert bad["raw"] == "/yBub3QganNvbg=="
    assert bad["text"] == "\ufffd not json"
    assert json.loads(nobody["text"])["event"] == "nobody"
    # As if the reason were gone: the bytes now name somebody.
    with database.transaction("owner") as connection:
        connection.execute(
            "UPDATE store_quarantine SET raw = %s WHERE id = %s",
            [
                b'{"type":"track","userId":"u1","messageId":"3","event":"somebody"}',
                nobody["quarantine_id"],
            ],
        )
    body = {"quarantine_ids": [nobody["quarantine_id"]]}
    path = "/api/v1/quarantine/replay"
    receipt = read(api.post(path, body, content_type="application/json"))
    assert (receipt["accepted"], receipt["quarantined"]) == (1, 0)
    assert len(read(api.get("/api/v1/quarantine"))["items"]) == 1
    assert len(read(api.get("/api/v1/quarantine?open_only=false"))["items"]) == 2
    assert read(api.get("/api/v1/events"))["items"][0]["name"] == "somebody"

    with pytest.raises(SystemExit):
        main(["quarantine", "list", "--json"])
    assert [row["text"] for row in json.loads(capsys.readouterr().out)["items"]] == [bad["text"]]
    with pytest.raises(SystemExit):
        main(["quarantine", "replay", "--all", "--json"])
    assert json.loads(capsys.readouterr().out)["quarantined"] == 1
    with pytest.raises(SystemExit) as ended:
        main(["quarantine", "replay"])
    assert ended.value.code == 2


def test_quarantine_is_narrowed(api, source, capsys):
    def found(**asked):
        return [one["text"] for one in read(api.get("/api/v1/quarantine", asked))["items"]]

    def told(*options):
        with pytest.raises(SystemExit):
            main(["quarantine", "list", "--json", *options])
        return [row["text"] for row in json.loads(capsys.readouterr().out)["items"]]

    (nobody,) = found(event="nobody")
    assert json.loads(nobody)["messageId"] == "3"
    assert found(text="not json") == told("--text", "not json") == ["\ufffd not json"]
    assert told("--event", "nobody") == [nobody]
    soon, past = "2100-01-01T00:00:00Z", "2000-01-01T00:00:00Z"
    assert len(found(since=past, until=soon)) == len(told("--since", "2000-01-01")) == 2
    assert found(since=soon) == found(until=past) == told("--until", "2000-01-01") == []
    assert api.get("/api/v1/quarantine", {"since": "yesterday"}).status_code == 422


def test_a_terminal_is_not_at_the_mercy_of_an_event(api, source, capsys):
    from amity.store import api as store

    evil = {"type": "track", "userId": "u", "messageId": "e", "event": "\x1b[2Jgone\nOK"}
    store.append_events(
        source_id=source.source_id, events=[json.dumps(evil).encode()], now=datetime.now(UTC)
    )
    with pytest.raises(SystemExit):
        main(["events"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\ufffd[2Jgone\ufffdOK" in out


def test_events_of_one_source_oldest_first(source, capsys):
    with pytest.raises(SystemExit):
        main(["events", "--source", "shop", "--json", "--limit", "1"])
    assert [event["name"] for event in json.loads(capsys.readouterr().out)] == ["B"]
    with pytest.raises(SystemExit) as ended:
        main(["events", "--source", "nowhere"])
    assert ended.value.code == 1
