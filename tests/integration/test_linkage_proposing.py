"""Customers that are alike wait in the review queue; nothing is joined by itself."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.kernel.errors import Conflict, NotFound
from amity.store import api, api_identity

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
    assert api_identity.propose_links(now=NOW) == 30
    assert api_identity.propose_links(now=NOW) == 0
    pairs = api_identity.list_candidates(origin="linkage").items
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
    assert api_identity.propose_links(now=NOW + timedelta(hours=1)) == 1
    assert api_identity.list_candidates(origin="linkage").items[0].probability > 0.9
    [model] = api_identity.list_link_models(subject="people")
    assert (model.version, model.records, model.why) == (1, 91, "first")
    assert model.compared_at == NOW + timedelta(hours=1)
    assert model.quality.matches > 25
    assert model.quality.precision > 0.95


def test_what_was_learnt_is_used_until_it_is_old_or_other_or_somebody_asks(source):
    rng = random.Random(2)
    send(source, [person(rng, n) for n in range(60)])
    with pytest.raises(Conflict):
        api_identity.ask_to_learn(subject="people", by="me", now=NOW)
    api_identity.propose_links(now=NOW)
    first = api_identity.list_link_models(subject="people")[0]
    assert {weight.field for weight in first.weights} >= {"surname", "e-mail address"}
    assert dict(first.weights[0].grades)["same"] > 3
    send(source, [person(rng, n) for n in range(60, 70)], minutes=1)
    api_identity.propose_links(now=NOW + timedelta(days=6))
    assert len(api_identity.list_link_models(subject="people")) == 1
    api_identity.ask_to_learn(subject="people", by="ann", now=NOW + timedelta(days=6))
    assert api_identity.learn_asked(now=NOW + timedelta(days=6, hours=1)) == 1
    assert api_identity.learn_asked(now=NOW + timedelta(days=6, hours=2)) == 0
    api_identity.propose_links(now=NOW + timedelta(days=14))
    phones = [
        {"userId": f"u{n}", "traits": {"phone": f"+43660{rng.randint(10**6, 10**7)}"}}
        for n in range(40)
    ]
    send(source, phones, minutes=2)
    api_identity.propose_links(now=NOW + timedelta(days=15))
    found = api_identity.list_link_models(subject="people")
    assert [(one.why, one.learnt_by) for one in found] == [
        *(("drift", ""), ("schedule", ""), ("asked", "ann"), ("first", "")),
    ]
    with pytest.raises(Conflict):
        api_identity.learn_links(subject="companies", by="me", now=NOW)


def test_homes_and_companies_that_look_alike_are_offered_as_links(source):
    rng = random.Random(3)
    people = [person(rng, n) for n in range(80)]
    for number, each in enumerate(people):
        each["traits"]["address"]["street"] = f"{each['traits']['lastName']} lane {number}"
        each["traits"]["phone"] = f"+43660{7000000 + number}"
        each["traits"]["email"] = f"{each['traits']['firstName']}{number}@gmail.com"
    for one, other in zip(people[:20], people[20:40], strict=True):
        for name in ("lastName", "phone"):
            other["traits"][name] = one["traits"][name]
        other["traits"]["address"] = one["traits"]["address"] | {
            "street": one["traits"]["address"]["street"].replace("lane", "lan")
        }
    names = [" ".join(person(rng, 0)["traits"]["lastName"] for _ in range(2)) for _ in range(60)]
    for number, each in enumerate(people[:60]):
        each["traits"]["company"] = {"name": names[number], "postalCode": str(20000 + number)}
    for number in range(60, 80):
        name = names[number - 60]
        company = {"name": name[:-1] + "x GmbH", "postalCode": str(20000 + number - 60)}
        people[number]["traits"]["company"] = company
    send(source, people)
    api_identity.gather_links(now=NOW)
    api_identity.propose_links(now=NOW)
    homes = api_identity.list_candidates(kind="household").items
    firms = api_identity.list_candidates(kind="company").items
    assert len(homes) > 15
    assert len(firms) > 15
    pair = homes[0]
    assert api_identity.list_links(profile_id=pair.one_id) == []
    decide = lambda choice, one=pair: api_identity.decide_candidate(  # noqa: E731
        candidate_id=one.candidate_id, choice=choice, by="me", now=NOW
    )
    decide("accept")
    [link] = api_identity.list_links(profile_id=pair.one_id)
    assert (link.kind, link.profile_ids) == ("household", [pair.one_id, pair.other_id])
    assert api_identity.list_links(profile_id=pair.other_id) == [link]
    decide("undo")
    assert api_identity.list_links(profile_id=pair.one_id) == []
    assert not set(pair.explanation["weights"]) - set(pair.explanation["agreement"])


def test_many_pairs_are_decided_at_once_after_a_look_ahead_and_taken_back(source):
    rng = random.Random(4)
    people = [person(rng, n) for n in range(60)]
    again = [
        {"anonymousId": f"a{n}", "traits": each["traits"] | {"email": f"new{n}@mail.example"}}
        for n, each in enumerate(people[:12])
    ]
    send(source, [*people, *again])
    api_identity.propose_links(now=NOW)
    asked = {"kind": "person", "choice": "accept", "bound": 0.9, "by": "me"}
    ahead = api_identity.forecast_decisions(**asked, now=NOW)
    assert (ahead.pairs, ahead.refused, ahead.is_all) == (12, {}, True)
    assert len(api_identity.list_candidates().items) == 12
    done = api_identity.decide_candidates(**asked, now=NOW)
    assert done.pairs == 12
    with pytest.raises(NotFound):
        api_identity.decide_candidates(**asked, now=NOW)
    with pytest.raises(Conflict):
        api_identity.undo_decisions(batch=done.batch, by="me", now=NOW)
    while api.fold_batch().events:
        pass
    assert api.count_profiles() == 60
    assert [one.pairs for one in api_identity.list_decisions()] == [12]
    assert api_identity.undo_decisions(batch=done.batch, by="me", now=NOW) == 12
    while api.fold_batch().events:
        pass
    assert api.count_profiles() == 72
    assert api_identity.list_decisions() == []


def test_a_handful_of_customers_is_left_alone(source):
    rng = random.Random(1)
    send(source, [person(rng, n) for n in range(5)])
    assert api_identity.propose_links(now=NOW) == 0
