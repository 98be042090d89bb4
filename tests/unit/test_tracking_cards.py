"""Card numbers are found as they are written, and nothing that only looks like one is cut."""

import json

import pytest

from amity.store.dialect import Call, dialects
from amity.store.logic.intake.calls import pack_call
from amity.store.logic.intake.cards import cut_cards, cut_event, mask_text
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import read_row, reject

VISA = "4111111111111111"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (VISA, "****1111"),
        ("4111 1111 1111 1111 12/27 123", "****1111 12/27 123"),
        ("Order 25 4111-1111-1111-1111", "Order 25 ****1111"),
        ("4111.1111.1111.1111", "****1111"),
        ("?card=4111%201111%201111%201111&x=1", "?card=****1111&x=1"),
        ("my card:5555555555554444.", "my card:****4444."),
        ("card378282246310005", "card****0005"),
        ("3782 822463 10005", "****0005"),
        ("30569309025904", "****5904"),
        ("6011111111111117, 3530111333300000", "****1117, ****0000"),
        ("6250941006528599", "****8599"),
    ],
)
def test_a_card_number_is_cut_to_its_last_four_digits(text, clean):
    assert mask_text(text) == clean
    raw = json.dumps({"properties": {"note": text}}).encode()
    assert json.loads(cut_cards(raw)[0])["properties"]["note"] == clean


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # its check digit is wrong
        "1732255862123",  # milliseconds
        "1732255862123456789",  # nanoseconds
        "2026-11-22T06:11:02.123456Z",
        "4006381333931",  # a GTIN-13
        "4012345678901",
        "36000291452050",  # a GTIN-14
        "9783161484100",  # an ISBN
        "490154203237518",  # an IMEI: right by Luhn, of no issuer
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "550e8400-e29b-41d4-a716-446655440000",
        "4111111111111111ab3f",  # part of a hexadecimal id
        "+49 4131 22 33 44 55 66",
        "GA1.2.1234567890.1612345678",
        "0000000000000000",
        "41111111111111111111111",  # too long
    ],
)
def test_what_only_looks_like_one_stays_as_it_is(text):
    raw = json.dumps({"type": "track", "properties": {"order_id": text}}).encode()
    assert cut_cards(raw) == (raw, [])


def test_all_else_in_the_event_stays_and_a_mark_says_where_it_was():
    raw = (
        b'{"type":"track","event":"x","userId":"u","properties":{"n": 4111111111111111,'
        b'"l":[{"a":"\\u0034111 1111 1111 1111"}],"f":1.50,"u":"M\xc3\xbcller"}}'
    )
    clean = cut_event(raw)
    assert b'"f":1.50,"u":"M\xc3\xbcller"' in clean
    value = json.loads(clean)
    assert value["properties"]["n"] == value["properties"]["l"][0]["a"] == "****1111"
    assert value["context"] == {"amity": {"cut": ["properties.n", "properties.l[].a"]}}
    assert cut_event(clean) == clean


def test_an_identifier_becomes_a_hash_so_that_customers_stay_apart():
    ids = {
        json.loads(cut_event(json.dumps({"type": "identify", "userId": number}).encode()))["userId"]
        for number in (VISA, "4012888888881881", int(VISA))
    }
    assert len(ids) == 2
    assert all(found.startswith("card-") and VISA[-4:] != found[-4:] for found in ids)


def test_a_retry_is_the_same_event():
    raw = {
        "type": "track",
        "event": "x",
        "userId": "u",
        "messageId": "m",
        "properties": {"n": VISA},
    }
    one, two = (read_row(0, 1000, json.dumps(raw, indent=indent).encode()) for indent in (None, 1))
    assert one.payload_hash == two.payload_hash
    assert VISA.encode() not in one.body


@pytest.mark.parametrize(
    "raw", [b'{"type":"track","n":4111111111111111', b"card=4111+1111+1111+1111&x=\xff"]
)
def test_quarantine_holds_none_either(raw):
    put_aside = reject(0, 1000, raw, BadEvent("not_json"))
    assert b"****1111" in put_aside.raw
    assert VISA.encode() not in put_aside.raw.replace(b"+", b"")
    dialect = next(iter(dialects()))()
    call = Call(
        method="POST", path="/", query={"c": VISA}, headers={}, body=raw, parts={"write_key": "k"}
    )
    packed = pack_call(dialect, call)
    assert VISA.encode() not in packed.replace(b"+", b"")
