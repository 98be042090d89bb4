"""Webhooks to others: who is told, what, how it is signed, and what becomes of what failed."""

import random
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook, WebhookVerificationError

from amity.infra import config, database
from amity.kernel.errors import Conflict, Denied, Invalid, NotFound
from amity.store import api, api_outbound
from amity.store.contracts_outbound import OutboundPlan
from amity.store.logic.outbound.delivering import MOST_FAILURES
from amity.testing.installation import wait_for
from amity.testing.webhook_receiver import receiving

PURPOSE = "sharing"


@pytest.fixture(scope="module")
def receiver():
    with receiving() as server, config.override(egress_allow="127.0.0.0/8"):
        yield server


@pytest.fixture
def shop(db, receiver):
    """A source; the receiver has heard nothing yet."""
    receiver.received.clear()
    receiver.mended = False
    return api.create_source(name="Shop", kind="server").source_id


def plan(receiver, path="/ok", **other):
    given = {"name": f"to {path}", "url": receiver.url + path, "events": ["*"], "purpose": PURPOSE}
    return OutboundPlan(**given | other)


def send(source_id, *events):
    raw = [msgspec.json.encode({"type": "track", "userId": "u1"} | event) for event in events]
    now = datetime.now(UTC)
    assert api.append_events(source_id=source_id, events=raw, now=now).accepted == len(events)
    while api.fold_batch().events:
        pass
    while api_outbound.queue_deliveries(now=datetime.now(UTC)):
        pass


def allow(is_yes=True):
    name = "Segment Consent Preference Updated"
    return {"event": name, "properties": {"categoryPreferences": {PURPOSE: is_yes}}}


def bought(number=1, **other):
    return {"event": "Order Completed", "properties": {"order_id": f"o{number}"}} | other


@pytest.fixture
def deliverer(db):
    made = api_outbound.Deliverer(rng=random.Random(1))
    yield made
    made.close()


def deliver(deliverer, *, seconds=10):
    """Take turns until nothing is due and nothing under way."""
    deadline = time.monotonic() + seconds
    while True:
        turn = deliverer.turn(now=datetime.now(UTC))
        if not turn.claimed and not deliverer.is_busy:
            return
        assert time.monotonic() < deadline


def make_due():
    with database.transaction() as connection:
        connection.execute("UPDATE store_delivery SET next_at = now() WHERE state = 'waiting'")
        connection.execute("UPDATE store_outbound SET open_until = NULL")


def test_an_event_arrives_signed_once_and_as_it_happened(shop, receiver, deliverer):
    made = api_outbound.create_endpoint(plan=plan(receiver, events=["Order Completed"]), by="ann")
    send(shop, allow(), bought(1), {"event": "Product Viewed"}, bought(2))
    deliver(deliverer)
    first, second = receiver.received
    said = Webhook(made.secret).verify(first.body, first.headers)
    assert said["type"] == "order_completed"
    assert said["data"]["user_id"] == "u1"
    assert {msgspec.json.decode(each.body)["data"]["properties"]["order_id"]
            for each in (first, second)} == {"o1", "o2"}  # fmt: skip
    assert len(receiver.ids("/")) == 2
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(first.body + b" ", first.headers)
    page = api_outbound.list_deliveries(endpoint_id=made.endpoint.endpoint_id)
    assert {each.state for each in page.items} == {"delivered"}
    assert {each.message_id for each in page.items} == set(receiver.ids("/"))
    assert api_outbound.get_endpoint(endpoint_id=made.endpoint.endpoint_id).delivered == 2


def test_both_secrets_sign_after_a_rotation_and_neither_is_stored_plainly(
    shop, receiver, deliverer
):
    old = api_outbound.create_endpoint(plan=plan(receiver), by="ann")
    new = api_outbound.rotate_endpoint_secret(endpoint_id=old.endpoint.endpoint_id)
    assert new.secret != old.secret
    send(shop, allow(), bought())
    deliver(deliverer)
    got = receiver.received[0]
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(got.body, got.headers)
    with database.transaction() as connection:
        row = connection.execute("SELECT secret, former_secret FROM store_outbound").fetchone()
    for secret in (old.secret, new.secret):
        assert all(secret[6:].encode() not in bytes(sealed) for sealed in row)


