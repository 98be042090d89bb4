"""A sender against a mail server that does as it is told."""

import email
import email.policy
import time
from datetime import UTC, datetime

import dkim
import msgspec
import pytest

from amity.broadcast import api
from amity.broadcast.logic.sending import fence
from amity.broadcast.logic.sending.process import send_due
from amity.broadcast.logic.templates import making
from amity.infra import config
from amity.infra.database import transaction
from amity.personalization import api as personalization
from amity.store import api as store
from amity.testing.installation import wait_for
from amity.testing.mailing import (
    address_of,
    count_states,
    make_campaign,
    make_content,
    make_people,
    queue,
    sender_running,
    sending_to_sink,
    sink_running,
)
from amity.testing.ports import free_port


def utc_now():
    return datetime.now(UTC)


@pytest.fixture
def sink(db):
    with sending_to_sink(now=utc_now()) as running:
        yield running


def plan(numbers, *, mode="", **changes):
    with transaction() as connection:
        if not connection.execute("SELECT FROM broadcast_campaign").rowcount:
            make_campaign(connection)
        make_people(connection, numbers, mode=mode)
        content_id = changes.pop("content_id", None) or make_content(connection)
        queue(connection, numbers, content_id, mode=mode, **changes)


def rows(columns, where="true"):
    with transaction() as connection:
        return connection.execute(
            f"SELECT {columns} FROM broadcast_send WHERE {where} ORDER BY profile_id"
        ).fetchall()


def events(name):
    with transaction() as connection:
        found = connection.execute(
            "SELECT body FROM store_event_log WHERE position(%s::bytea IN body) > 0",
            [f'"{name}"'.encode()],
        ).fetchall()
    return [msgspec.json.decode(body) for (body,) in found]


def test_a_campaign_goes_out_signed_and_each_message_once(sink):
    plan(range(1, 151))
    assert send_due(clock=utc_now) == 150
    assert count_states() == {"sent": 150}
    assert len({send_id for send_id, _, _ in sink.accepted}) == len(sink.accepted) == 150
    assert sink.connections <= 10
    assert sorted(to for _, to, _ in sink.accepted) == sorted(map(address_of, range(1, 151)))
    _, to, raw = sink.accepted[0]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["To"] == to
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    _, text = making.dkim_record(config.settings())
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: text.encode())
    told = events("Email Sent")
    assert len(told) == 150
    assert {each["properties"]["send_id"] for each in told} == {i for i, _, _ in sink.accepted}
    assert told[0]["properties"]["campaign_id"] == 1
    ((subject, digest, reply),) = rows("subject, length(body_hash), reply", "profile_id = 7")
    assert (subject, digest, reply) == ("Hello Maria 7", 32, "250 2.0.0 taken")


def test_what_the_server_says_is_what_becomes_of_it(sink):
    modes = {
        "refuse_rcpt": "failed:bounced",
        "refuse_data": "failed:rejected",
        "full": "failed:mailbox_full",
        "policy": "failed:policy",
        "drop_before": "unknown:no_reply",
        "drop_after": "unknown:no_reply",
        "silent": "unknown:no_reply",
        "garbage": "unknown:no_reply",
        "defer_rcpt": "queued:deferred",
        "defer_data": "queued:deferred",
        "drop_rcpt": "queued:connection",
    }
    for place, mode in enumerate(modes):
        plan(range(place + 1, place + 2), mode=mode)
    plan(range(100, 130))
    with config.override(send_retry_seconds=3600, smtp_connections=4):
        send_due(clock=utc_now)
    expected = {}
    for state in modes.values():
        expected[state] = expected.get(state, 0) + 1
    assert count_states() == {"sent": 30, **expected}
    key = store.contact_key(channel="email", address=address_of(1, "refuse_rcpt"))
    assert store.find_contact_point(channel="email", address_key=key).suppression == "hard_bounce"
    key = store.contact_key(channel="email", address=address_of(3, "full"))
    point = store.find_contact_point(channel="email", address_key=key)
    assert (point.suppression, point.soft_bounces) == ("", 1)
    hard = {
        each["properties"]["reason"]: each["properties"]["is_hard"]
        for each in events("Email Bounced")
    }
    assert hard == {"5.1.1": True, "5.6.0": False, "5.2.2": False, "5.7.1": False}


def test_one_persons_template_fails_visibly_and_the_others_go(sink):
    with transaction() as connection:
        html = "<p>{% for i in (1..999999999) %}x{% endfor %}</p>"
        endless = make_content(connection, html=html)
    plan(range(1, 4), content_id=endless)
    plan(range(4, 30))
    send_due(clock=utc_now)
    assert count_states() == {"sent": 26, "failed:template": 3}
    assert all(reply for (reply,) in rows("reply", "state = 'failed'"))


def test_a_sender_that_is_refused_pauses_the_run_and_suppresses_nobody(sink):
    plan(range(1, 2), mode="sender_policy")
    with config.override(smtp_connections=1):
        send_due(clock=utc_now)
    plan(range(2, 6))
    send_due(clock=utc_now)
    assert count_states() == {"queued:policy": 1, "queued": 4}
    with transaction() as connection:
        state, note = connection.execute("SELECT state, note FROM broadcast_campaign").fetchone()
        assert state == "paused"
        assert "5.7.26" in note
        assert not connection.execute(
            "SELECT FROM store_contact_point WHERE suppression <> ''"
        ).rowcount
        connection.execute("UPDATE broadcast_campaign SET state = 'sending'")
        connection.execute("UPDATE store_profile SET email = 'mended@x.example' WHERE id = 1")
    send_due(clock=utc_now)
    assert count_states() == {"sent": 5}


