"""Events become profiles: identity, traits, counters, orders, consents, merges."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import database
from amity.store import api
from amity.store.contracts import HistoryWish

NOW = datetime.now(UTC).replace(microsecond=0)


def at(minutes):
    return (NOW - timedelta(days=1) + timedelta(minutes=minutes)).isoformat()


@pytest.fixture
def source(db):
    return api.create_source(name="Shop", kind="server").source_id


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    receipt = api.append_events(source_id=source_id, events=raw, now=NOW)
    assert receipt.accepted == len(events), receipt
    return fold_all()


def fold_all(limit=2000):
    total = 0
    while folded := api.fold_batch(limit=limit).events:
        total += folded
    return total


def track(name, minutes=0, properties=None, **ids):
    return {
        "type": "track",
        "event": name,
        "timestamp": at(minutes),
        "properties": properties or {},
        **ids,
    }


def identify(traits, minutes=0, **ids):
    return {"type": "identify", "timestamp": at(minutes), "traits": traits, **ids}


def test_anonymous_history_joins_the_person_who_signs_in(source):
    assert api.fold_batch().events == 0
    folded = send(
        source,
        track("Product Viewed", 1, anonymousId="a1"),
        track("Product Added", 2, anonymousId="a1"),
        identify({"email": "Ann@Example.com ", "name": "Ann Lee"}, 3, userId="u1"),
        identify({"plan": "gold"}, 4, userId="u1", anonymousId="a1"),
    )
    assert folded == 4
    ann = api.find_profile(kind="user_id", value="u1")
    assert ann.email == "ann@example.com"
    assert ann.name == "Ann Lee"
    assert ann.event_count == 4
    assert ann.event_counts == {"Product Viewed": 1, "Product Added": 1, "Identify": 2}
    assert ann.traits["plan"] == "gold"
    assert ann.trait_origins["plan"].source_id == source
    assert ann.first_seen_at.isoformat() == at(1)
    assert api.find_profile(kind="anonymous_id", value="a1") == ann
    assert api.find_profile(kind="email", value=" ANN@example.com") == ann
    assert api.count_profiles() == 1
    page = api.list_merges()
    [merge] = page.items
    assert (merge.winner_id, merge.kind, merge.value) == (ann.profile_id, "anonymous_id", "a1")
    assert api.get_profile(profile_id=merge.loser_id) == ann
    timeline = api.list_activity(profile_id=ann.profile_id)
    assert [item.name for item in timeline.items] == [
        "Identify",
        "Profile Merged",
        "Identify",
        "Product Added",
        "Product Viewed",
    ]
    assert {item.profile_id for item in timeline.items} == {ann.profile_id}
    assert api.list_profiles(search="lee").items[0].profile_id == ann.profile_id
    assert api.list_profiles(search="ann@ex").items[0].profile_id == ann.profile_id
    assert api.list_profiles(search="nobody").items == []


def test_two_users_never_merge_and_a_device_stays_with_its_first_user(source):
    send(
        source,
        track("A", userId="u1", anonymousId="d"),
        track("B", userId="u2", anonymousId="d"),
        track("B", userId="u2", anonymousId="d"),
        track("C", anonymousId="d"),
    )
    one = api.find_profile(kind="user_id", value="u1")
    two = api.find_profile(kind="user_id", value="u2")
    assert one.event_counts == {"A": 1, "C": 1}
    assert two.event_counts == {"B": 2}
    [refused] = api.list_merges(refused=True).items
    assert refused.refusal == "different_user_ids"
    assert {refused.winner_id, refused.loser_id} == {one.profile_id, two.profile_id}
    assert api.list_merges(refused=False).items == []


def test_an_order_counts_once_and_refunds_and_cancellations_take_back(source):
    def order(name, minutes, **properties):
        return track(name, minutes, properties, userId="u")

    lines = [{"product_id": "p", "quantity": 2, "price": 5}]
    send(source, order("Order Refunded", 9, order_id="o2", total=4))
    send(
        source,
        order("Order Completed", 1, order_id="o1", total="10.50", products=lines),
        order("Order Completed", 2, order_id="o2", revenue=20),
        order("Order Completed", 3, order_id="o3", products=lines),
        order("Order Completed", 4, order_id="o4", total=99, currency="eur"),
    )
    send(source, order("Order Completed", 1, order_id="o1", total="10.50", products=lines))
    send(source, order("Order Cancelled", 5, order_id="o3"))
    user = api.find_profile(kind="user_id", value="u")
    assert user.order_count == 3
    assert user.revenue_minor == 1050 + 2000 - 400
    assert [o.order_id for o in user.last_orders] == ["o4", "o2", "o1"]
    assert user.last_orders[2].items == 2
    assert user.last_order_at.isoformat() == at(4)
    assert user.first_order_at.isoformat() == at(1)


def test_a_browser_may_withdraw_but_not_grant(source):
    browser = api.create_source(name="Site").source_id

    def prefer(minutes, **preferences):
        return track(
            "Segment Consent Preference Updated",
            minutes,
            {"consent": {"categoryPreferences": preferences}},
            userId="u",
        )

    send(browser, prefer(1, **{"marketing.email": True, "ads": False}))
    user = api.find_profile(kind="user_id", value="u")
    assert {name: c.status for name, c in user.consents.items()} == {"ads": "denied"}
    send(source, prefer(2, **{"marketing.email": True}))
    user = api.find_profile(kind="user_id", value="u")
    assert user.consents["marketing.email"].status == "granted"
    send(browser, track("Unsubscribed", 3, userId="u"))
    user = api.find_profile(kind="user_id", value="u")
    assert user.consents["marketing.email"].status == "withdrawn"
    send(source, prefer(2.5, **{"marketing.email": True}))
    user = api.find_profile(kind="user_id", value="u")
    assert user.consents["marketing.email"].status == "withdrawn"


def test_placeholders_identify_nobody(source):
    send(
        source,
        track("X", userId="null", anonymousId="a"),
        track("X", userId="null", anonymousId="b"),
        track("X", userId="0", anonymousId="undefined"),
    )
    assert api.count_profiles() == 2
    [aside] = api.list_quarantine().items
    assert aside.reason == "no_identity"


def test_consumers_are_fenced_and_read_what_was_folded(source):
    send(source, track("A", userId="u1"), track("B", userId="u1"))
    with database.transaction() as one, database.transaction() as two:
        assert api.claim_consumer(connection=one, name="segments") == 0
        assert api.claim_consumer(connection=two, name="segments") is None
        read = api.read_activity(connection=one, after=0, limit=10)
        assert [(item.position, item.name) for item in read] == [(1, "A"), (2, "B")]
        api.advance_consumer(connection=one, name="segments", position=2)
    with database.transaction() as one:
        assert api.claim_consumer(connection=one, name="segments") == 2
        ids = [read[0].profile_id]
        histories = api.load_histories(
            connection=one, profile_ids=ids, wishes=[HistoryWish(name="A")]
        )
        assert list(histories[ids[0]]) == ["A"]
        [profile] = api.load_profiles(connection=one, profile_ids=ids)
        assert profile.event_count == 2