@pytest.mark.parametrize("format_", ["cloudevents_structured", "cloudevents_binary"])
def test_cloudevents_are_read_by_their_own_library(shop, receiver, deliverer, format_):
    made = api_outbound.create_endpoint(plan=plan(receiver, format=format_), by="ann")
    send(shop, allow(), bought(), {"event": "Gekauft “ß” 100%"})
    deliver(deliverer)
    types = set()
    for got in receiver.received:
        Webhook(made.secret).verify(got.body, got.headers)
        event = from_http_event(HTTPMessage(got.headers, got.body), JSONFormat())
        assert event.get_id() == got.headers["webhook-id"]
        assert event.get_source() == f"/amity/sources/{shop}"
        assert event.get_data()["profile_id"] == int(event.get_subject())
        types.add(event.get_type())
    assert {"amity.order_completed", "amity.gekauft_ss_100"} <= types


def test_nobody_is_told_of_who_did_not_allow_it(shop, receiver, deliverer):
    made = api_outbound.create_endpoint(plan=plan(receiver), by="ann").endpoint
    send(shop, bought(1), allow(), bought(2), bought(3, userId="stranger"))
    send(shop, bought(4), allow(is_yes=False))
    deliver(deliverer)
    assert receiver.received == []
    held = api_outbound.get_endpoint(endpoint_id=made.endpoint_id)
    assert (held.delivered, held.waiting) == (0, 0)
    assert held.withheld >= 5
    states = {
        each.state for each in api_outbound.list_deliveries(endpoint_id=made.endpoint_id).items
    }
    assert states == {"withheld"}


def test_without_a_purpose_nothing_personal_is_told(shop, receiver, deliverer):
    api_outbound.create_endpoint(plan=plan(receiver, purpose=""), by="ann")
    send(shop, {"event": "Secret Told", "properties": {"email": "zelda@example.com", "x": "y"}})
    deliver(deliverer)
    (got,) = receiver.received
    data = msgspec.json.decode(got.body)["data"]
    assert set(data) == {"event", "event_id"}
    assert b"zelda" not in got.body
    assert b"u1" not in got.body


def test_of_segments_only_those_chosen_are_told(shop, receiver, deliverer):
    api_outbound.create_endpoint(
        plan=plan(receiver, events=["Segment Entered"], segment_ids=[7]), by="ann"
    )
    send(shop, allow())
    (row,) = api.list_profiles(limit=5).items
    with database.transaction() as connection:
        for segment_id in (7, 8):
            api.record_event(
                connection=connection,
                profile_id=row.profile_id,
                name="Segment Entered",
                properties={"segment_id": segment_id, "segment_name": "VIP", "cause": "event"},
                message_id=f"s{segment_id}",
                now=datetime.now(UTC),
            )
    send(shop, bought())
    deliver(deliverer)
    (got,) = receiver.received
    said = msgspec.json.decode(got.body)
    assert said["type"] == "segment_entered"
    assert said["data"]["properties"]["segment_id"] == 7


def test_what_happened_before_or_while_disabled_is_not_told(shop, receiver, deliverer):
    send(shop, allow(), bought(1))
    made = api_outbound.create_endpoint(
        plan=plan(receiver, events=["Order Completed"]), by="ann"
    ).endpoint
    api_outbound.set_endpoint_state(endpoint_id=made.endpoint_id, state="disabled")
    send(shop, bought(2))
    api_outbound.set_endpoint_state(endpoint_id=made.endpoint_id, state="paused")
    send(shop, bought(3))
    deliver(deliverer)
    assert receiver.received == []
    api_outbound.set_endpoint_state(endpoint_id=made.endpoint_id, state="enabled")
    deliver(deliverer)
    assert [b"o3" in got.body for got in receiver.received] == [True]


