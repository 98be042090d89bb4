"""Who is who on screen: drawn, explained, joined, split, reviewed, and all of it taken back."""

import re
from datetime import UTC, datetime
from itertools import product
from typing import Any

import msgspec
from django.test import Client

from amity.store import api as store
from amity.store import api_identity

NOW = datetime.now(UTC).replace(microsecond=0)


def sign_in(role: str = "admin") -> Client:
    from amity.web.staff.models import Staff

    Staff.objects.create_user(f"{role}-one", password="seven kettles", role=role)
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": f"{role}-one", "password": "seven kettles"})
    return client


def fold() -> None:
    while store.fold_batch().events:
        pass


def send(name: str, kind: Any, *events: dict[str, Any]) -> None:
    source = store.find_source(name=name) or store.create_source(name=name, kind=kind)
    raw = [msgspec.json.encode({"type": "identify", "traits": {}} | event) for event in events]
    assert store.append_events(source_id=source.source_id, events=raw, now=NOW).accepted
    fold()


def owner(kind: Any, value: str) -> int:
    profile = store.find_profile(kind=kind, value=value)
    assert profile
    return profile.profile_id


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def tell_a_story() -> tuple[int, int]:
    home = {"street": "Main St 5", "city": "Vienna"}
    send(
        "Shop",
        "server",
        {"anonymousId": "laptop"},
        {
            "userId": "ann",
            "anonymousId": "laptop",
            "traits": {"name": "Ann Lee", "email": "ann@firm.example", "address": home},
        },
        {"userId": "bob", "anonymousId": "laptop", "traits": {"name": "Bob Lee", "address": home}},
        *({"userId": f"clerk{number}", "anonymousId": "till"} for number in range(5)),
        {"userId": "ann", "anonymousId": "till"},
    )
    send("Site", "browser", {"anonymousId": "phone", "traits": {"email": "ann@firm.example"}})
    api_identity.gather_candidates(now=NOW)
    api_identity.gather_links(now=NOW)
    return owner("user_id", "ann"), owner("anonymous_id", "phone")


def test_a_customers_identity_is_drawn_and_told(db: str) -> None:
    ann, phone = tell_a_story()
    bob = owner("user_id", "bob")
    viewer = sign_in("viewer")
    answer = viewer.get(f"/customers/{ann}/identity/")
    page = text_of(answer)
    assert "3 identifiers make one customer" in page
    assert "a device of many" in page
    assert re.search("[Hh]ousehold +Lee", page)
    assert answer.content.count(b'class="node own"') == 3
    assert answer.content.count(b'class="node place"') == 1
    assert b'class="edge cut"' in answer.content
    assert b'id="merge"' not in answer.content
    told = text_of(viewer.get(f"/customers/{ann}/identity/?with={bob}"))
    assert f"Profile {bob} is kept apart" in told
    assert "two customer ids" in told
    assert "there is no profile 77777" in text_of(
        viewer.get(f"/customers/{ann}/identity/?with=77777")
    ).replace("There", "there")
    assert viewer.post(f"/customers/{ann}/identity/merge/", {"other": phone}).status_code == 403


def test_joining_and_splitting_by_hand_can_be_taken_back(db: str) -> None:
    ann, phone = tell_a_story()
    client = sign_in()
    address = f"/customers/{ann}/identity/"
    said = text_of(client.post(f"{address}merge/", {"other": owner("user_id", "bob")}, follow=True))
    assert "they have different user ids" in said
    client.post(f"{address}merge/", {"other": phone, "reason": "same voice"})
    fold()
    assert owner("anonymous_id", "phone") == ann
    assert "joined by hand" in text_of(client.get(f"{address}?with={phone}"))
    shown = client.get(address).content.decode()
    assert "same voice" in shown
    [join_id] = re.findall(r'name="join" value="([^"]+)"', shown)
    client.post(f"{address}joins/undo/", {"join": join_id})
    fold()
    assert owner("anonymous_id", "phone") == phone
    assert "Joined by hand" not in client.get(address).content.decode()
    assert "still under way" in text_of(
        client.post(f"{address}joins/undo/", {"join": "?"}, follow=True)
    )
    client.post(f"{address}merge/", {"other": phone})
    fold()
    said = text_of(client.post(f"{address}split/", follow=True))
    assert "Nothing was split" in said
    client.post(f"{address}split/", {"identifier": ["anonymous_id phone"]})
    fold()
    assert owner("anonymous_id", "phone") != ann
    page = client.get(address).content.decode()
    [undo] = re.findall(r'action="([^"]+/splits/\d+/undo/)"', page)
    client.post(undo)
    fold()
    assert owner("anonymous_id", "phone") == ann
    assert "/splits/" not in client.get(address).content.decode()


