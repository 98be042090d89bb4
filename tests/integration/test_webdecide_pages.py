"""The pages of offers, placements and decisions, through Django's client, on a real database."""

import re
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client

from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest
from amity.store import api as store

NOW = datetime.now(UTC)
OFFER = {
    "key": "coffee",
    "name": "Free coffee",
    "headline": "A coffee on us",
    "body": "This week only",
    "action_label": "Get it",
    "action_url": "/coffee",
    "audience": "all",
}


@pytest.fixture
def marketer(db: str) -> Client:
    return sign_in("marketer")


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def make_customer(user_id="ada", name="Ada Lovelace") -> int:
    source = store.create_source(name=f"web {user_id}", kind="server")
    event = {"type": "identify", "userId": user_id, "messageId": user_id, "traits": {"name": name}}
    store.append_events(source_id=source.source_id, events=[msgspec.json.encode(event)], now=NOW)
    while store.fold_batch().events:
        pass
    found = store.find_profile(kind="user_id", value=user_id)
    assert found
    return found.profile_id


def test_empty_lists_say_what_to_do(marketer):
    assert "Make a place for it first" in text_of(marketer.get("/offers/"))
    assert "Make the first placement" in text_of(marketer.get("/placements/"))
    assert "No decision yet" in text_of(marketer.get("/decisions/"))


def test_from_a_placement_to_a_decision_with_its_reasons(marketer):
    made = marketer.post("/placements/new/", {"key": "hero", "name": "Top", "kind": "offers"})
    place = personalization.find_placement(key="hero")
    assert made["Location"] == f"/placements/{place.placement_id}/"
    made = marketer.post("/offers/new/", OFFER | {"placement_ids": [str(place.placement_id)]})
    (offer,) = personalization.list_offers()
    assert made["Location"] == f"/offers/{offer.offer_id}/"
    marketer.post(f"/offers/{offer.offer_id}/state/", {"state": "live"})
    rule = '{"node": "check", "field": "trait.vip", "is": {"op": "is_true"}}'
    second = OFFER | {"key": "vip", "name": "For the few", "audience": "rule", "rule": rule}
    marketer.post("/offers/new/", second | {"placement_ids": [str(place.placement_id)]})
    vip = personalization.list_offers(search="few")[0]
    marketer.post(f"/offers/{vip.offer_id}/state/", {"state": "live"})
    personalization.publish_snapshot(now=NOW)

    profile_id = make_customer()
    tried = text_of(marketer.get(f"/placements/{place.placement_id}/try/", {"who": "Ada"}))
    assert "A coffee on us" in tried
    assert "eligibility" in tried
    assert "Nobody is found" in text_of(
        marketer.get(f"/placements/{place.placement_id}/try/", {"who": "nobody at all"})
    )
    assert not personalization.list_decisions().items, "trying must not be logged"

    decision = personalization.decide(
        request=DecideRequest(placement="hero"), profile_id=profile_id, now=NOW
    )
    listed = text_of(marketer.get("/decisions/", {"placement": "hero"}))
    assert "Ada Lovelace" in listed
    assert "A coffee on us" in listed
    page = text_of(marketer.get(f"/decisions/{decision.decision_id}/"))
    assert "100.0 %" in page
    assert "only for whoever" in page
    assert str(decision.seed) in page
    assert "Lovelace" not in text_of(marketer.get("/decisions/", {"placement": "other"}))
    arms = text_of(marketer.get(f"/placements/{place.placement_id}/"))
    assert "Free coffee" in arms
    assert "not seen yet" in arms


def test_what_was_typed_stays_when_an_offer_cannot_be_made(marketer):
    for wrong, said in (
        ({"key": "Bad Key"}, "key"),
        ({"audience": "rule", "rule": "{not json"}, "JSON"),
        ({"audience": "rule", "rule": '{"node": "nothing"}'}, "node"),
        ({"audience": "segment"}, "choose the segment"),
        ({"cap_count": "often"}, "whole number"),
        ({"cap_count": "3"}, "cap"),
        ({"starts_at": "tomorrow"}, "date"),
        ({"action_url": "javascript:alert(1)"}, "http"),
    ):
        page = marketer.post("/offers/new/", OFFER | wrong)
        assert page.status_code == 422, wrong
        assert said.casefold() in text_of(page).casefold(), wrong
        assert "A coffee on us" in text_of(page)
    assert personalization.list_offers() == []


def test_times_are_the_readers_and_stay(marketer):
    marketer.cookies["tz"] = "Europe/Paris"
    typed = OFFER | {"starts_at": "2030-07-01T10:00", "cap_count": "2", "cap_days": "1,5"}
    marketer.post("/offers/new/", typed)
    (offer,) = personalization.list_offers()
    page = text_of(marketer.get(f"/offers/{offer.offer_id}/"))
    assert "2030-07-01T10:00" in page
    assert offer.cap_days == 1.5
    marketer.post(f"/offers/{offer.offer_id}/", typed | {"headline": "Another", "ends_at": ""})
    again = personalization.get_offer(offer_id=offer.offer_id)
    assert (again.headline, again.starts_at) == ("Another", offer.starts_at)


def test_who_only_looks_changes_nothing(db):
    marketer, viewer = sign_in("marketer"), sign_in("viewer")
    marketer.post("/offers/new/", OFFER)
    (offer,) = personalization.list_offers()
    page = viewer.get(f"/offers/{offer.offer_id}/")
    assert page.status_code == 200
    assert "Save the changes" not in text_of(page)
    viewer.post(f"/offers/{offer.offer_id}/", OFFER | {"headline": "Mine"})
    assert viewer.post(f"/offers/{offer.offer_id}/state/", {"state": "live"}).status_code == 403
    assert personalization.get_offer(offer_id=offer.offer_id) == offer