@pytest.mark.parametrize(("path", "least"), [("/500/", 4), ("/302/", 4), ("/429/", 119)])
def test_what_failed_is_tried_again_later(shop, receiver, deliverer, path, least):
    made = api_outbound.create_endpoint(
        plan=plan(receiver, path, events=["Order Completed"]), by="a"
    )
    send(shop, allow(), bought())
    deliver(deliverer)
    (held,) = api_outbound.list_deliveries(endpoint_id=made.endpoint.endpoint_id).items
    assert (held.state, held.attempts, held.last_status) == ("waiting", 1, int(path[1:4]))
    assert held.next_at > datetime.now(UTC) + timedelta(seconds=least - 1)
    assert receiver.count("/stolen") == 0
    receiver.mended = True
    make_due()
    deliver(deliverer)
    assert list(receiver.ids(path).values()) == [2]
    (held,) = api_outbound.list_deliveries(endpoint_id=made.endpoint.endpoint_id).items
    assert (held.state, held.attempts) == ("delivered", 2)


def test_ten_attempts_end_it_and_a_replay_begins_anew(shop, receiver, deliverer):
    made = api_outbound.create_endpoint(
        plan=plan(receiver, "/500/", events=["Order Completed"]), by="ann"
    ).endpoint
    send(shop, allow(), bought())
    for _ in range(12):
        make_due()
        deliver(deliverer)
    assert receiver.count("/500/") == 10
    held = api_outbound.get_endpoint(endpoint_id=made.endpoint_id)
    assert (held.state, held.failed) == ("paused", 1)
    receiver.mended = True
    assert api_outbound.replay_deliveries(endpoint_id=made.endpoint_id) == 1
    api_outbound.set_endpoint_state(endpoint_id=made.endpoint_id, state="enabled")
    deliver(deliverer)
    assert list(receiver.ids("/500/").values()) == [11]


def test_who_says_410_is_told_nothing_more(shop, receiver, deliverer):
    made = api_outbound.create_endpoint(plan=plan(receiver, "/410/"), by="ann").endpoint
    send(shop, allow())
    deliver(deliverer)
    send(shop, bought(1), bought(2))
    deliver(deliverer)
    assert receiver.count("/410/") == 1
    held = api_outbound.get_endpoint(endpoint_id=made.endpoint_id)
    assert held.state == "disabled"
    assert "410" in held.state_reason


def test_a_dead_endpoint_opens_its_circuit_and_holds_up_nobody(shop, receiver, deliverer):
    bad = api_outbound.create_endpoint(plan=plan(receiver, "/500/"), by="ann").endpoint
    good = api_outbound.create_endpoint(plan=plan(receiver, "/ok"), by="ann").endpoint
    hanging = api_outbound.create_endpoint(plan=plan(receiver, "/hang/"), by="ann").endpoint
    send(shop, allow(), *(bought(number) for number in range(40)))
    deadline = time.monotonic() + 60
    while api_outbound.get_endpoint(endpoint_id=good.endpoint_id).delivered < 41:
        deliverer.turn(now=datetime.now(UTC))
        assert time.monotonic() < deadline
    assert receiver.count("/500/") == MOST_FAILURES
    assert receiver.count("/hang/") <= 4
    held = api_outbound.get_endpoint(endpoint_id=bad.endpoint_id)
    assert held.open_until is not None
    assert held.waiting == 41
    receiver.mended = True
    receiver.over.set()
    make_due()
    deliver(deliverer)
    receiver.over.clear()
    for each in (bad, hanging):
        make_due()
        deliver(deliverer)
        assert api_outbound.get_endpoint(endpoint_id=each.endpoint_id).delivered == 41


