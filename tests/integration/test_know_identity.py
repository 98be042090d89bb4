"""Who is who by hand and by proof: merging, splitting, reviewing, households, explanations."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import config, database
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api, api_identity
from amity.store.contracts_identity import Suggestion

NOW = datetime.now(UTC).replace(microsecond=0)
TABLES = {
    "store_profile": ("to_jsonb(t) - 'version'", "id"),
    "store_identifier": ("to_jsonb(t)", "kind, value"),
    "store_order": ("to_jsonb(t)", "profile_id, order_id"),
    "store_tally": ("to_jsonb(t)", "kind, name"),
    "store_merge": ("to_jsonb(t)", "id"),
    "store_evidence": ("to_jsonb(t)", "edge_key"),
}


@pytest.fixture
def shop(db):
    return api.create_source(name="Shop", kind="server").source_id


@pytest.fixture
def site(db):
    return api.create_source(name="Site", kind="browser").source_id


def send(source, *events):
    raw = [
        msgspec.json.encode(
            {"type": "identify" if "traits" in event else "track", "event": "Seen", **event}
        )
        for event in events
    ]
    assert api.append_events(source_id=source, events=raw, now=NOW).accepted == len(raw)
    fold()


def fold():
    while api.fold_batch().events:
        pass


def rows(text, *arguments):
    with database.transaction() as connection:
        return connection.execute(text, arguments).fetchall()


def at(minutes):
    return (NOW - timedelta(days=2) + timedelta(minutes=minutes)).isoformat()


def owner(kind, value):
    found = api.find_profile(kind=kind, value=value)
    return found and found.profile_id


def whole(*, manual=True):
    """All of identity and what hangs on it; without what was decided by hand if not wanted."""
    told = {}
    for table, (what, order) in TABLES.items():
        where = ""
        if not manual and table == "store_evidence":
            where = "WHERE way <> 'manual'"
        if not manual and table == "store_merge":
            where = "WHERE undone_by IS NULL"
        if not manual and table == "store_tally":
            where = "WHERE kind = 'total' AND amount <> 0"
        told[table] = rows(f"SELECT {what} FROM {table} t {where} ORDER BY {order}")
    return told


def test_a_stated_address_joins_nobody_and_proof_takes_it_over(shop, site):
    send(shop, {"userId": "ann", "traits": {"email": "ann@x.y", "plan": "gold"}})
    send(site, {"anonymousId": "thief", "traits": {"email": "ann@x.y"}})
    assert owner("email", "ann@x.y") == owner("user_id", "ann") != owner("anonymous_id", "thief")
    assert "plan" not in api.find_profile(kind="anonymous_id", value="thief").traits
    [refused] = api.list_merges(refused=True).items
    assert refused.refusal == "unproven"
    # The first to state an address holds it until somebody proves it.
    send(site, {"anonymousId": "b1", "traits": {"email": "bob@x.y"}})
    send(site, {"anonymousId": "b2", "traits": {"email": "bob@x.y"}})
    assert owner("email", "bob@x.y") == owner("anonymous_id", "b1") != owner("anonymous_id", "b2")
    send(shop, {"userId": "bob", "traits": {"email": "bob@x.y"}})
    assert owner("email", "bob@x.y") == owner("user_id", "bob") != owner("anonymous_id", "b1")
    with database.transaction() as connection:
        api_identity.confirm_identifier(
            connection=connection,
            profile_id=owner("anonymous_id", "b2"),
            kind="email",
            value="bob@x.y",
            how="link",
            now=NOW,
        )
    fold()
    assert owner("anonymous_id", "b2") == owner("user_id", "bob") != owner("anonymous_id", "b1")


def test_a_public_key_joins_no_two_that_are_known(shop, site):
    send(shop, {"anonymousId": "d", "traits": {"email": "ann@x.y"}}, {"userId": "u"})
    send(site, {"userId": "u", "anonymousId": "d"})
    assert owner("anonymous_id", "d") != owner("user_id", "u")
    send(site, {"userId": "u", "anonymousId": "new"})
    assert owner("anonymous_id", "new") == owner("user_id", "u")


def test_a_device_of_many_is_a_place(shop):
    users = [f"u{number}" for number in range(5)]
    send(shop, {"anonymousId": "kiosk", "timestamp": at(0)})
    for number, user in enumerate(users[:4], 1):
        send(shop, {"userId": user, "anonymousId": "kiosk", "timestamp": at(number)})
    assert owner("anonymous_id", "kiosk") == owner("user_id", "u0")
    send(shop, {"userId": users[4], "anonymousId": "kiosk", "timestamp": at(9)})
    people = {owner("user_id", user) for user in users}
    place = owner("anonymous_id", "kiosk")
    assert len(people | {place}) == 6
    assert api.get_profile(profile_id=place).event_count == 1
    assert [each.value for each in api_identity.list_places(profile_id=owner("user_id", "u3"))] == [
        "kiosk"
    ]
    send(shop, {"userId": "u9", "anonymousId": "kiosk"}, {"anonymousId": "kiosk"})
    assert api.get_profile(profile_id=place).event_count == 2
    before = whole()
    api.rebuild()
    assert whole() == before


def test_one_device_rotated_at_logout_keeps_two_people(site):
    send(site, {"userId": "a", "anonymousId": "d1"}, {"anonymousId": "d2"})
    send(site, {"userId": "b", "anonymousId": "d2"}, {"anonymousId": "d3"})
    send(site, {"userId": "a", "anonymousId": "d3"})
    assert owner("anonymous_id", "d1") == owner("anonymous_id", "d3") == owner("user_id", "a")
    assert owner("anonymous_id", "d2") == owner("user_id", "b") != owner("user_id", "a")
    assert api.list_merges(refused=True).items == []


def test_caps_and_own_blocked_values_hold(shop):
    with config.override(identity_max_emails=2, identity_blocked="info@shop.example, Kiosk"):
        for number in range(4):
            send(shop, {"userId": "u", "traits": {"email": f"e{number}@x.y"}})
        send(
            shop, {"userId": "v", "anonymousId": "kiosk", "traits": {"email": "INFO@shop.example"}}
        )
    user = owner("user_id", "u")
    held = [one.value for one in api.list_identifiers(profile_id=user) if one.kind == "email"]
    assert held == ["e0@x.y", "e1@x.y"]
    assert [one.kind for one in api.list_identifiers(profile_id=owner("user_id", "v"))] == [
        "user_id"
    ]


def two_people(shop):
    order = {"event": "Order Completed", "properties": {"order_id": "o", "total": 5}}
    send(
        shop,
        {"anonymousId": "a1", "timestamp": at(5)},
        {"userId": "ann", "anonymousId": "a1", "timestamp": at(3)},
        {"userId": "ann", "timestamp": at(4), **order},
        {"anonymousId": "a2", "timestamp": at(1), **order},
        {"anonymousId": "a2", "traits": {"email": "ann@x.y"}, "timestamp": at(2)},
        {"userId": "bob", "anonymousId": "a1", "timestamp": at(9)},
    )
    return owner("user_id", "ann"), owner("anonymous_id", "a2")


def test_a_merge_by_hand_undone_leaves_the_same_bytes(shop):
    ann, other = two_people(shop)
    before = whole(manual=False)
    api_identity.merge_profiles(winner=other, loser=ann, by="me", now=NOW, reason="she said so")
    fold()
    assert owner("user_id", "ann") == owner("anonymous_id", "a2") == other
    path = api_identity.explain_identity(profile_a=ann, profile_b=other)
    assert path.is_joined
    assert [step.way for step in path.steps] == ["manual"]
    assert whole(manual=False) != before
    [merge] = [one for one in api.list_merges(refused=False).items if one.winner_id == other]
    api.unmerge(merge_id=merge.merge_id, by="me", now=NOW)
    fold()
    after = whole(manual=False)
    for table, held in before.items():
        for one, other_row in zip(held, after[table], strict=True):
            left, right = one[0], other_row[0]
            assert {k: (left[k], right[k]) for k in left if left[k] != right[k]} == {}, table
    held = whole()
    api.rebuild()
    assert whole() == held
    # What was undone can be joined again by hand.
    api_identity.merge_profiles(winner=ann, loser=other, by="me", now=NOW + timedelta(seconds=1))
    fold()
    assert owner("anonymous_id", "a2") == ann
    with pytest.raises(Conflict):
        api_identity.merge_profiles(winner=ann, loser=other, by="me", now=NOW)
    with pytest.raises(Conflict):
        api_identity.merge_profiles(winner=ann, loser=owner("user_id", "bob"), by="me", now=NOW)


def test_a_split_holds_and_undone_leaves_the_same_bytes(shop):
    ann, _ = two_people(shop)
    send(shop, {"userId": "ann", "anonymousId": "a3", "traits": {"phone": "+4311111111"}})
    before = whole(manual=False)
    named = [("anonymous_id", "a1"), ("anonymous_id", "a3")]
    api_identity.split_profile(profile_id=ann, identifiers=named, by="me", now=NOW)
    fold()
    assert owner("user_id", "ann") == owner("phone", "+4311111111")
    assert owner("user_id", "ann") not in (owner("anonymous_id", "a1"), owner("anonymous_id", "a3"))
    # Had it never been ann's, it would be his who signed in on it too.
    assert owner("anonymous_id", "a1") == owner("user_id", "bob")
    held = whole()
    api.rebuild()
    assert whole() == held
    told = api.list_activity(profile_id=owner("user_id", "ann"), names=["Profile Unmerged"]).items
    split_id = next(each.event_id for each in told if each.properties.get("split"))
    send(shop, {"userId": "ann", "anonymousId": "a3", "messageId": "again", "timestamp": at(99)})
    assert owner("anonymous_id", "a3") != owner("user_id", "ann")
    api_identity.undo_split(profile_id=ann, split_id=split_id, by="me", now=NOW)
    fold()
    after = whole(manual=False)
    for table in ("store_identifier", "store_order", "store_merge"):
        assert after[table] == before[table]
    api.rebuild()
    assert whole(manual=False) == after
    with pytest.raises(NotFound):
        api_identity.undo_split(profile_id=ann, split_id=split_id, by="me", now=NOW)
    with pytest.raises(Invalid):
        api_identity.split_profile(profile_id=ann, identifiers=[], by="me", now=NOW)


def test_the_review_queue_joins_rejects_and_takes_back(shop, site):
    send(shop, {"anonymousId": "b", "traits": {"email": "ann@x.y"}}, {"userId": "u"})
    send(site, {"anonymousId": "c", "traits": {"email": "ann@x.y"}})
    assert api_identity.gather_candidates(now=NOW) == 1
    assert api_identity.gather_candidates(now=NOW) == 0
    [pair] = api_identity.list_candidates().items
    assert pair.explanation["refusal"] == "unproven"
    taken = api_identity.decide_candidate(
        candidate_id=pair.candidate_id, choice="reject", by="me", now=NOW
    )
    assert taken.state == "rejected"
    assert api_identity.gather_candidates(now=NOW) == 0
    with pytest.raises(Conflict):
        api_identity.decide_candidate(
            candidate_id=pair.candidate_id, choice="accept", by="me", now=NOW
        )
    api_identity.decide_candidate(candidate_id=pair.candidate_id, choice="undo", by="me", now=NOW)
    api_identity.decide_candidate(candidate_id=pair.candidate_id, choice="accept", by="me", now=NOW)
    with pytest.raises(Conflict):
        api_identity.decide_candidate(
            candidate_id=pair.candidate_id, choice="undo", by="me", now=NOW
        )
    fold()
    assert owner("anonymous_id", "c") == owner("anonymous_id", "b")
    api_identity.decide_candidate(candidate_id=pair.candidate_id, choice="undo", by="me", now=NOW)
    fold()
    assert owner("anonymous_id", "c") != owner("anonymous_id", "b")
    suggestion = Suggestion(
        one_id=owner("user_id", "u"), other_id=owner("anonymous_id", "b"), probability=0.8
    )
    with database.transaction() as connection:
        found = api_identity.suggest_candidates(
            connection=connection, suggestions=[suggestion], origin="linkage", now=NOW
        )
    assert found == 1
    assert [one.origin for one in api_identity.list_candidates(origin="linkage").items] == [
        "linkage"
    ]
    assert api_identity.count_candidates() == 2


def test_households_and_companies_stand_beside_people(shop):
    home = {"street": "Main St. 5", "postalCode": "1010"}
    send(
        shop,
        {"userId": "a", "traits": {"name": "Ann Lee", "email": "a@firm.example", "address": home}},
        {"userId": "b", "traits": {"name": "Bob Lee", "email": "b@gmail.com", "address": home}},
        {"userId": "c", "traits": {"name": "Cy Fox", "email": "c@firm.example", "address": home}},
        {"userId": "d", "traits": {"name": "Di Fox", "email": "d@gmail.com"}},
    )
    assert api_identity.gather_links(now=NOW) == 4
    assert api_identity.gather_links(now=NOW) == 4
    links = {link.kind: link for link in api_identity.list_links(profile_id=owner("user_id", "a"))}
    assert links["household"].profile_ids == [owner("user_id", "a"), owner("user_id", "b")]
    assert links["company"].profile_ids == [owner("user_id", "a"), owner("user_id", "c")]
    assert links["company"].label == "firm.example"
    assert api_identity.list_links(profile_id=owner("user_id", "d")) == []
    assert owner("user_id", "a") != owner("user_id", "b")


def test_the_path_between_two_says_why(shop):
    send(
        shop,
        {"anonymousId": "a1"},
        {"userId": "ann", "traits": {"email": "ann@x.y"}},
        {"anonymousId": "a1", "traits": {"email": "ann@x.y"}},
        {"userId": "bob", "anonymousId": "a1"},
    )
    ann = owner("user_id", "ann")
    [device] = [one for one in api.list_joined(profile_id=ann) if one != ann]
    path = api_identity.explain_identity(profile_a=ann, profile_b=device)
    assert path.is_joined
    assert [(step.hub_kind, step.kind) for step in path.steps][-1] == ("email", "anonymous_id")
    apart = api_identity.explain_identity(profile_a=ann, profile_b=owner("user_id", "bob"))
    assert not apart.is_joined
    assert [step.cut for step in apart.steps if step.cut] == ["different_user_ids"]
    edges = api_identity.list_evidence(profile_id=ann)
    assert {edge.cut for edge in edges} == {"", "different_user_ids"}
    api.erase_profile(profile_id=ann, by="me", now=NOW)
    assert rows("SELECT FROM store_evidence WHERE value = 'a1' OR hub_value = 'ann'") == []
