"""Who calls: calls make customers by their number, and a number leads to the customer."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.test import Client

from amity.store import api as store


def send(*events: dict[str, Any]) -> None:
    source = store.find_source(name="Calls") or store.create_source(name="Calls", kind="server")
    raw = [msgspec.json.encode(one) for one in events]
    store.append_events(source_id=source.source_id, events=raw, now=datetime.now(UTC))
    while store.fold_batch().events:
        pass


def called(phone: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Call Ended",
        "anonymousId": f"a-{phone}",
        "context": {"traits": {"phone": phone}},
        "properties": {"direction": "inbound", "caller": phone} | properties,
    }


def sign_in() -> Client:
    from amity.web.staff.models import Staff

    Staff.objects.create_user("agent-one", password="seven kettles", role="agent")
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": "agent-one", "password": "seven kettles"})
    return client


def test_a_number_opens_the_customer_who_has_it(db: str) -> None:
    send(
        {"type": "identify", "userId": "u1", "traits": {"phone": "+32470123456", "name": "Ada"}},
        called(
            "+32470123456",
            agent="Mia",
            outcome="resolved",
            duration_seconds=65,
            recording_url="https://calls.example/r/1",
        ),
        called("+33600000001"),
        called("0477 11 22 33"),
        called("+32 477 11 22 33"),
    )
    ada = store.find_profile(kind="user_id", value="u1")
    unknown = store.find_profile(kind="phone", value="+33600000001")
    assert ada is not None
    assert unknown is not None, "who is not known becomes a customer by the number"
    client = sign_in()
    for written in ("+32470123456", "0032 470 12 34 56", "0470 12 34 56", "tel:+32470123456"):
        answer = client.get(f"/customers/by-phone/{written}/")
        assert answer.status_code == 302, written
        assert answer["Location"] == f"/customers/{ada.profile_id}/"
    page = client.get(f"/customers/{ada.profile_id}/").content.decode()
    assert "spoke with" in page
    assert "1:05 min" in page
    assert 'href="https://calls.example/r/1"' in page

    several = client.get("/customers/by-phone/477112233/")
    assert several.status_code == 200
    assert "2 customers may have this number" in several.content.decode()
    assert (
        "Nobody is known by" in client.get("/customers/by-phone/+4915112345678/").content.decode()
    )
    assert "6 to 15 digits" in client.get("/customers/by-phone/anonymous/").content.decode()
    assert Client(SERVER_NAME="localhost").get("/customers/by-phone/1/").status_code == 302


def test_the_look_up_of_the_api_needs_its_scope(db: str) -> None:
    from amity.web.staff.api_keys import create_api_key

    send({"type": "identify", "userId": "u1", "traits": {"phone": "+32470123456", "name": "Ada"}})
    client = Client(SERVER_NAME="localhost")
    right = create_api_key(name="pbx", scopes=["profiles:read"], by="ada")
    wrong = create_api_key(name="other", scopes=["stats:read"], by="ada")

    def ask(key: str, number: str) -> Any:
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
        return client.get(f"/api/v1/lookup/phone/{number}", **bearer)

    found = ask(right, "0470123456").json()
    assert (found["number"], found["is_exact"]) == ("0470123456", False)
    assert [each["name"] for each in found["customers"]] == ["Ada"]
    assert ask(right, "%2B32470123456").json()["is_exact"] is True
    assert ask(right, "withheld").json() == {"number": "", "is_exact": False, "customers": []}
    assert ask(wrong, "0470123456").status_code == 403
