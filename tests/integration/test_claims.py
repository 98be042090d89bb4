"""Every claim is kept; a declared rule picks the shown one; the past is as it was known."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store import api
from amity.store.contracts_claims import SurvivorshipRule

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def shop(db):
    return api.create_source(name="Shop", kind="server").source_id


@pytest.fixture
def agency(db):
    return api.create_source(name="Agency", kind="server").source_id


def settle(now=NOW):
    """Let everything come to rest."""
    for _ in range(50):
        done = api.fold_batch().events + api.follow(now=now) + analysis.follow_batch(now=now).events
        if not done and not api.fold_batch().events:
            return
    raise AssertionError("never at rest")


def send(source_id, *events, now=NOW):
    raw = [msgspec.json.encode(event) for event in events]
    assert api.append_events(source_id=source_id, events=raw, now=now).accepted == len(events)
    settle(now)


def identify(traits, days=0, user="u1", **ids):
    at = NOW - timedelta(days=30 - days)
    return {"type": "identify", "timestamp": at.isoformat(), "traits": traits} | (
        ids or {"userId": user}
    )


def claim(trait, value, days=0, user="u1", **more):
    at = NOW - timedelta(days=30 - days)
    return {
        "type": "track",
        "event": "Trait Asserted",
        "userId": user,
        "timestamp": at.isoformat(),
        "properties": {"trait": trait, "value": value, **more},
    }


def customer(user="u1"):
    found = api.find_profile(kind="user_id", value=user)
    assert found is not None
    return found


def truth(trait, user="u1", now=NOW):
    every = api.list_claims(profile_id=customer(user).profile_id, now=now)
    return next(each for each in every if each.trait == trait)


def standings(trait, **more):
    return {str(each.value): each.standing for each in truth(trait, **more).claims}


def rule(pattern, kind, *sources):
    api.set_survivorship_rule(
        rule=SurvivorshipRule(pattern=pattern, kind=kind, sources=list(sources)),
        by="test",
        now=NOW,
    )


def segments():
    stays = analysis.list_memberships(profile_id=customer().profile_id)
    return [stay.segment_name for stay in stays if stay.left_at is None]


def everything():
    with transaction() as connection:
        return connection.execute(
            "SELECT id, traits::text, trait_origins::text, trait_words::text FROM store_profile "
            "ORDER BY id"
        ).fetchall()


def test_all_claims_are_kept_with_what_is_known_of_each(shop, agency):
    send(shop, identify({"city": "Kiel"}, 1), identify({"city": "Bonn"}, 3), identify({"x": 1}, 4))
    send(
        agency,
        claim("city", "Ulm", 2, confidence=0.4, how="inferred", lawful_basis="consent")
        | {"messageId": "a"},
        claim("city", "Jena", 2, provenance="a  directory", expires_at="2020-01-01T00:00:00Z"),
    )
    known = truth("city")
    assert (known.value, known.rule.kind) == ("Bonn", "latest")
    assert standings("city") == {
        "Bonn": "shown",
        "Kiel": "superseded",
        "Ulm": "outranked",
        "Jena": "expired",
    }
    by_value = {each.value: each for each in known.claims}
    ulm, jena = by_value["Ulm"], by_value["Jena"]
    assert (ulm.how, ulm.source_id, ulm.lawful_basis) == ("inferred", agency, "consent")
    assert ulm.confidence == pytest.approx(0.4)
    assert jena.provenance == "a directory"
    assert known.claims[0].value == "Bonn"
    send(shop, identify({"city": "Kiel"}, 5), identify({"city": None}, 6))
    assert customer().traits.get("city") is None
    again = {each.value: each for each in truth("city").claims}
    assert again["Kiel"].standing == "retracted"
    assert again["Kiel"].claimed_at == NOW - timedelta(days=29)
    assert again["Kiel"].last_confirmed_at == NOW - timedelta(days=25)
    assert again["Kiel"].retracted_at == NOW - timedelta(days=24)


def test_a_rule_changes_what_is_shown_everywhere_and_segments_hear_of_it(shop, agency):
    in_kiel = {"node": "check", "field": "trait.city", "is": {"op": "eq", "value": "Kiel"}}
    analysis.create_segment(name="Kiel", rule=in_kiel, by="test", now=NOW)
    send(shop, identify({"city": "Kiel", "age": 40}, 1))
    send(agency, identify({"city": "Bonn", "age": 39}, 2))
    assert customer().traits == {"city": "Bonn", "age": 39}
    assert segments() == []
    rule("city", "most_trusted_source", shop, agency)
    assert api.is_settling()
    settle()
    assert not api.is_settling()
    assert customer().traits == {"city": "Kiel", "age": 39}
    assert segments() == ["Kiel"]
    assert standings("city") == {"Kiel": "shown", "Bonn": "outranked"}
    names = [each.name for each in api.list_activity(profile_id=customer().profile_id).items]
    assert names.count("Trait Resolved") == 1
    send(agency, identify({"city": "Ulm"}, 3))
    assert customer().traits["city"] == "Kiel", "what arrives later follows the rule at once"
    rule("a*", "greatest")
    settle()
    assert customer().traits == {"city": "Kiel", "age": 40}
    before = everything()
    api.rebuild()
    assert everything() == before, "a rebuild chooses alike"
    api.remove_survivorship_rule(pattern="city")
    settle()
    assert customer().traits == {"city": "Ulm", "age": 40}
    with pytest.raises(NotFound):
        api.remove_survivorship_rule(pattern="city")


def test_rules_that_cannot_be_are_refused(shop):
    for pattern, kind, sources in (
        ("", "latest", []),
        ("city", "best", []),
        ("city", "most_trusted_source", []),
        ("city", "most_trusted_source", [shop, shop]),
        ("city", "most_trusted_source", [999]),
    ):
        with pytest.raises(Invalid):
            rule(pattern, kind, *sources)
    assert api.list_survivorship_rules() == []


def test_a_claim_made_for_a_time_is_not_shown_after_it(shop, agency):
    until = NOW + timedelta(hours=1)
    send(shop, identify({"income": "low"}, 1))
    send(agency, claim("income", "high", 2, expires_at=until.isoformat()))
    assert customer().traits["income"] == "high"
    settle(until - timedelta(seconds=1))
    assert customer().traits["income"] == "high"
    settle(until)
    assert customer().traits["income"] == "low"
    assert standings("income", now=until) == {"low": "shown", "high": "expired"}
    before = everything()
    api.rebuild()
    settle(until)
    assert everything() == before


def test_claims_follow_a_merge_and_come_apart_again(shop, agency):
    rule("city", "longest_known")
    send(shop, identify({"city": "Kiel"}, 1))
    send(agency, identify({"city": "Bonn"}, 2, anonymousId="a1"))
    before = everything()
    join = {"type": "alias", "previousId": "a1", "userId": "u1"}
    send(shop, join)
    assert customer().traits["city"] == "Kiel"
    assert standings("city") == {"Kiel": "shown", "Bonn": "outranked"}
    [merge] = api.list_merges().items
    api.unmerge(merge_id=merge.merge_id, by="test", now=NOW)
    settle()
    assert [row[:2] for row in everything()] == [row[:2] for row in before]
    assert standings("city") == {"Kiel": "shown"}


def seen_now(profile_id):
    return msgspec.structs.replace(api.get_profile(profile_id=profile_id), version=0)


def seen_then(profile_id, at):
    found = api.get_profile_as_of(profile_id=profile_id, at=at)
    return msgspec.structs.replace(found.profile, version=0)


def test_a_customer_as_known_on_each_day_is_what_was_shown_that_day(shop, agency):
    days = [NOW - timedelta(days=5 - day) for day in range(6)]
    order = {
        "type": "track",
        "event": "Order Completed",
        "userId": "u1",
        "timestamp": days[0].isoformat(),
        "properties": {"order_id": "o1", "total": 10},
    }
    yes = {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "userId": "u1",
        "properties": {"categoryPreferences": {"marketing.email": True}},
    }
    shown = []
    for day, (source, events) in enumerate(
        [
            (shop, [identify({"city": "Kiel", "email": "ann@example.com"}, 1), yes]),
            (agency, [claim("city", "Bonn", 9), identify({"age": 3}, 2, anonymousId="a1")]),
            (shop, [order, {"type": "alias", "previousId": "a1", "userId": "u1"}]),
            (agency, [claim("city", "Jena", 0)]),
            (shop, [{"type": "track", "event": "Unsubscribed", "userId": "u1"}]),
        ]
    ):
        send(source, *events, now=days[day])
        shown.append(seen_now(customer().profile_id))
    [merge] = [each for each in api.list_merges().items if not each.refusal]
    api.unmerge(merge_id=merge.merge_id, by="test", now=days[5])
    settle(days[5])
    shown.append(seen_now(customer().profile_id))
    root = customer().profile_id
    for day, then in enumerate(shown):
        assert seen_then(root, days[day]) == then, f"day {day}"
    assert "age" in shown[2].traits
    assert "age" not in shown[5].traits
    first = api.get_profile_as_of(profile_id=root, at=days[0])
    assert {each.value for each in first.identifiers} == {"u1", "ann@example.com"}
    assert [each.status for each in first.consent_history] == ["granted"]
    assert len(api.get_profile_as_of(profile_id=root, at=days[4]).joined) == 2
    with pytest.raises(NotFound):
        api.get_profile_as_of(profile_id=root, at=days[0] - timedelta(seconds=1))
    with pytest.raises(Invalid):
        api.get_profile_as_of(profile_id=root, at=days[0].replace(tzinfo=None))


def test_what_had_happened_by_then_counts_what_was_told_late(shop):
    send(shop, identify({"city": "Kiel"}, 1))
    send(shop, identify({"city": "Bonn"}, 9))
    root, on = customer().profile_id, NOW - timedelta(days=25)
    found = api.get_profile_as_of(profile_id=root, at=on, by="happened")
    assert found.profile.traits == {"city": "Kiel"}
    with pytest.raises(NotFound):
        api.get_profile_as_of(profile_id=root, at=on)


def test_what_a_customer_told_is_remembered_and_not_asked_again(shop, agency):
    send(shop, identify({"city": "Kiel"}, 1))
    root = customer().profile_id
    assert api.list_unknown(profile_id=root, fields=["city", "size"]) == ["size"]
    told = {"size": 42, "city": "Bonn"}
    api.remember(profile_id=root, told=told, provenance="preference centre", now=NOW)
    settle()
    memory = {each.trait: each for each in api.list_memory(profile_id=root)}
    assert {trait: each.value for trait, each in memory.items()} == told
    assert memory["size"].provenance == "preference centre"
    assert memory["size"].at == NOW
    assert customer().traits == told
    assert api.list_unknown(profile_id=root, fields=["city", "size", "pet"]) == ["pet"]
    rule("*", "stated_over_inferred")
    send(agency, claim("size", 39, 30, how="inferred"), now=NOW + timedelta(hours=1))
    assert customer().traits["size"] == 42, "what she said outranks what was worked out"
    later = NOW + timedelta(hours=2)
    api.remember(profile_id=root, told={"size": None}, provenance="preference centre", now=later)
    settle(later)
    assert [each.trait for each in api.list_memory(profile_id=root)] == ["city"]
    assert "size" not in customer().traits, "what she took back is not shown from anybody"
    assert api.list_unknown(profile_id=root, fields=["size"]) == [], "nor is she asked again"
    with pytest.raises(Invalid):
        api.remember(profile_id=root, told={"": 1}, provenance="", now=NOW)
    with pytest.raises(NotFound):
        api.list_memory(profile_id=2**40)