def test_what_a_dead_deliverer_had_in_hand_is_sent_by_the_next_under_the_same_id(shop, receiver):
    api_outbound.create_endpoint(
        plan=plan(receiver, "/hang/", events=["Order Completed"]), by="ann"
    )
    send(shop, allow(), bought())
    dead = api_outbound.Deliverer(rng=random.Random(1), lease_seconds=0.3)
    assert dead.turn(now=datetime.now(UTC)).claimed == 1
    wait_for(lambda: receiver.count("/hang/") == 1, what="the first request")
    time.sleep(0.4)
    receiver.mended = True
    following = api_outbound.Deliverer(rng=random.Random(2))
    deliver(following)
    following.close()
    receiver.over.set()
    dead.close()
    receiver.over.clear()
    assert list(receiver.ids("/hang/").values()) == [2]
    (endpoint,) = api_outbound.list_endpoints()
    assert (endpoint.delivered, endpoint.waiting) == (1, 0)


def test_a_private_url_is_refused_when_saved_tried_and_delivered(shop, receiver, deliverer):
    made = api_outbound.create_endpoint(plan=plan(receiver, "/ok"), by="ann").endpoint
    send(shop, allow())
    with config.override(egress_allow=""):
        with pytest.raises(Denied):
            api_outbound.create_endpoint(plan=plan(receiver, "/other"), by="ann")
        with pytest.raises(Denied):
            api_outbound.update_endpoint(endpoint_id=made.endpoint_id, plan=plan(receiver, "/ok"))
        tried = api_outbound.try_endpoint(endpoint_id=made.endpoint_id, now=datetime.now(UTC))
        assert not tried.is_delivered
        deliver(deliverer)
    assert receiver.received == []
    (held,) = api_outbound.list_deliveries(endpoint_id=made.endpoint_id).items
    assert (held.state, held.last_status) == ("waiting", None)
    assert "AMITY_EGRESS_ALLOW" in held.last_error


def test_a_trial_says_what_came_of_it(shop, receiver):
    made = api_outbound.create_endpoint(plan=plan(receiver, "/ok"), by="ann")
    tried = api_outbound.try_endpoint(endpoint_id=made.endpoint.endpoint_id, now=datetime.now(UTC))
    assert (tried.status, tried.is_delivered, tried.reply) == (200, True, "thank you")
    got = receiver.received[0]
    assert Webhook(made.secret).verify(got.body, got.headers)["type"] == "test_event"


def test_a_rebuild_and_an_erasure_repeat_nothing(shop, receiver, deliverer):
    api_outbound.create_endpoint(plan=plan(receiver, events=["Order Completed"]), by="ann")
    send(shop, allow(), bought(1), allow() | {"userId": "u2"}, bought(2, userId="u2"))
    ids = {row.user_id: row.profile_id for row in api.list_profiles(limit=5).items}
    counts = api.erase_profile(profile_id=ids["u1"], by="ann", now=datetime.now(UTC))
    assert counts["store_delivery"] == 1
    api.rebuild()
    while api_outbound.queue_deliveries(now=datetime.now(UTC)):
        pass
    deliver(deliverer)
    assert [b"o2" in got.body for got in receiver.received] == [True]


def test_wrong_plans_are_refused(shop, receiver):
    made = api_outbound.create_endpoint(plan=plan(receiver), by="ann").endpoint
    for wrong in ({"name": " "}, {"events": []}, {"format": "xml"}, {"purpose": "x" * 101}):
        with pytest.raises(Invalid):
            api_outbound.create_endpoint(plan=plan(receiver, "/x", **wrong), by="ann")
    with pytest.raises(Conflict):
        api_outbound.create_endpoint(plan=plan(receiver, "/ok"), by="ann")
    with pytest.raises(Denied):
        api_outbound.create_endpoint(plan=plan(receiver, "/x", url="file:///etc/passwd"), by="ann")
    api_outbound.delete_endpoint(endpoint_id=made.endpoint_id)
    for act in (
        api_outbound.get_endpoint,
        api_outbound.delete_endpoint,
        api_outbound.rotate_endpoint_secret,
    ):
        with pytest.raises(NotFound):
            act(endpoint_id=made.endpoint_id)
