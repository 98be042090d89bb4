"""The control API about who is who, and what was said."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client

from amity.store import api as store

NAME = "Segment Consent Preference Updated"


@pytest.fixture
def ask(db):
    from amity.web.staff import api_keys

    key = api_keys.create_api_key(name="all", scopes=["*"], by="test")
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})

    def send(method, path, body=None, status=200):
        data = b"" if body is None else json.dumps(body).encode()
        answer = client.generic(
            method, f"/api/v1{path}", data=data, content_type="application/json"
        )
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None

    return send


def tell(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=datetime.now(UTC))
    fold()


def fold():
    while store.fold_batch().events:
        pass


def test_customers_are_joined_parted_and_explained(ask):
    source = store.create_source(name="Shop", kind="server").source_id
    tell(
        source,
        {"type": "identify", "userId": "ann", "traits": {"email": "ann@x.example"}},
        {"type": "identify", "anonymousId": "a1", "traits": {"phone": "+4915112345678"}},
    )
    ann = store.find_profile(kind="user_id", value="ann").profile_id
    other = store.find_profile(kind="anonymous_id", value="a1").profile_id
    path = f"/profiles/{ann}/identity-path?other_id={other}"
    assert ask("GET", path)["is_joined"] is False
    ask("POST", "/merges", {"winner_id": ann, "loser_id": other}, 202)
    fold()
    assert ask("GET", path)["is_joined"] is True
    named = [{"kind": "email", "value": "ann@x.example"}]
    ask("POST", f"/profiles/{ann}/split", {"identifiers": named}, 202)
    fold()
    held = store.list_identifiers(profile_id=ann)
    assert "ann@x.example" not in {each.value for each in held}
    unknown = {"identifiers": [{"kind": "email", "value": "no@x.example"}]}
    ask("POST", f"/profiles/{ann}/split", unknown, 404)
    ask("POST", "/merges", {"winner_id": ann, "loser_id": 10**12}, 404)
    assert ask("GET", "/candidates")["items"] == []
    ask("POST", "/candidates/1/decide", {"choice": "accept"}, 404)


def test_the_ledger_is_paged_and_checked(ask):
    source = store.create_source(name="Shop", kind="server").source_id
    said = {"categoryPreferences": {"marketing.email": True, "sharing": False}}
    tell(source, {"type": "track", "userId": "ann", "event": NAME, "properties": said})
    while store.write_consents(now=datetime.now(UTC)):
        pass
    first = ask("GET", "/consent-records?limit=1")
    rest = ask("GET", f"/consent-records?limit=1&cursor={first['next_cursor']}")
    found = [*first["items"], *rest["items"]]
    assert [(one["purpose"], one["status"]) for one in found] == [
        ("sharing", "denied"),
        ("marketing.email", "given"),
    ]
    assert ask("GET", "/consent-records?status=given")["items"] == [found[1]]
    assert ask("GET", "/consent-records/check")["is_whole"] is True
