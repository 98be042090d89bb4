"""What may not reach anybody, or may not keep the others from being reached (issue 3, bad input).

Headers that carry more than they should, addresses that are commands, data that breaks a template,
mail servers that stall, and changes in the middle of a campaign; end to end where it can be.
"""

import asyncio
import email
import email.header
import email.policy
import random
import re
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast.channel import GateToken, Parcel
from amity.broadcast.logic import fence, mailbox, making
from amity.broadcast.logic.sending_process import send_due
from amity.broadcast.logic.smtp import ConnectionLost, Patience, SmtpConnection, Unwilling
from amity.broadcast.logic.smtp_relay import Relay, tls_context
from amity.edge import links
from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, Invalid, NotFound
from amity.personalization import api as personalization
from amity.personalization.contracts import DecidedItem, DecideRequest, Decision
from amity.personalization.hot import read_request
from amity.store import api as store
from amity.testing.mailing import (
    address_of,
    count_states,
    make_campaign,
    make_content,
    make_people,
    queue,
    sender_running,
    sink_running,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEND = UUID("0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")


def utc_now():
    return datetime.now(UTC)


def ask(query, *values):
    with transaction() as connection:
        return connection.execute(query, values).fetchall()


def told(call):
    """Return what a door says of what it refuses; "" when it takes it."""
    try:
        call()
    except AmityError as error:
        return error.message
    return ""


def tell(query, *values):
    with transaction() as connection:
        return connection.execute(query, values).rowcount


@pytest.fixture
def sink(db):
    fence.arm_new_installation(now=utc_now())
    with (
        sink_running() as (running, port),
        config.override(
            smtp_url=f"smtp://127.0.0.1:{port}?patience=0.003",
            postal_address="9 Sender Lane, Testville",
            quiet_from=0,
            quiet_until=0,
            send_retry_seconds=0.2,
        ),
    ):
        yield running


def plan(numbers, *, run_id=1, **changes):
    with transaction() as connection:
        if not connection.execute(
            "SELECT FROM broadcast_campaign WHERE id = %s", [run_id]
        ).rowcount:
            make_campaign(connection, run_id)
        if not connection.execute("SELECT FROM store_profile WHERE id = %s", [numbers[0]]).rowcount:
            make_people(connection, numbers)
        content_id = changes.pop("content_id", None) or make_content(connection)
        queue(connection, numbers, content_id, run_id=run_id, **changes)


# Headers

EVIL = {
    "q-word": "=?utf-8?q?a=0D=0ABcc:_evil@x?=",
    "b-word": "=?utf-8?b?YQ0KQmNjOiBldmlsQHg=?=",
    "breaks": "a\r\nBcc: evil@x\r\n\r\n<b>body</b>",
    "bare LF": "a\nBcc: evil@x",
    "bare CR": "a\rBcc: evil@x",
    "folded": "a\r\n\tBcc: evil@x",
    "other breaks": "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029Bcc: evil@x",
    "NUL": "a\x00Bcc: evil@x",
    "word in word": "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0D=3D0ABcc:_evil@x=3F=3D?=",
    "five words deep": "=?utf-8?b?" * 5 + "YQ0KQmNjOiBldmlsQHg=" + "?=" * 5,
    "halves": "=?utf-8?q?a=0D?= =?utf-8?q?=0ABcc:_evil@x?=",
    "half a word": "=?utf-8?q?a=0D=0ABcc:_evil@x",
    "utf-7": "=?utf-7?q?+AA0-+AAo-Bcc:_evil@x?=",
    "utf-16": "=?utf-16-be?b?AGEADQAKAEIAYwBjADoAeA==?=",
    "unicode escapes": "=?unicode_escape?q?a=5Cr=5CnBcc:_evil@x?=",
    "no charset": "=?nonsense?q?a=0D=0ABcc:_evil@x?=",
    "an address": '"a" <evil@x>, b@y; c',
    "overlong": "x" * 3_000 + "\r\nBcc: evil@x",
    "right to left": "\u202e\u0000moc.live\u202c",
    "emoji": "👩‍👩‍👧 é漢" * 30,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mail")


def make(evil, folder, **settings):
    """Make a message in which every field that reaches a header says something evil."""
    fields = "{{ customer.name }}{{ customer.traits.city }}{{ brand.name }}{{ campaign.name }}"
    fields += "{{ event.products[0].name }}{{ offer.headline }}"
    content = making.Content(
        content_id=1,
        message_class="marketing",
        subject="Hi " + fields,
        preheader=fields,
        html=f"<p>{fields}</p>",
        text=fields,
    )
    item = DecidedItem(
        rank=1, item="o", propensity=1.0, score=0.0, reason="", content={"headline": evil}
    )
    who = making.Recipient(
        send_id=SEND,
        profile_id=7,
        address="ann@example.com",
        address_key="k" * 43,
        purpose="marketing.email",
        is_tracked=True,
        stream="c12",
        data={
            "customer": {"name": evil, "traits": {"city": evil}},
            "campaign": {"name": evil},
            "event": {"products": [{"name": evil}]},
        },
        decision=Decision(
            decision_id=SEND,
            decided_at=NOW,
            placement="p",
            kind="offers",
            profile_id=7,
            channel="email",
            policy="thompson",
            fallback="",
            verdicts=[],
            snapshot_id=1,
            seed=1,
            items=[item],
        ),
        now=NOW,
    )
    wanted = {"public_url": "https://u.shop.example", **settings}
    with config.override(data=folder, **wanted) as using:
        return making.get_maker(content, using).make(who)


def read_modern(raw):
    found = email.message_from_bytes(raw, policy=email.policy.default)
    return [(name.lower(), str(value)) for name, value in found.items()]


def read_classic(raw):
    found = email.message_from_bytes(raw, policy=email.policy.compat32)
    return [
        (name.lower(), str(email.header.make_header(email.header.decode_header(value))))
        for name, value in found.items()
    ]


def read_plainly(raw):
    """Read as RFC 5322 has it and no more: lines, and those that go on the line before."""
    head = raw.partition(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("ascii").split("\r\n")
    return [(name.lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)]


@pytest.mark.parametrize("name", EVIL)
def test_no_field_becomes_a_header_whoever_reads_it(folder, name):
    evil = EVIL[name]
    brand = {} if "\0" in evil else {"mail_from_name": evil}
    plain = make("Ann", folder)
    raw = (made := make(evil, folder, **brand)).head + made.body
    expected = [name for name, _ in read_plainly(plain.head)]
    for read in (read_modern, read_classic, read_plainly):
        found = read(raw)
        assert [name for name, _ in found] == expected, read.__name__
        values = dict(found)
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", values["subject"])
        assert values["from"].rstrip(">").endswith("news@shop.example")
        assert values["to"] == "ann@example.com"
        assert values["list-id"].rstrip(">").endswith("marketing.shop.example")
        assert values["feedback-id"].startswith("c12:shop.example:marketing:")
    assert dict(read_modern(raw))["subject"] == dict(read_classic(raw))["subject"] == made.subject
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert [address.addr_spec for address in parsed["from"].addresses] == ["news@shop.example"]
    # Whoever writes down again what was read adds nothing either: as the broken Python would.
    again = email.message_from_bytes(parsed.as_bytes(), policy=email.policy.default)
    assert [name.lower() for name in again.keys()] == expected  # noqa: SIM118  # twice shows


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_unsubscribe": "leave@shop.example>\r\nBcc: <evil@x"},
        {"mail_unsubscribe": "leave@shop.example?subject=x"},
        {"mail_bounces": "shop.example>\r\nRCPT TO:<evil@x"},
        {"mail_from": "news@shop.example\r\nBcc: evil@x"},
        {"mail_from": "Shop <news@shop.example>"},
        {"public_url": "https://u.shop.example>\r\nBcc: <evil@x"},
        {"public_url": "https://u.shop.example/a,b"},
    ],
)
def test_a_setting_that_would_break_a_header_is_refused(folder, wrong):
    with pytest.raises(Invalid):
        make("Ann", folder, **wrong)


def test_a_domain_of_ours_in_any_script_is_ascii_in_every_header(folder):
    made = make("Ann", folder, mail_from="news@bücher.example")
    assert made.head.isascii()
    assert b"xn--bcher-kva.example" in made.head
    assert made.envelope_from.endswith("@bounces.xn--bcher-kva.example")


def test_what_nobody_set_is_the_careful_way(sink):
    """Rule D57: quiet hours, a cap, a lease and an expiry; nobody is followed without a yes."""
    plain = config.Settings()
    assert plain.smtp_url is None, "nothing leaves the machine"
    assert plain.quiet_from != plain.quiet_until
    assert plain.marketing_cap_count > 0
    assert plain.marketing_cap_days > 0
    assert plain.key_events_per_second > 0
    assert plain.send_lease_seconds > 0
    assert (plain.unsafe, plain.https) == (False, False)
    html = '<html><body><a href="https://s.example/a">Go</a></body></html>'
    with transaction() as connection:
        content_id = make_content(connection, html=html)
    plan(range(1, 4), content_id=content_id)
    tell("UPDATE store_profile SET consents = '{}' WHERE id = 2")
    yes = '{"tracking.email": {"status": "granted", "at": "2026-01-01T00:00:00Z"}}'
    tell("UPDATE store_profile SET consents = consents || %s::jsonb WHERE id = 3", yes)
    send_due(clock=utc_now)
    assert count_states() == {"sent": 2, "suppressed:no_consent": 1}
    pages = {
        to: email.message_from_bytes(raw, policy=email.policy.default)
        .get_body(("html",))
        .get_content()
        for _, to, raw in sink.accepted
    }
    assert "/c/v1." not in pages[address_of(1)]
    assert "/o/v1." not in pages[address_of(1)]
    assert "https://s.example/a" in pages[address_of(1)]
    assert "/c/v1." in pages[address_of(3)]
    assert "/o/v1." in pages[address_of(3)]


# Addresses

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
    plan(range(1, 31))
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
    plan(range(1, 41), content_id=content_id)
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
    plan(range(1, len(zones) + 3))
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
    plan(range(1, 6), content_id=content_id, variables={"placement": "mail"})
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
    """Run a server that keeps silent from one word on; "drip" says a little again and again."""

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
    assert time.monotonic() - began < 2.5
    assert bool(asked) == (stage == "dot"), "nobody asks the gate for what cannot be handed over"


# Changes in the middle


def begin(sink, count=200):
    """Plan a slow campaign, so that something can happen before its end."""
    sink.modes = {"slow": 1.0}
    plan(range(1, count + 1))


def wait_until_taken(sink, count):
    deadline = time.monotonic() + 10
    while sink.taken < count:
        assert time.monotonic() < deadline, f"{sink.taken} of {count} were taken"
        time.sleep(0.005)


def drain():
    deadline = time.monotonic() + 10
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
        broadcast.stop_campaign(campaign_id=1, by="me", now=utc_now())
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
            broadcast.pause_campaign(campaign_id=1, by="me", now=utc_now())
            time.sleep(0.15)
            rest = sink.taken
            time.sleep(0.15)
            assert sink.taken == rest, "a paused campaign sends nothing"
            broadcast.resume_campaign(campaign_id=1, by="me", now=utc_now())
        sink.modes = {"accept": 1.0}
        drain()
    assert count_states() == {"sent": 120}
    check_each_once(sink)


def test_what_happens_to_people_and_templates_meanwhile(sink):
    """Unsubscribed, erased, without an address, edited, no placement any more: each for itself."""
    template = broadcast.create_template(
        name="T", subject="First", source="<p>x", by="me", now=utc_now()
    )
    plan(range(1, 31), content_id=template.content_id)
    plan(range(31, 36), content_id=template.content_id, variables={"placement": "gone"})
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
    plan(range(1, 61))
    plan(range(1, 61), run_id=2)
    with config.override(marketing_cap_count=1, smtp_connections=4):
        senders = [
            threading.Thread(target=send_due, kwargs={"clock": utc_now}, daemon=True)
            for _ in range(2)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(20)
    assert count_states() == {"sent": 60, "suppressed:frequency_cap": 60}
    assert len({to for _, to, _ in sink.accepted}) == sink.taken == 60


def test_a_clock_that_jumps_sends_nothing_early_twice_or_never(sink):
    """Leases, due times and expiry are by the database's clock; a sender's dates letters only."""
    rng = random.Random(4)

    def jumping():
        return utc_now() + timedelta(days=rng.choice([-30, -7, -1, 0, 1, 7, 30]))

    plan(range(1, 61))
    plan(range(61, 71), not_before=utc_now() + timedelta(hours=1))
    for _ in range(3):
        send_due(clock=jumping)
    assert count_states() == {"sent": 60, "queued": 10}
    check_each_once(sink)


def test_a_server_that_takes_and_forgets_is_doubted_and_not_asked_again(sink):
    plan(range(1, 21))
    sink.modes = {"drop_after": 1.0}
    for _ in range(3):
        send_due(clock=utc_now)
    states = count_states()
    assert states["unknown:no_reply"] == sink.taken
    assert len({send_id for send_id, _, _ in sink.accepted}) == sink.taken
    assert sum(states.values()) == 20
    assert set(states) <= {"unknown:no_reply", "queued", "queued:server_down"}, states


# Doors


TEXTS = ["a\0b", "\ud800x", "x" * 600_000, "", " \u2028 "]


def test_no_text_is_more_than_a_door_can_refuse(db):
    good = {"message_class": "marketing", "subject": "x", "source": "<p>x", "text": ""}
    refused = 0
    for text in TEXTS:
        for field in ("name", "subject", "preheader", "source", "text"):
            fields = {"name": f"T{len(text)}{field}", **good, field: text}
            words = told(lambda f=fields: broadcast.create_template(by="me", now=NOW, **f))
            assert len(words) < 1_000
            refused += bool(words)
        key = {"key": text, "name": text, "kind": "offers"}
        named = {"name": text, "description": "", "definition": {}}
        asked = DecideRequest(placement=text[:99], channel=text[:99])
        for call in (
            lambda text=text: broadcast.list_campaigns(search=text),
            lambda text=text: broadcast.list_mailbox(search=text),
            lambda named=named: broadcast.create_journey(by="me", now=NOW, **named),
            lambda key=key: personalization.create_placement(by="me", now=NOW, **key),
            lambda asked=asked: personalization.decide(request=asked, now=NOW),
        ):
            assert len(told(call)) < 1_000
    assert refused > len(TEXTS) * 3


def test_a_number_nothing_has_is_not_found(db):
    doors = (
        lambda number: broadcast.get_campaign(campaign_id=number),
        lambda number: broadcast.pause_campaign(campaign_id=number, by="me", now=NOW),
        lambda number: broadcast.report_campaign(campaign_id=number, now=NOW),
        lambda number: broadcast.get_journey(journey_id=number),
        lambda number: broadcast.get_mailbox_message(mailbox_id=number),
        lambda number: broadcast.render_content(content_id=number, profile_id=1, now=NOW),
        lambda number: personalization.get_placement(placement_id=number),
        lambda number: personalization.get_offer(offer_id=number),
        lambda number: store.get_source(source_id=number),
    )
    for number in (-1, 2**31, 2**63, 10**30):
        for door in doors:
            with pytest.raises(NotFound):
                door(number)


def test_monstrous_journeys_are_refused_soon_and_in_few_words(db):
    entry = {"event": "Cart Viewed"}
    deep = {}
    for _ in range(900):
        deep = {"a": deep}
    steps = {f"n{n}": {"kind": "wait", "seconds": 60, "next": f"n{n + 1}"} for n in range(10_000)}
    unread = {f"n{n}": {"kind": "nonsense" * 100} for n in range(200)}
    drawings = {
        "fields": {f"f{n}": 0 for n in range(25_000)},
        "steps": {"entry": entry, "start": "n0", "nodes": steps},
        "unread": {"entry": entry, "start": "n0", "nodes": unread},
        "deep": deep,
        "deep rule": {
            "entry": entry,
            "start": "n",
            "nodes": {"n": {"kind": "branch", "rule": deep, "yes": "", "no": ""}},
        },
        "names": {"entry": entry, "start": "n", "nodes": {"x" * 200_000: {"kind": "wait"}}},
    }
    began = time.process_time()
    for name, drawing in drawings.items():
        named = {"name": name, "description": "", "definition": drawing}
        words = told(lambda named=named: broadcast.create_journey(by="me", now=NOW, **named))
        assert len(words) < 1_000, name
        held = broadcast.find_journey(name=name)
        assert bool(held) is not bool(words), "kept as a draft, or refused"
        if held is not None:
            assert 0 < sum(map(len, held.problems)) < 100_000, name
            wanted = {"journey_id": held.journey_id, "state": "live", "by": "me", "now": NOW}
            words = told(lambda wanted=wanted: broadcast.set_journey_state(**wanted))
            assert 0 < len(words) < 10_000, name
    assert time.process_time() - began < 2


BODIES = {
    "nothing": b"",
    "no JSON": b"\xff\xfe{",
    "a list": b"[]",
    "NaN": b'{"placement":"p","context":{"a":NaN}}',
    "infinite": b'{"placement":"p","context":{"a":1e999}}',
    "half a character": b'{"placement":"\\ud800"}',
    "a NUL": b'{"placement":"a\\u0000b"}',
    "deep": b'{"placement":"p","context":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
    "wrong types": b'{"placement":{"a":1},"identifiers":[],"context":"x","channel":7}',
    "a truth for a name": b'{"placement":"p","identifiers":{"user_id":true}}',
    "digits": b'{"placement":"p","identifiers":{"user_id":' + b"9" * 5_000 + b"}}",
    "digits in the context": b'{"placement":"p","context":{"product_id":' + b"9" * 5_000 + b"}}",
    "twice": b'{"placement":"p","placement":"q","userId":"a","identifiers":{"user_id":"b"}}',
    "long": b'{"placement":"' + b"p" * 60_000 + b'"}',
    "a basket of 10,000": b'{"placement":"p","context":{"basket":[' + b'"x",' * 9_999 + b'"x"]}}',
    "odd baskets": b'{"placement":"p","context":{"basket":[null,{},[],1.5,true,"","a\\u2028"]}}',
}


def test_a_question_is_read_or_refused_and_decided_in_time(db):
    personalization.create_placement(key="p", name="P", kind="products", by="me", now=NOW)
    kept = 0
    for name, body in BODIES.items():
        began = time.process_time()
        made = []
        words = told(
            lambda body=body, made=made: made.append(
                personalization.decide(request=read_request(body).request, now=utc_now())
            )
        )
        assert len(words) < 1_000, name
        assert bool(made) is not bool(words), name
        for decision in made:
            assert decision.items == [], name
            assert personalization.get_decision(decision_id=decision.decision_id)
            kept += 1
        assert time.process_time() - began < 1, name
    replayed = personalization.replay_decisions()
    assert (replayed.same, replayed.different) == (kept, [])


# What comes back


def test_no_form_however_broken_keeps_somebody_subscribed():
    """Whatever cannot be read has no fields, and a POST without fields unsubscribes."""
    rng = random.Random(1)
    pieces = [
        *(
            b"--a",
            b"--a--",
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
            b"; ",
            b'"',
            b"\xff",
            b"\0",
            b"begin 644 x\n",
        ),
        *(b"content-disposition: form-data; name=", b"action", b"=unsubscribe", b"name*0*=u''%ff"),
        *(b"content-transfer-encoding: base64", b"content-transfer-encoding: x-uuencode"),
        *(b"name*99999999999999999999=x", b"content-type: multipart/mixed; boundary=a", b"%", b"&"),
        *(b"content-type: message/rfc822", b"content-type: text/plain; charset=zip", b"=?u?q?x?="),
    ]
    kinds = [
        "multipart/form-data; boundary=a",
        "multipart/form-data",
        'multipart/form-data; boundary="a',
        "multipart/form-data; boundary*0*=utf-8''a",
        "MULTIPART/form-data; boundary=a; charset=nonsense",
        "application/x-www-form-urlencoded",
        "",
        "\xff",
    ]
    for _ in range(3_000):
        body = b"".join(rng.choice(pieces) for _ in range(rng.randrange(40)))
        assert isinstance(links.read_form(body, rng.choice(kinds)), dict)
    part = b"content-type: multipart/x; boundary=b\r\n\r\n--b\r\n"
    for body in (
        b"--a\r\n" + b"content-type: message/rfc822\r\n\r\n" * 550,
        b"--a\r\n" + part * (16_000 // len(part)),
        b"--a\r\n" + b"content-type:multipart/digest;boundary=b\n\n--b\n\n" * 330,
        b"--a\r\ncontent-disposition: form-data" + b"; a=b" * 3_200 + b"\r\n\r\nx",
        b"a=b&" * 4_000,
    ):
        for kind in kinds:
            began = time.process_time()
            assert isinstance(links.read_form(body[:16_384], kind), dict)
            assert time.process_time() - began < 0.5


ODD_HEADS = [
    *(b'From: "', b"From: <", b'To: "a', b"To: a:b:c;;<@,@:>", b"Reply-To: a@[1.2", b"Cc: ,,,;"),
    *(b"To: " + b"(" * 3_000, b"To: " + b"<" * 500, b"From: " + b'"' * 501, b"Message-ID: <"),
    *(b"Date: Fri, 99 Foo 99999 99:99:99 +9999", b"MIME-Version: (", b"Content-ID: <"),
    *(b"Content-Type: text/html; charset=zip", b"Content-Type: ; ; = *0*=", b"Resent-Date: x"),
    *(
        b"Content-Type: text/plain; a*1=b; a*0=c; a*=d",
        b"Content-Disposition: a; filename*0*=''%ff",
    ),
    *(b"Subject: \xff\xfe\0", b"Subject: =?utf-8?b?=", b"Subject: " + b"=?utf-8?q?" * 500),
    *(
        b'Content-Type: multipart/mixed; boundary=""',
        b"Content-Type: message/rfc822",
        b"X-Send-Id: z",
    ),
]


def test_the_mailbox_shows_what_no_parser_can_read(db):
    for head in ODD_HEADS:
        raw = head + b"\r\n\r\n" + b"x\xff\0"
        mailbox.keep(sender="a@x.example", recipients=["b@x.example"], raw=raw)
    page = broadcast.list_mailbox(limit=100)
    assert len(page.items) == len(ODD_HEADS)
    for shown in page.items:
        whole = broadcast.get_mailbox_message(mailbox_id=shown.mailbox_id)
        assert bytes(whole.raw).endswith(b"x\xff\0")
        assert not any("\0" in value for _, value in whole.headers)
