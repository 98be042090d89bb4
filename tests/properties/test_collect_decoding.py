"""The decoder on generated events: one gate for the edge and the fold, and canonical values."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.logic.intake import wire
from amity.store.logic.intake.decoding import check_event, decode_event
from amity.store.logic.intake.parsing import BadEvent, parse_object
from amity.store.logic.intake.reading import Incoming, read_request
from amity.store.logic.plans.checking import PlanBook

_text = st.text(st.characters(codec=None), max_size=8)
_scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
)
_value = st.recursive(
    _scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=12,
)
_object = st.dictionaries(_text, _value, max_size=4)
_FIELDS = """type messageId userId anonymousId previousId groupId event name category traits
properties context timestamp originalTimestamp sentAt profileId integrations"""
_field = st.sampled_from(_FIELDS.split())
_wild = st.dictionaries(_field, _value | st.sampled_from(["track", "page", "identify"]), max_size=8)
_event = st.fixed_dictionaries(
    {"type": st.just("identify"), "userId": st.just("u1"), "messageId": st.just("m1")},
    optional={"traits": _object, "properties": _object, "context": st.none() | st.just({"a": 1})},
)


def verdict(raw: bytes, decode: Any) -> str:
    try:
        decode(raw)
    except BadEvent as fault:
        return fault.reason
    return "accepted"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | _wild.map(lambda value: json.dumps(value).encode()))
def test_the_edge_accepts_exactly_what_the_fold_can_decode(raw: bytes) -> None:
    assert verdict(raw, check_event) == verdict(raw, lambda each: decode_event("", each))
    if verdict(raw, check_event) == "accepted":
        assert decode_event("", raw, is_checked=True) == decode_event("", raw)


@settings(max_examples=300, deadline=None)
@given(_event)
def test_decoding_does_not_depend_on_how_it_was_written(event: dict[str, Any]) -> None:
    escaped = json.dumps(event).encode()
    decoded = decode_event("", escaped)
    try:
        plain = json.dumps(event, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:
        assert decoded.is_sanitized
        return
    assert decode_event("", plain) == decode_event("", plain, is_checked=True) == decoded
    assert check_event(plain).canonical == check_event(escaped).canonical


@settings(max_examples=300, deadline=None)
@given(_event)
def test_decoded_values_are_canonical(event: dict[str, Any]) -> None:
    decoded = decode_event("", json.dumps(event).encode())
    for part in (decoded.traits, decoded.properties, decoded.context):
        written = msgspec.json.encode(part)
        again = parse_object(written)[0]
        assert again == part
        assert msgspec.json.encode(again) == written
        assert "\0" not in written.decode()


_piece = st.sampled_from(
    [b'{"a":1}', b'{"a":NaN}', b'{"x":"\xff"}', b'{"b":"],}{[\\""}', b"[1,{}]", b"7", b'""', b"{}"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_piece, max_size=6), st.sampled_from([b"", b" ", b"\n\t"]))
def test_a_batch_is_split_into_the_bytes_it_was_made_of(pieces: list[bytes], gap: bytes) -> None:
    listed = (gap + b"," + gap).join(pieces)
    body = b'{"sentAt":"2026-01-01T00:00:00Z",%b"batch":[%b],"writeKey":"k"}' % (gap, listed)
    request = wire.split_request(body, wire.BATCH)
    assert request.events == pieces
    assert request.write_key == "k"
    assert request.sent_at is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[],":batch01\\ \n', max_size=40).map(str.encode))
def test_no_body_breaks_the_splitter(body: bytes) -> None:
    for kind in (wire.BATCH, "track"):
        reason = verdict(body, lambda each, kind=kind: wire.split_request(each, kind))
        assert reason in {"accepted", "not_json", "no_batch"}


_NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e20, -0.0, 2.0**53, 2**63, 2**64, -(2**63) - 1])
    | st.integers(-(2**70), 2**70)
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(_field, _value | _NUMBERS | st.sampled_from(["track", "u1"]), max_size=8),
    st.sampled_from(["channel", "_metadata", "version", "writeKey", "other", "sentAt"]),
)
def test_the_short_way_and_the_long_way_give_the_same(event: dict[str, Any], more: str) -> None:
    event = {"userId": "u1", "event": "e", **event, more: event.get(more, "x"), "type": "track"}
    short = json.dumps(event, separators=(",", ":")).encode()
    long = short.replace(b'"type"', b'"\\u0074ype"')
    assert verdict(short, check_event) == verdict(long, check_event)
    if verdict(short, check_event) == "accepted":
        assert check_event(short) == check_event(long)
        assert decode_event("", short) == decode_event("", long)
        assert decode_event("", short, is_checked=True) == decode_event("", long)


_odd = st.sampled_from(
    [
        *(b'"\\u0000"', b'"\\ud800"', b'" "', b'"4111-1111 1111 1111"', b"4111111111111111"),
        *(b"12345678901234567890", b"1e300", b"-0.0", b"0", b"true", b"null", b"{}"),
        *(b'{"traits":1}', b'{"traits":{}}', b'{"a":1,"a":2}', b"[" * 70 + b"]" * 70),
        *(b'"2026-01-01T00:00:00.5Z"', b'"2026-13-01"', b'"group"', b'"page"'),
        *(b'"' + b"x" * 256 + b'"', '"é"'.encode()),
    ]
)
_members = st.lists(st.tuples(_field, _odd), max_size=3)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_members | _wild, max_size=5),
    st.sampled_from([wire.BATCH, "track", "identify", "alias"]),
    st.sampled_from(["", "anon"]),
)
def test_events_are_read_together_as_they_are_alone(
    events: list[Any], kind: str, anonymous: str
) -> None:
    raws = []
    for index, event in enumerate(events):
        usual = {"type": b'"track"', "userId": b'"u"', "event": b'"e"'}
        if isinstance(event, dict):
            usual |= {name: json.dumps(value).encode() for name, value in event.items()}
        usual["messageId"] = b'"m%d"' % index
        pairs = [*usual.items(), *(event if isinstance(event, list) else [])]
        raws.append(b"{%b}" % b",".join(b'"%b":%b' % (n.encode(), v) for n, v in pairs))
    incoming = Incoming(kind, anonymous_id=anonymous)
    alone, together = (
        read_request(
            1,
            wire.Request(raws, "", None, is_json),
            incoming,
            most_bytes=1_000,
            plans=PlanBook(),
        )
        for is_json in (False, True)
    )
    assert together == alone
