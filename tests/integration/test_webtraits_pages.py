"""Claims, the past and the rules for traits on screen."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client

from amity.store import api as store

NOW = datetime.now(UTC).replace(microsecond=0)


def sign_in(role: str = "admin") -> Client:
    from amity.web.staff.models import Staff

    Staff.objects.create_user(f"{role}-one", password="seven kettles", role=role)
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": f"{role}-one", "password": "seven kettles"})
    return client


def settle() -> None:
    while store.fold_batch().events + store.follow(now=NOW):
        pass


def send(source_name: str, *events: dict[str, Any], days_ago: int = 0) -> None:
    source = store.find_source(name=source_name) or store.create_source(
        name=source_name, kind="server"
    )
    raw = [msgspec.json.encode(one) for one in events]
    store.append_events(source_id=source.source_id, events=raw, now=NOW - timedelta(days=days_ago))
    settle()


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


@pytest.fixture
def ann(db):
    send("Shop", {"type": "identify", "userId": "ann", "traits": {"city": "Kiel"}}, days_ago=9)
    send(
        "Agency",
        {
            "type": "track",
            "event": "Trait Asserted",
            "userId": "ann",
            "properties": {
                "trait": "city",
                "value": "<b>Bonn</b>",
                "how": "inferred",
                "confidence": 0.7,
                "lawful_basis": "consent",
            },
        },
        days_ago=3,
    )
    found = store.find_profile(kind="user_id", value="ann")
    assert found is not None
    return found.profile_id


def test_all_claims_of_a_trait_are_told_with_the_losers_struck(ann):
    page = sign_in("viewer").get(f"/customers/{ann}/")
    html = page.content.decode()
    assert "<s>Kiel</s>" in html
    assert "<b>&lt;b&gt;Bonn&lt;/b&gt;</b>" in html, "a value is never markup"
    words = text_of(page)
    assert "2 claims" in words
    assert "Agency, worked out, 70 % sure" in words
    assert "held by consent" in words
    assert "another claim counts" in words
    assert "Which claim is shown" not in words, "a viewer may not see the rules"


def test_the_page_as_known_on_a_day_says_so_and_leads_back(ann):
    client = sign_in("viewer")
    day = (NOW - timedelta(days=5)).date().isoformat()
    page = client.get(f"/customers/{ann}/", {"as_of": day})
    words = text_of(page)
    assert "This is how they were known on" in words
    assert "Kiel" in words
    assert "Bonn" not in words
    assert f'href="/customers/{ann}/"' in page.content.decode()
    assert "Erase" not in words, "the past cannot be changed"
    before = (NOW - timedelta(days=30)).date().isoformat()
    assert "They were not known then" in text_of(client.get(f"/customers/{ann}/?as_of={before}"))
    for wrong in ("yesterday", "2999-01-01", "2026-13-01"):
        assert client.get(f"/customers/{ann}/", {"as_of": wrong}).status_code == 422
    assert client.get("/customers/999999/", {"as_of": day}).status_code in (200, 404)


def test_rules_are_declared_and_taken_away_by_those_who_may(ann):
    client = sign_in()
    assert "The latest claim is shown" in text_of(client.get("/traits/"))
    shop = store.find_source(name="Shop")
    assert shop is not None
    answer = client.post(
        "/traits/set/",
        {"pattern": "city", "kind": "most_trusted_source", "source1": str(shop.source_id)},
        follow=True,
    )
    assert "city follows the rule now" in text_of(answer)
    assert "The most trusted source is shown: Shop, then all others." in text_of(answer)
    settle()
    assert store.get_profile(profile_id=ann).traits == {"city": "Kiel"}
    refused = client.post("/traits/set/", {"pattern": "", "kind": "latest"})
    assert refused.status_code == 422
    assert "Name a trait" in text_of(refused)
    client.post("/traits/remove/", {"pattern": "city"})
    settle()
    assert store.get_profile(profile_id=ann).traits == {"city": "<b>Bonn</b>"}
    assert store.list_survivorship_rules() == []
    analyst = sign_in("analyst")
    assert "Declare it" not in text_of(analyst.get("/traits/"))
    assert analyst.post("/traits/set/", {"pattern": "x", "kind": "latest"}).status_code == 403
