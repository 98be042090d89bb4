"""From the body of a request to the raw bytes of its events, which are kept exactly as they came.

A clean body is split by the JSON parser. One with something wrong inside is split by its
brackets and commas alone, so that only the events which are wrong are put aside.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.store.logic.intake.parsing import BadEvent, parse_object, read_instant

MAX_EVENTS: Final = 5_000
"""Most events in one request; the Segment limit is 2,500."""

BATCH: Final = "batch"
"""The kind of a request that carries several events."""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\],]', re.DOTALL)
_NAME: Final = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:', re.DOTALL)
_PAIRS: Final = {ord("]"): ord("["), ord("}"): ord("{")}
_BLANK: Final = b" \t\r\n"


class Request(msgspec.Struct, frozen=True, gc=False):
    """What one request carries. ``write_key`` is "" when the body has none.

    ``is_json`` says that each event is known to be one JSON value.
    """

    events: list[bytes]
    write_key: str
    sent_at: datetime | None
    is_json: bool = False


class _Batch(msgspec.Struct, gc=False):
    batch: list[msgspec.Raw]
    writeKey: Any = None
    sentAt: Any = None
    context: msgspec.Raw = msgspec.Raw(b"null")


class _Single(msgspec.Struct, gc=False):
    writeKey: Any = None


_BATCH_DECODER: Final = msgspec.json.Decoder(_Batch)
_SINGLE_DECODER: Final = msgspec.json.Decoder(_Single)


def split_request(body: bytes, kind: str) -> Request:
    """Split a request of ``kind`` (`BATCH` or the type of a single event).

    Raises BadEvent when it is not JSON even by its brackets, or a batch without a `batch`.
    """
    if kind != BATCH:
        return _split_single(body)
    if body.count(b'"batch"') == 1:
        try:
            read = _BATCH_DECODER.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return _split_leniently(body)
        events = list(map(bytes, read.batch))
        request = _request(events, read.writeKey, read.sentAt, bytes(read.context))
        return msgspec.structs.replace(request, is_json=True)
    return _split_leniently(body)


def _split_single(body: bytes) -> Request:
    try:
        key = _SINGLE_DECODER.decode(body).writeKey
    except (msgspec.MsgspecError, ValueError, RecursionError):
        key = _plain(dict(_members(body)).get(b"writeKey", b"null"))
    return _request([body], key, None, b"null")


def _split_leniently(body: bytes) -> Request:
    members: dict[bytes, bytes] = {}
    for name, value in _members(body):
        if name in members:
            raise BadEvent("not_json", "a name stands twice in the request")
        members[name] = value
    if b"batch" not in members:
        raise BadEvent("no_batch", "a batch is an object with a list named `batch`")
    events = [piece.strip(_BLANK) for piece in _pieces(members[b"batch"], b"[")]
    key, sent_at = (_plain(members.get(name, b"null")) for name in (b"writeKey", b"sentAt"))
    return _request(events, key, sent_at, members.get(b"context", b"null"))


def _request(events: list[bytes], key: Any, sent_at: Any, context: bytes) -> Request:
    if len(events) > MAX_EVENTS:
        raise BadEvent("too_many_events", f"more than {MAX_EVENTS} events in one request")
    if context[:1] == b"{" and len(context) > 2:
        events = [merge_context(event, context) for event in events]
    return Request(
        events,
        key if isinstance(key, str) else "",
        read_instant(sent_at) if isinstance(sent_at, str) else None,
    )


def _plain(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _members(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    for piece in _pieces(raw, b"{"):
        found = _NAME.match(piece)
        if found is None:
            raise BadEvent("not_json", "a member without a name")
        yield found[1], piece[found.end() :].strip(_BLANK)


def _pieces(raw: bytes, opening: bytes) -> list[bytes]:
    """Cut an object or list at its own commas, whatever stands between them."""
    raw = raw.strip(_BLANK)
    if raw[:1] != opening:
        raise BadEvent("not_json", f"expected `{opening.decode()}`")
    pieces: list[bytes] = []
    open_brackets: list[int] = []
    start = 1
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"{[":
            open_brackets.append(first)
        elif first in b"}]":
            if not open_brackets or open_brackets.pop() != _PAIRS[first]:
                raise BadEvent("not_json", "brackets do not match")
            if not open_brackets:
                if token.end() != len(raw):
                    raise BadEvent("not_json", "something follows the end")
                last = raw[start : token.start()]
                return [*pieces, last] if pieces or last.strip(_BLANK) else []
        elif first == ord(",") and len(open_brackets) == 1:
            pieces.append(raw[start : token.start()])
            start = token.end()
        elif first == ord('"') and len(token[0]) == 1:
            raise BadEvent("not_json", "a text does not end")
    raise BadEvent("not_json", "it ends too early")


def merge_context(event: bytes, context: bytes) -> bytes:
    """Put a batch's context under an event's own; an event with a fault stays as it is."""
    return _with_member(event, b"context", context)


def add_anonymous_id(event: bytes, anonymous_id: str) -> bytes:
    """Give an event the anonymous id that came in a header."""
    return _with_member(event, b"anonymousId", msgspec.json.encode(anonymous_id))


_RAW_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _with_member(event: bytes, name: bytes, value: bytes) -> bytes:
    try:
        parse_object(event)
        members = _RAW_OBJECT.decode(event)
        own = members.get(name.decode())
        if name == b"context":
            joined = _RAW_OBJECT.decode(value)
            if own is not None and bytes(own) != b"null":
                joined.update(_RAW_OBJECT.decode(own))
            value = msgspec.json.encode(joined)
    except (BadEvent, msgspec.MsgspecError, ValueError):
        return event
    return msgspec.json.encode({**members, name.decode(): msgspec.Raw(value)})
