"""What may not reach anybody, or may not keep the others from being reached.

Addresses that are commands, data that breaks a template, mail servers that stall, changes in the
middle of a campaign; end to end where it can be.
"""

import asyncio
import email
import email.header
import email.policy
import random
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.broadcast.channel import GateToken, Parcel
from amity.broadcast.logic.mail.smtp import ConnectionLost, Patience, SmtpConnection, Unwilling
from amity.broadcast.logic.mail.smtp_relay import Relay, tls_context
from amity.broadcast.logic.sending.process import send_due
from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.personalization import api as personalization
from amity.store import api as store
from amity.testing.installation import wait_for
from amity.testing.mailing import (
    address_of,
    count_states,
    make_content,
    make_people,
    plan_sends,
    sender_running,
    sending_to_sink,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEND = UUID("0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")


def utc_now():
    return datetime.now(UTC)


def ask(query, *values):
    with transaction() as connection:
        return connection.execute(query, values).fetchall()


def tell(query, *values):
    with transaction() as connection:
        return connection.execute(query, values).rowcount


@pytest.fixture
def sink(db):
    with sending_to_sink(now=utc_now()) as running:
        yield running


STRANGE = [
    "a@b.example\r\nRCPT TO:<x@y.example>",
    "a@b.example>\r\nDATA",
    "a@b.example> SIZE=1",
    '"a b"@c.example',
    "<a@b.example>",
    "Ann <a@b.example>",
    "a@b.example, x@y.example",
    "é@b.example",
    "a@b..example",
    "a@-b.example",
    "a" * 300 + "@b.example",
    "a@" + "b." * 200 + "example",
    "a@[127.0.0.1]",
    "a@@b.example",
    "a\x7f@b.example",
    "@b.example",
    "postmaster",
]


def test_what_is_no_address_fails_by_itself_and_the_others_go(sink):
    plan_sends(range(1, 31))
    for number, address in enumerate(STRANGE, start=1):
        tell("UPDATE store_profile SET email = %s WHERE id = %s", address, number)
    send_due(clock=utc_now)
    states = count_states()
    assert states["sent"] == 30 - len(STRANGE), states
    lost = sum(states[state] for state in ("failed:template", "failed:no_address"))
    assert lost + states["suppressed:no_address"] == len(STRANGE), states
    wanted = {address_of(number) for number in range(len(STRANGE) + 1, 31)}
    assert {to for _, to, _ in sink.accepted} == wanted
    assert sink.commands["RCPT"] == sink.commands["DATA"] == sink.taken == len(wanted)


def test_a_test_to_what_is_no_address_is_refused_or_fails(sink):
    with transaction() as connection:
        make_people(connection, range(1, 2))
    template = broadcast.create_template(name="T", subject="x", source="<p>x", by="x", now=NOW)
    refused = 0
    for address in [*STRANGE, "colleague@b.example"]:
        wanted = {"to": address, "profile_id": 1, "by": "me", "now": utc_now()}
        try:
            broadcast.queue_test(template_id=template.template_id, **wanted)
        except Invalid:
            refused += 1
    assert refused > len(STRANGE) // 2
    send_due(clock=utc_now)
    assert [to for _, to, _ in sink.accepted] == ["colleague@b.example"]
    states = count_states()
    assert states.pop("sent") == 1
    assert sum(states.values()) == len(STRANGE) - refused
    assert set(states) <= {"failed:template"}


# One person's data

PER_PERSON = """<html><body>
{% for n in (1..customer.traits.n) %}{{ customer.traits.text }}{% endfor %}
{{ 100 | divided_by: customer.traits.by }}{{ customer.traits.at | date: "%Y" }}
{% if customer.traits.n > 3 %}many{% endif %}</body></html>"""
GOOD = '{"n": 1, "text": "x", "by": 3, "at": "2026-01-01"}'
BAD = {
    "divides by nothing": '{"n": 1, "text": "x", "by": 0}',
    "compares a text": '{"n": "many", "text": "x", "by": 1}',
    "loops for ever": '{"n": 999999999, "text": "x", "by": 1}',
    "prints 100 MB": '{"n": 90000, "text": "' + "x" * 1_100 + '", "by": 1}',
    "a number of 4,000 digits": '{"n": 1, "text": "x", "by": "' + "9" * 4_000 + '"}',
}


def test_data_that_breaks_a_template_fails_for_that_person_alone(sink):
    with transaction() as connection:
        content_id = make_content(connection, html=PER_PERSON)
    plan_sends(range(1, 41), content_id=content_id)
    tell("UPDATE store_profile SET traits = %s::jsonb", GOOD)
    for number, traits in enumerate(BAD.values(), start=1):
        tell("UPDATE store_profile SET traits = %s::jsonb WHERE id = %s", traits, number * 7)
    began = time.process_time()
    send_due(clock=utc_now)
    assert time.process_time() - began < 3
    failed = dict(ask("SELECT profile_id, reply FROM broadcast_send WHERE state = 'failed'"))
    assert set(failed) <= {number * 7 for number in range(1, len(BAD) + 1)}
    assert {7, 14, 21, 28} <= set(failed)
    assert all(failed.values()), "each says why"
    assert count_states()["sent"] == 40 - len(failed) == sink.taken


def test_a_time_zone_nobody_has_puts_nobody_off_for_ever(sink):
    zones = ["Mars/Phobos", "'; DROP TABLE x", "", " ", "posixrules", "UTC+99", "x" * 5_000]
    zones += ["Etc/GMT+14", "<+00>+167", "A0", "A-167:59:59", "\U0001f600", "America/New_York\n"]
    plan_sends(range(1, len(zones) + 3))
    for number, zone in enumerate(zones, start=1):
        text = "UPDATE store_profile SET traits = jsonb_build_object('timezone', %s::text)"
        tell(text + " WHERE id = %s", zone, number)
    tell('UPDATE store_profile SET traits = \'{"timezone": {"a": [1]}}\' WHERE id = %s', 14)
    with config.override(quiet_from=21, quiet_until=8):
        send_due(clock=utc_now)
    states = count_states()
    assert set(states) <= {"sent", "queued:quiet_hours"}, states
    ((latest,),) = ask("SELECT max(not_before) FROM broadcast_send")
    assert latest < utc_now() + timedelta(days=2)


# Offers

ABSURD = {
    "headline": "<script>alert(1)</script>{{ customer.name }}{% for i in (1..9) %}",
    "body": "{% raw %}\r\n.\r\nRCPT TO:<x@y>\r\n=?utf-8?q?a=0D=0A?=",
    "action_label": "\u202e</a><img src=x onerror=alert(1)>",
}


def test_an_absurd_offer_is_text_and_nothing_more(sink):
    placement = personalization.create_placement(
        key="mail", name="Mail", kind="offers", slots=1, by="me", now=utc_now()
    )
    offer = personalization.create_offer(
        placement_ids=[placement.placement_id],
        key="o",
        name="O",
        by="me",
        now=utc_now(),
        **ABSURD,
    )
    personalization.set_offer_state(offer_id=offer.offer_id, state="live", by="me", now=utc_now())
    for field, text in (("headline", "x" * 1_000_000), ("body", "a\0b"), ("name", "\ud800")):
        with pytest.raises(Invalid):
            personalization.update_offer(
                offer_id=offer.offer_id, by="me", now=utc_now(), **{field: text}
            )
    with transaction() as connection:
        html = "<html><body>{{ offer.headline }}{{ offer.body }}<a>{{ offer.action_label }}</a>"
        content_id = make_content(connection, html=html, subject="{{ offer.headline }}")
    plan_sends(range(1, 6), content_id=content_id, variables={"placement": "mail"})
    send_due(clock=utc_now)
    assert count_states() == {"sent": 5}
    for _, _, raw in sink.accepted:
        found = email.message_from_bytes(raw, policy=email.policy.default)
        page = found.get_body(("html",)).get_content()
        assert "<script" not in page
        assert "<img src=x" not in page
        assert "{{ customer.name }}{% for" in page, "what a value says is no template"
        assert found["subject"].startswith("<script>alert(1)</script>{{ customer.name }}")


# Mail servers that stall


@asynccontextmanager
async def stalling(stage):
    """Run a server that keeps silent from one word on; "drip" never ends its reply."""

    async def serve(reader, writer):
        answers = {b"EHLO": b"250-s\r\n250 SIZE 90000000", b"MAIL": b"250 ok", b"RCPT": b"250 ok"}
        if stage != "greeting":
            writer.write(b"220 s\r\n")
            answers[b"DATA"] = b"354 go"
            while line := await reader.readline():
                word = line[:4].upper()
                if word.decode() == stage:
                    break
                writer.write(answers.get(word, b"500 no") + b"\r\n")
                if word == b"DATA":
                    if stage == "body":
                        break
                    while (await reader.readline()) not in {b".\r\n", b""}:
                        pass
                    break
        while stage == "drip" and not over.is_set():
            writer.write(b"250-and\r\n")
            await asyncio.sleep(0.03)
        await over.wait()
        writer.transport.abort()
        done.set()

    over, done = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=65_536)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over.set()
        await done.wait()
        server.close()
        await asyncio.sleep(0)


