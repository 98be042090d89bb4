"""Customers that are alike wait in the review queue; nothing is joined by itself."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.store import api

NOW = datetime.now(UTC).replace(microsecond=0)
LETTERS = "abcdefghijklmnoprstuvz"


@pytest.fixture
def source(db):
    return api.create_source(name="Shop", kind="server").source_id


def send(source_id, people, minutes=0):
    raw = [
        msgspec.json.encode(
            {
                "type": "identify",
                "messageId": f"{minutes}-{n}",
                "timestamp": (NOW - timedelta(days=2) + timedelta(minutes=minutes)).isoformat(),
                **person,
            }
        )
        for n, person in enumerate(people)
    ]
    assert api.append_events(source_id=source_id, events=raw, now=NOW).accepted == len(raw)
    while api.fold_batch(limit=2000).events:
        pass


def person(rng, number, **changed):
    word = lambda: "".join(rng.choice(LETTERS) for _ in range(7))  # noqa: E731
    traits = {
        "firstName": word(),
        "lastName": word(),
        "email": f"{word()}{number}@mail.example",
        "birthday": f"{rng.randint(1940, 2005)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}",
        "address": {"city": word(), "postalCode": str(rng.randint(10000, 99999))},
    }
    return {"userId": f"u{number}", "traits": traits | changed}


def test_alike_customers_are_offered_once_and_with_reasons(source):
    rng = random.Random(1)
    people = [person(rng, n) for n in range(60)]
    again = [
        {"anonymousId": f"a{n}", "traits": each["traits"] | {"email": f"new{n}@mail.example"}}
        for n, each in enumerate(people[:30])
    ]
    named_too = {"userId": "other", "traits": people[40]["traits"] | {"email": "x@mail.example"}}
    send(source, [*people, *again, named_too])
    assert api.propose_links(now=NOW) == 30
    assert api.propose_links(now=NOW) == 0
    pairs = api.list_candidates(origin="linkage").items
    assert len(pairs) == 30
    for pair in pairs:
        assert pair.state == "open"
        assert pair.probability > 0.9
        assert pair.explanation["agreement"]["surname"] == "same"
        assert pair.explanation["agreement"]["e-mail address"] == "differs"
        text = msgspec.json.encode(pair.explanation).decode()
        assert not any(p["traits"]["lastName"] in text for p in people)
    late = {"anonymousId": "late", "traits": people[50]["traits"] | {"email": "late@mail.example"}}
    send(source, [late], minutes=60)
    since = NOW - timedelta(days=2) + timedelta(minutes=30)
    assert api.propose_links(now=NOW, since=since) == 1
    assert api.list_candidates(origin="linkage").items[0].probability > 0.9


def test_a_handful_of_customers_is_left_alone(source):
    rng = random.Random(1)
    send(source, [person(rng, n) for n in range(5)])
    assert api.propose_links(now=NOW) == 0