def test_many_refusals_by_policy_pause_the_run(sink):
    plan(range(1, 8), mode="policy")
    with config.override(smtp_connections=1):
        send_due(clock=utc_now)
    states = count_states()
    assert states["failed:policy"] >= 5
    with transaction() as connection:
        assert connection.execute("SELECT state FROM broadcast_campaign").fetchone() == ("paused",)


def test_deferred_messages_come_again_and_expire_in_the_end(sink):
    plan(range(1, 2), mode="defer_rcpt")
    plan(range(2, 3))
    deadline = time.monotonic() + 60
    while sink.commands["DATA"] < 4 and time.monotonic() < deadline:
        send_due(clock=utc_now)
        time.sleep(0.05)
    assert sink.commands["DATA"] >= 3
    ((attempts,),) = rows("attempts", "profile_id = 1")
    assert attempts >= 2
    with transaction() as connection:
        connection.execute(
            "UPDATE broadcast_send SET not_after = now(), not_before = now() - interval '1 s'"
        )
    send_due(clock=utc_now)
    assert count_states() == {"sent": 1, "expired:expired": 1}


def test_a_server_that_is_down_loses_nothing_and_costs_no_attempt(sink):
    plan(range(1, 41))
    port = free_port()
    with (
        config.override(
            smtp_url=f"smtp://127.0.0.1:{port}?patience=0.003",
            postal_address="9 Sender Lane, Testville",
        ),
        sender_running(clock=utc_now),
    ):
        time.sleep(1.5)
        states = count_states()
        assert set(states) <= {"queued", "queued:server_down", "claimed"}, states
        with sink_running(port=port) as (late, _):
            wait_for(lambda: count_states() == {"sent": 40}, seconds=60, what="the server")
            assert len({send_id for send_id, _, _ in late.accepted}) == late.taken == 40
    assert set(rows("attempts")) == {(1,)}


@pytest.mark.parametrize("greeting", [b"554 not you", b"421 later", None, b"nonsense"])
def test_a_server_that_does_not_welcome_us_is_left_alone(sink, greeting):
    plan(range(1, 21))
    sink.greeting = greeting
    with sender_running(clock=utc_now):
        time.sleep(1.2)
        assert sink.connections < 30, "it is left alone more and more"
        assert sink.taken == 0
        sink.greeting = b"220 welcome"
        wait_for(lambda: count_states() == {"sent": 20}, seconds=60, what="the server")


def test_told_to_stop_it_gives_back_what_it_has_not_begun(sink):
    sink.modes = {"slow": 1.0}
    plan(range(1, 201))
    with config.override(smtp_connections=2), sender_running(clock=utc_now):
        wait_for(lambda: sink.taken > 3, what="the first messages")
    states = count_states()
    assert set(states) == {"sent", "queued"}, states
    assert states["sent"] == sink.taken < 200
    assert set(rows("attempts", "state = 'queued'")) == {(0,)}


def test_a_message_queued_now_leaves_within_a_second(sink):
    plan(range(1, 2))
    with sender_running(clock=utc_now):
        wait_for(lambda: sink.taken == 1, what="the first message")
        delays = []
        for number in range(2, 7):
            time.sleep(0.3)
            plan(range(number, number + 1))
            began = time.monotonic()
            wait_for(lambda n=number: sink.taken == n, what="the message")
            delays.append(time.monotonic() - began)
    assert sorted(delays)[2] < 1.0, delays  # one or two may have met a busy moment


def test_unarmed_or_stopped_nothing_is_claimed(sink):
    plan(range(1, 6))
    fence.set_stopped(is_stopped=True, by="me", now=utc_now())
    assert send_due(clock=utc_now) == 0
    fence.set_stopped(is_stopped=False, by="me", now=utc_now())
    path = fence.fence_path()
    path.rename(path.with_name("moved"))
    assert send_due(clock=utc_now) == 0
    assert count_states() == {"queued": 5}
    path.with_name("moved").rename(path)
    assert send_due(clock=utc_now) == 5


def test_promotion_waits_for_an_address_of_ones_own(sink):
    """The made-up postal address is for the local mailbox; a mail server is in earnest."""
    plan(range(1, 3))
    with config.override(postal_address=config.Settings().postal_address):
        send_due(clock=utc_now)
    assert {(one.state, one.reason) for one in api.list_messages().items} == {
        ("suppressed", "no_postal_address")
    }


def test_what_one_placement_does_wrong_keeps_no_other_message_waiting(sink, monkeypatch):
    def raise_(**asked):
        raise ValueError(f"a plug-in of {asked['placement']} is broken")

    monkeypatch.setattr(personalization, "decide_many", raise_)
    plan(range(1, 3), variables={"placement": "hero"})
    plan(range(3, 6))
    send_due(clock=utc_now)
    assert count_states() == {"failed:template": 2, "sent": 3}
    assert {row[0] for row in rows("reply", "state = 'failed'")} == {"a plug-in of hero is broken"}