STAGES = {
    "greeting": None,
    "EHLO": None,
    "MAIL": "deferred",
    "RCPT": "deferred",
    "DATA": "deferred",
    "body": "deferred",
    "dot": "doubtful",
    "drip": "doubtful",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_relay_that_stalls_is_left_in_time_and_gets_no_dot(stage):
    patience = Patience(connect=2, greeting=0.15, command=0.15, data=0.15, block=0.15, final=0.15)
    size = 30_000_000 if stage == "body" else 100
    parcel = Parcel(
        send_id=SEND, sender="b@x.example", recipient="a@x.example", content=b"x" * size
    )
    asked = []

    async def gate():
        asked.append(stage)
        return GateToken(SEND)

    async def go():
        async with stalling(stage) as port:
            relay = Relay(host="127.0.0.1", port=port)
            connection = SmtpConnection(relay, patience)
            try:
                await connection.open(tls_context(relay))
                return await connection.deliver(parcel, gate)
            finally:
                connection.abort()

    began = time.monotonic()
    if STAGES[stage] is None:
        with pytest.raises((ConnectionLost, Unwilling)):
            asyncio.run(go())
    else:
        assert asyncio.run(go()).kind == STAGES[stage]
    assert time.monotonic() - began < 20
    assert bool(asked) == (stage in {"dot", "drip"}), (
        "nobody asks the gate for what cannot be handed over"
    )


# Changes in the middle


def begin(sink, count=200):
    """Plan a slow campaign, so that something can happen before its end."""
    sink.modes = {"slow": 1.0}
    plan_sends(range(1, count + 1))


def wait_until_taken(sink, count):
    deadline = time.monotonic() + 60
    while sink.taken < count:
        assert time.monotonic() < deadline, f"{sink.taken} of {count} were taken"
        time.sleep(0.005)


def drain():
    deadline = time.monotonic() + 60
    while {"queued", "claimed", "wire"} & {each.partition(":")[0] for each in count_states()}:
        assert time.monotonic() < deadline, count_states()
        time.sleep(0.05)


def check_each_once(sink):
    ids = [send_id for send_id, _, _ in sink.accepted]
    assert len(ids) == len(set(ids))
    assert count_states()["sent"] == len(ids)


def test_a_campaign_stopped_on_its_way_sends_nothing_more(sink):
    begin(sink)
    with config.override(smtp_connections=3), sender_running(clock=utc_now):
        wait_until_taken(sink, 20)
        api_campaigns.stop_campaign(campaign_id=1, by="me", now=utc_now())
        # What was handed over at that moment may still arrive: one a connection.
        most = sink.taken + 3
        drain()
    assert sink.taken <= most
    states = count_states()
    assert set(states) == {"sent", "cancelled:stopped"}
    assert sum(states.values()) == 200
    check_each_once(sink)


def test_pausing_and_resuming_again_and_again_doubles_and_loses_nothing(sink):
    begin(sink, 120)
    with config.override(smtp_connections=3), sender_running(clock=utc_now):
        for turn in range(1, 4):
            wait_until_taken(sink, turn * 10)
            api_campaigns.pause_campaign(campaign_id=1, by="me", now=utc_now())
            wait_for(lambda: "wire" not in count_states(), what="what was under way")
            rest = sink.taken
            time.sleep(0.15)
            assert sink.taken == rest, "a paused campaign sends nothing"
            api_campaigns.resume_campaign(campaign_id=1, by="me", now=utc_now())
        sink.modes = {"accept": 1.0}
        drain()
    assert count_states() == {"sent": 120}
    check_each_once(sink)


def test_what_happens_to_people_and_templates_meanwhile(sink):
    """Unsubscribed, erased, without an address, edited, no placement any more: each for itself."""
    template = broadcast.create_template(
        name="T", subject="First", source="<p>x", by="me", now=utc_now()
    )
    plan_sends(range(1, 31), content_id=template.content_id)
    plan_sends(range(31, 36), content_id=template.content_id, variables={"placement": "gone"})
    broadcast.update_template(
        template_id=template.template_id,
        subject="Second",
        source="<p>y",
        by="me",
        now=utc_now(),
    )
    broadcast.archive_template(template_id=template.template_id, by="me", now=utc_now())
    key = store.contact_key(channel="email", address=address_of(1))
    store.suppress(channel="email", address_key=key, reason="complaint", now=utc_now())
    tell("DELETE FROM store_profile WHERE id = 2")
    tell("UPDATE store_profile SET email = NULL WHERE id = 3")
    tell("UPDATE store_profile SET merged_into = 5 WHERE id = 4")
    tell("UPDATE store_profile SET consents = '{}' WHERE id = 6")
    tell("UPDATE store_profile SET email = 'moved@x.example' WHERE id = 7")
    with config.override(smtp_connections=2):
        send_due(clock=utc_now)
    states = count_states()
    assert states.pop("failed:template") == 5, "a placement that is gone fails visibly"
    assert states == {
        "sent": 25,
        "suppressed:suppressed": 1,
        "suppressed:erased": 1,
        "suppressed:no_address": 1,
        "suppressed:same_person": 1,
        "suppressed:no_consent": 1,
    }
    check_each_once(sink)
    to = {to for _, to, _ in sink.accepted}
    assert not to & {address_of(number) for number in (1, 2, 3, 4, 6, 7)}
    assert "moved@x.example" in to
    assert {b"First" in raw and b"Second" not in raw for _, _, raw in sink.accepted} == {True}


def test_two_campaigns_and_two_senders_keep_a_cap_of_one(sink):
    plan_sends(range(1, 61))
    plan_sends(range(1, 61), run_id=2)
    with config.override(marketing_cap_count=1, smtp_connections=4):
        senders = [
            threading.Thread(target=send_due, kwargs={"clock": utc_now}, daemon=True)
            for _ in range(2)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(90)
    assert count_states() == {"sent": 60, "suppressed:frequency_cap": 60}
    assert len({to for _, to, _ in sink.accepted}) == sink.taken == 60


def test_a_clock_that_jumps_sends_nothing_early_twice_or_never(sink):
    """Leases, due times and expiry are by the database's clock; a sender's dates letters only."""
    rng = random.Random(4)

    def jumping():
        return utc_now() + timedelta(days=rng.choice([-4000, -30, -1, 0, 1, 30, 400]))

    plan_sends(range(1, 61))
    plan_sends(range(61, 71), not_before=utc_now() + timedelta(hours=1))
    for _ in range(3):
        send_due(clock=jumping)
    assert count_states() == {"sent": 60, "queued": 10}
    check_each_once(sink)


def test_a_server_that_takes_and_forgets_is_doubted_and_not_asked_again(sink):
    plan_sends(range(1, 21))
    sink.modes = {"drop_after": 1.0}
    for _ in range(3):
        send_due(clock=utc_now)
    states = count_states()
    assert states["unknown:no_reply"] == sink.taken
    assert len({send_id for send_id, _, _ in sink.accepted}) == sink.taken
    assert sum(states.values()) == 20
    assert set(states) <= {"unknown:no_reply", "queued", "queued:server_down"}, states
