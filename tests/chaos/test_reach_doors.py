"""What the doors of reach are given that nobody should give them: refused soon, in few words."""

import random
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns, api_journeys
from amity.broadcast.logic.mail import mailbox
from amity.edge import links
from amity.kernel.errors import AmityError, NotFound
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest
from amity.personalization.hot import read_request
from amity.store import api as store

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEND = UUID("0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")


def utc_now():
    return datetime.now(UTC)


def told(call):
    """Return what a door says of what it refuses; "" when it takes it."""
    try:
        call()
    except AmityError as error:
        return error.message
    return ""


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
            lambda text=text: api_campaigns.list_campaigns(search=text),
            lambda text=text: broadcast.list_mailbox(search=text),
            lambda named=named: api_journeys.create_journey(by="me", now=NOW, **named),
            lambda key=key: personalization.create_placement(by="me", now=NOW, **key),
            lambda asked=asked: personalization.decide(request=asked, now=NOW),
        ):
            assert len(told(call)) < 1_000
    assert refused > len(TEXTS) * 3


def test_a_number_nothing_has_is_not_found(db):
    doors = (
        lambda number: api_campaigns.get_campaign(campaign_id=number),
        lambda number: api_campaigns.pause_campaign(campaign_id=number, by="me", now=NOW),
        lambda number: api_campaigns.report_campaign(campaign_id=number, now=NOW),
        lambda number: api_journeys.get_journey(journey_id=number),
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
        words = told(lambda named=named: api_journeys.create_journey(by="me", now=NOW, **named))
        assert len(words) < 1_000, name
        held = api_journeys.find_journey(name=name)
        assert bool(held) is not bool(words), "kept as a draft, or refused"
        if held is not None:
            assert 0 < sum(map(len, held.problems)) < 100_000, name
            wanted = {"journey_id": held.journey_id, "state": "live", "by": "me", "now": NOW}
            words = told(lambda wanted=wanted: api_journeys.set_journey_state(**wanted))
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
