"""What must not become a header, whoever reads the message; and the defaults nobody set."""

import email
import email.header
import email.policy
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from amity.broadcast.logic.sending.process import send_due
from amity.broadcast.logic.templates import making
from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import Invalid
from amity.personalization.contracts import DecidedItem, Decision
from amity.testing.mailing import (
    address_of,
    count_states,
    make_content,
    plan_sends,
    sending_to_sink,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEND = UUID("0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")


def utc_now():
    return datetime.now(UTC)


def tell(query, *values):
    with transaction() as connection:
        return connection.execute(query, values).rowcount


@pytest.fixture
def sink(db):
    with sending_to_sink(now=utc_now()) as running:
        yield running


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
    plan_sends(range(1, 4), content_id=content_id)
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