def test_the_review_queue_decides_and_takes_back(db: str) -> None:
    tell_a_story()
    client = sign_in()
    assert "Ann Lee" in text_of(client.get("/review/"))
    assert "No such pairs" in text_of(client.get("/review/?show=rejected"))
    assert "Nothing to decide" in text_of(client.get("/review/?from=linkage"))
    [pair] = api_identity.list_candidates().items
    address = f"/review/{pair.candidate_id}/"
    page = text_of(client.get(address))
    assert "Are they one person?" in page
    assert "ann@firm.example" in page
    client.post(f"{address}decide/", {"choice": "accept"})
    fold()
    assert owner("anonymous_id", "phone") == owner("user_id", "ann")
    assert "Accepted" in text_of(client.get(address))
    client.post(f"{address}decide/", {"choice": "undo"})
    fold()
    assert owner("anonymous_id", "phone") != owner("user_id", "ann")
    client.post(f"{address}decide/", {"choice": "reject"})
    assert "Keep apart" not in text_of(client.get(address))
    said = text_of(client.post(f"{address}decide/", {"choice": "accept"}, follow=True))
    assert "somebody has decided this pair meanwhile" in said
    assert client.get("/review/999/").status_code == 404


def test_who_does_not_belong_to_a_home_is_said_and_taken_back(db: str) -> None:
    ann, _ = tell_a_story()
    bob = owner("user_id", "bob")
    client = sign_in()
    page = text_of(client.get(f"/customers/{ann}/identity/"))
    assert "Household Lee with Bob Lee · by surname, address" in page
    out = f"/customers/{bob}/identity/links/household/"
    assert "Not of the same household" in text_of(client.post(f"{out}reject/", follow=True))
    assert [link.kind for link in api_identity.list_links(profile_id=ann)] == ["company"]
    assert "nobody of the same household" in text_of(client.post(f"{out}reject/", follow=True))
    api_identity.gather_links(now=NOW)
    assert [link.kind for link in api_identity.list_links(profile_id=ann)] == ["company"]
    assert "Kept apart" in text_of(client.get("/review/?show=rejected&kind=household"))
    client.post(f"{out}restore/")
    kinds = [link.kind for link in api_identity.list_links(profile_id=ann)]
    assert kinds == ["household", "company"]
    assert "nobody is kept out" in text_of(client.post(f"{out}restore/", follow=True))


def test_many_are_decided_at_once_and_what_was_learnt_is_told(db: str) -> None:
    people = [
        {
            "userId": f"u{n}",
            "traits": {
                "firstName": f"{first}a",
                "lastName": f"{last}er",
                "birthday": f"19{50 + n}-0{1 + n % 9}-1{n % 7}",
                "email": f"{first}{n}@gmail.com",
            },
        }
        for n, (first, last) in enumerate(product("brnkmlt", "swdfgh"))
    ]
    twins = [
        {
            "anonymousId": f"a{n}",
            "traits": each["traits"] | {"email": f"{n}x{each['traits']['lastName']}@gmx.at"},
        }
        for n, each in enumerate(people[:9])
    ]
    client = sign_in()
    assert "Nothing yet" in text_of(client.get("/review/learnt/"))
    refused = client.post("/review/learnt/anew/", {"subject": "people"}, follow=True)
    assert "nothing was learnt yet" in text_of(refused)
    send("Shop", "server", *people, *twins)
    assert api_identity.propose_links(now=NOW) >= 9
    told = text_of(client.get("/review/learnt/"))
    assert "Learnt" in told
    assert "says very much for it" in told
    client.post("/review/learnt/anew/", {"subject": "people"})
    assert "asked for it to be learnt anew" in text_of(client.get("/review/learnt/"))
    [pair] = api_identity.list_candidates(kind="person", limit=1).items
    assert "One bit doubles the odds" in text_of(client.get(f"/review/{pair.candidate_id}/"))
    asked = {"kind": "person", "choice": "accept", "percent": "80"}
    ahead = text_of(client.get("/review/together/", asked))
    found = re.search(r"(\d+) pairs would be joined", ahead)
    assert found
    wrong = text_of(client.get("/review/together/", asked | {"percent": "eighty"}))
    assert "whole number" in wrong
    count = int(found[1])
    assert count >= 9
    said = text_of(client.post("/review/together/decide/", asked, follow=True))
    assert f"{count} pairs were accepted" in said
    fold()
    assert store.count_profiles() == 51 - count
    [batch] = re.findall(r'name="batch" value="([^"]+)"', client.get("/review/").content.decode())
    client.post("/review/together/undo/", {"batch": batch})
    fold()
    assert store.count_profiles() == 51
    again = client.post("/review/together/undo/", {"batch": batch}, follow=True)
    assert "nothing to take back" in text_of(again)
