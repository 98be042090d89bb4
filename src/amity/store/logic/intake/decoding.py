"""From the raw bytes of one event to what it means: the one decoder of the house (rule D5).

The collector calls `check_event` before it stores an event, the fold calls `decode_event` when it
reads it back: both go through the same gate, so whatever was accepted can always be folded.
"""

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Annotated, Any, Final, NoReturn

import msgspec
import numpy as np

from amity.kernel.clock import parse_instant
from amity.kernel.errors import Invalid
from amity.store.logic.intake.leaving_out import leave_out

MAX_DEPTH: Final = 64
MAX_NODES: Final = 10_000
MAX_TEXT: Final = 255
"""Longest message id, identifier and name, in characters: they are keys of indexes."""

_EXACT_FLOAT: Final = float(2**53)
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1
_INT_DIGITS: Final = 19
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Fractions finer than a microsecond, and offsets without a colon: both are common, both are ISO.
_FINE_FRACTION: Final = re.compile(r"(\.\d{6})\d+")
_BARE_OFFSET: Final = re.compile(r"([+-]\d\d)(\d\d)$", re.ASCII)
# As JavaScript and Python write an instant in UTC: with milliseconds or microseconds.
_USUAL_LENGTHS: Final = (24, 27, 29, 32)
# Turns all digits into 0 and all else into spaces, so that a long number is one `in` away.
_DIGITS_ONLY: Final = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG_NUMBER: Final = b"0" * _INT_DIGITS


class BadEvent(Invalid):
    """An event that cannot be understood: ``reason`` is a code, the message says where."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason, code=reason)


class DecodedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as understood; every value in it survives a round trip through jsonb.

    ``name`` is the event's name for a track and the page's or screen's name for those, else "".
    For page and screen it is in ``properties`` too. ``traits`` joins the event's own over those
    in its context (a group's traits are the group's alone). ``profile_id`` is only set for
    Amity's own events. ``is_sanitized`` says that characters which cannot be stored were
    replaced by U+FFFD; the context then carries ``_sanitized``.
    """

    type: str
    message_id: str
    user_id: str | None
    anonymous_id: str | None
    previous_id: str | None
    group_id: str | None
    name: str
    traits: dict[str, Any]
    properties: dict[str, Any]
    context: dict[str, Any]
    timestamp: datetime | None
    sent_at: datetime | None
    profile_id: int | None
    is_sanitized: bool


class CheckedEvent(msgspec.Struct, frozen=True, gc=False):
    """What the log keeps beside the raw bytes of an accepted event.

    ``message_id`` is "" when the sender gave none. ``canonical`` is the event's content without
    what a retry may change, the same for the same content however it was written: what
    duplicates are told by.
    """

    type: str
    message_id: str
    sent_at: datetime | None
    canonical: bytes
    event: str = ""
    """The name of a track."""


_Id = str | int | float | None


class _Wire(msgspec.Struct, gc=False, omit_defaults=True):
    """The fields of the Segment specification, with the types they may have.

    Those of type Any are not used, only told from fields nobody knows.
    """

    type: str | None = None
    messageId: str | None = None
    userId: _Id = None
    anonymousId: _Id = None
    previousId: _Id = None
    groupId: _Id = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: str | None = None
    originalTimestamp: str | None = None
    sentAt: str | None = None
    profileId: int | None = None
    channel: Any = None
    integrations: Any = None
    metadata: Any = msgspec.field(default=None, name="_metadata")
    version: Any = None
    writeKey: Any = None


class _Plain(_Wire):
    """The same, its identifiers as nearly all are: then no number of them has two spellings."""

    userId: str | int | None = None
    anonymousId: str | int | None = None
    previousId: str | int | None = None
    groupId: str | int | None = None


_Short = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
_Given = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


class _Usual(_Wire):
    """The same, its texts not longer than they may be, and its identifiers not empty."""

    messageId: _Short | None = None
    userId: _Given | int | None = None
    anonymousId: _Given | int | None = None
    previousId: _Short | int | None = None
    groupId: _Short | int | None = None
    event: _Short | None = None
    name: _Short | None = None


def _canonical_float(text: str) -> float | int | str:
    """Read a float so that jsonb gives the same value back: whole and huge ones become whole."""
    value = float(text)
    if -_EXACT_FLOAT < value < _EXACT_FLOAT:
        return value or 0.0
    if not math.isfinite(value):
        raise BadEvent("not_finite", "a number is too large")
    return _canonical_int(str(int(value)))


def _canonical_int(text: str) -> int | str:
    """Read an integer; one that needs more than 64 bits stays text."""
    if len(text) > _INT_DIGITS + 1:
        return text
    value = int(text)
    return value if _INT_MIN <= value <= _INT_MAX else text


def _refuse_constant(text: str) -> NoReturn:
    raise BadEvent("not_finite", f"{text} is not JSON")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadEvent("duplicate_key", "a name stands twice in one object")
    return made


_FAST: Final = msgspec.json.Decoder(float_hook=_canonical_float)
_FASTEST: Final = msgspec.json.Decoder(_Plain, float_hook=_canonical_float)
_TOGETHER: Final = msgspec.json.Decoder(list[_Usual], float_hook=_canonical_float)
_CANONICAL: Final = msgspec.json.Encoder(order="sorted")
_SMALL: Final = 2 * MAX_NODES
_BACKSLASH: Final = ord("\\")
_BRACKETS: Final = ord("{") ^ ord("[")


def is_plain(text: bytes) -> bool:
    """Rule out by looking at the bytes: characters as numbers, and numbers of many digits.

    What holds for a text holds for all parts of it.
    """
    return (_BACKSLASH not in text or b"\\u" not in text) and _LONG_NUMBER not in text.translate(
        _DIGITS_ONLY
    )


def _is_small(raw: bytes) -> bool:
    return len(raw) < _SMALL and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH


def parse_object(raw: bytes) -> tuple[dict[str, Any], bytes, bool]:
    """Parse strictly; return the object, its canonical text and whether it was sanitized.

    Raises BadEvent.

    The short way holds for nearly all events: what it cannot rule out by looking at the bytes
    goes the long way. A name that stands twice is lost in the object, so its colon is missing
    from the text written back.
    """
    if is_plain(raw) and _is_small(raw):
        try:
            value = _FAST.decode(raw)
        except (msgspec.MsgspecError, ValueError, BadEvent):
            return _parse_slowly(raw)
        canonical = _CANONICAL.encode(value)
        if type(value) is dict and raw.count(b":") == canonical.count(b":"):
            return value, canonical, False
    return _parse_slowly(raw)


def _parse_slowly(raw: bytes) -> tuple[dict[str, Any], bytes, bool]:
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_unique_pairs,
            parse_float=_canonical_float,
            parse_int=_canonical_int,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise BadEvent("bad_utf8", f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadEvent("too_deep", f"nested deeper than {MAX_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise BadEvent("not_json", f"{error.msg} at character {error.pos}") from error
    if not isinstance(value, dict):
        raise BadEvent("not_an_object", "an event is a JSON object")
    _measure(value)
    cleaned, changed = _clean(value)
    return cleaned, _CANONICAL.encode(cleaned), changed


def _measure(value: object) -> None:
    """Refuse what is nested too deep or has too many values, without recursion."""
    level: list[object] = [value]
    nodes = depth = 0
    while level:
        nodes += len(level)
        if nodes > MAX_NODES:
            raise BadEvent("too_many_values", f"more than {MAX_NODES} values")
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += any(isinstance(item, dict | list) for item in level)
        if depth > MAX_DEPTH:
            raise BadEvent("too_deep", f"nested deeper than {MAX_DEPTH}")
        level = below


def _clean(value: Any) -> tuple[Any, bool]:
    """Replace what PostgreSQL cannot hold in text, in values and names; say if there was any."""
    if isinstance(value, str):
        clean = _SURROGATE.sub("\ufffd", value).replace("\0", "\ufffd")
        return clean, clean != value
    if isinstance(value, list):
        items = [_clean(item) for item in value]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(value, dict):
        pairs = [(_clean(name), _clean(item)) for name, item in value.items()]
        changed = any(name[1] or item[1] for name, item in pairs)
        return {name[0]: item[0] for name, item in pairs}, changed
    return value, False


def _text_id(value: _Id, field: str) -> str | None:
    """Return an identifier as text; None when it is absent, null or blank."""
    if value is None:
        return None
    if not isinstance(value, str):
        value = str(int(value)) if value == int(value) else str(value)
    value = value.strip()
    if len(value) > MAX_TEXT:
        raise BadEvent("bad_identifier", f"{field} is longer than {MAX_TEXT} characters")
    return value or None


def _instant(text: str | None, field: str) -> datetime | None:
    if not text:
        return None
    moment = read_instant(text)
    if moment is None:
        raise BadEvent("bad_timestamp", f"{field} is not an ISO 8601 date and time")
    return moment


def read_instant(text: str) -> datetime | None:
    """Read a time as clients write it: finer fractions are cut off, `+0100` is an offset."""
    if len(text) in _USUAL_LENGTHS and text[10] == "T" and text[0] != "0":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.tzinfo is UTC:
            return moment
    if "." in text:
        text = _FINE_FRACTION.sub(r"\1", text)
    if "T" in text or " " in text:
        text = _BARE_OFFSET.sub(r"\1:\2", text)
    return parse_instant(text)


def _short(value: str, field: str) -> None:
    if len(value) > MAX_TEXT:
        raise BadEvent("bad_name", f"{field} is longer than {MAX_TEXT} characters")


def _need_name(wire: _Wire) -> None:
    if not wire.event or not wire.event.strip():
        raise BadEvent("missing_event", "a track needs the name of its event")


def _need_group(wire: _Wire) -> None:
    if _text_id(wire.groupId, "groupId") is None:
        raise BadEvent("missing_group_id", "a group needs a groupId")


def _need_previous(wire: _Wire) -> None:
    if _text_id(wire.previousId, "previousId") is None:
        raise BadEvent("missing_previous_id", "an alias needs a previousId")
    if _text_id(wire.userId, "userId") is None:
        raise BadEvent("missing_identity", "an alias needs a userId")


def _need_nothing(_wire: _Wire) -> None:
    pass


_NEEDS: Final = {
    "identify": _need_nothing,
    "track": _need_name,
    "page": _need_nothing,
    "screen": _need_nothing,
    "group": _need_group,
    "alias": _need_previous,
}
_SIMPLE: Final = frozenset({"identify", "page", "screen"})
# About the sending, not about what happened: it may differ when an event is sent again.
_TRANSPORT: Final = frozenset({"sentAt", "writeKey"})


def _parse(raw: bytes) -> tuple[_Wire, bytes, bool]:
    """Parse one event; return its fields, its canonical text and whether it was sanitized.

    The shortest way holds for events that have known fields only, none of them null: whatever
    else there is, or stands twice, leaves a colon less in the text written back.
    """
    if is_plain(raw) and _is_small(raw):
        try:
            wire = _FASTEST.decode(raw)
        except (msgspec.MsgspecError, ValueError, BadEvent):
            return _parse_any(raw)
        canonical = _CANONICAL.encode(wire)
        if raw.count(b":") == canonical.count(b":"):
            if wire.sentAt is not None or wire.writeKey is not None:
                canonical = _content_of(wire)
            return wire, canonical, False
    return _parse_any(raw)


def _read_checked(raw: bytes) -> _Wire | None:
    """Parse an event in which no name stands twice; None when it has to go the long way."""
    if not is_plain(raw):
        return None
    try:
        return _FASTEST.decode(raw)
    except (msgspec.MsgspecError, ValueError, BadEvent):
        return None


def _content_of(wire: _Wire) -> bytes:
    return _CANONICAL.encode(msgspec.structs.replace(wire, sentAt=None, writeKey=None))


def _parse_any(raw: bytes) -> tuple[_Wire, bytes, bool]:
    value, canonical, sanitized = parse_object(raw)
    try:
        wire = msgspec.convert(value, _Wire)
    except msgspec.ValidationError as error:
        raise BadEvent("wrong_type", str(error)) from error
    if "sentAt" in value or "writeKey" in value:
        content = {name: item for name, item in value.items() if name not in _TRANSPORT}
        canonical = _CANONICAL.encode(content)
    return wire, canonical, sanitized


def _check(wire: _Wire, kind: str, *, is_system: bool) -> str:
    """Check what an event must have; return its type."""
    kind = kind or wire.type or ""
    need = _NEEDS.get(kind)
    if need is None:
        raise BadEvent("unknown_type", "the type is none of " + ", ".join(_NEEDS))
    need(wire)
    if wire.messageId is not None and len(wire.messageId) > MAX_TEXT:
        raise BadEvent("bad_message_id", f"messageId is longer than {MAX_TEXT} characters")
    if is_system:
        if wire.profileId is None:
            raise BadEvent("missing_identity", "an event of Amity's own needs a profileId")
    elif (
        _text_id(wire.userId, "userId") is None
        and _text_id(wire.anonymousId, "anonymousId") is None
    ):
        raise BadEvent("missing_identity", "neither userId nor anonymousId is there")
    return kind


def _check_rest(wire: _Wire) -> tuple[datetime | None, datetime | None]:
    """Check what only the projection uses; return the event's time and its sending time."""
    if wire.event is not None:
        _short(wire.event, "event")
    if wire.name is not None:
        _short(wire.name, "name")
    if wire.previousId is not None:
        _text_id(wire.previousId, "previousId")
    if wire.groupId is not None:
        _text_id(wire.groupId, "groupId")
    if wire.anonymousId is not None:
        _text_id(wire.anonymousId, "anonymousId")
    if wire.context is not None:
        _context_traits(wire.context)
    written = _instant(wire.timestamp, "timestamp")
    if wire.originalTimestamp is None and wire.sentAt is None:
        return written, None
    happened = _instant(wire.originalTimestamp, "originalTimestamp")
    return happened or written, _instant(wire.sentAt, "sentAt")


def _context_traits(context: dict[str, Any]) -> dict[str, Any]:
    traits = context.get("traits")
    if traits is None:
        return {}
    if not isinstance(traits, dict):
        raise BadEvent("wrong_type", "Expected `object | null` - at `$.context.traits`")
    return traits


def check_event(raw: bytes, *, kind: str = "", is_system: bool = False) -> CheckedEvent:
    """Make sure that an event can be decoded, and return what is stored beside it.

    ``kind`` is the type that the address it was sent to stands for; without it the event must
    say its own. Raises BadEvent.
    """
    wire, canonical, _ = _parse(raw)
    kind = _check(wire, kind, is_system=is_system)
    _, sent_at = _check_rest(wire)
    return CheckedEvent(
        kind,
        wire.messageId or "",
        sent_at,
        canonical,
        (wire.event or "") if kind == "track" else "",
    )


def check_together(events: Sequence[bytes], kind: str = "") -> list[CheckedEvent | None]:
    """Check many events at once, each of them one JSON value; None means: look at it alone.

    What is returned is as `check_event` would, if `is_plain` holds for that event.
    """
    text = b",".join(events)
    try:
        wires = _TOGETHER.decode(b"[%b]" % text)
    except (msgspec.MsgspecError, ValueError, BadEvent):
        wires = []
    if len(wires) != len(events):
        return [None] * len(events)
    canonicals = list(map(_CANONICAL.encode, wires))
    checked = list(map(_check_usual, wires, canonicals, repeat(kind)))
    longest = max(map(len, events), default=0)
    if longest >= _SMALL or _is_dense(text, longest):
        for index, raw in enumerate(events):
            if not _is_small(raw):
                checked[index] = None
    if _count_colons(text) != _count_colons(b"".join(canonicals)):
        for index, (raw, canonical) in enumerate(zip(events, canonicals, strict=True)):
            if raw.count(b":") != canonical.count(b":"):
                checked[index] = None
    return checked


# Over many events at once NumPy counts four times quicker than Python does over each.
def _is_dense(text: bytes, longest: int) -> bool:
    """Say whether some piece so long has more brackets opened in it than one event may have."""
    opened = np.flatnonzero(np.frombuffer(text, np.uint8) | _BRACKETS == ord("{"))
    return bool((opened[MAX_DEPTH:] - opened[:-MAX_DEPTH] < longest).any())


def _count_colons(text: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(":")))


def _check_usual(wire: _Usual, canonical: bytes, kind: str) -> CheckedEvent | None:
    """Check what `_check` and `_check_rest` do, of what nearly all events are like."""
    kind = kind or wire.type or ""
    name = ""
    if kind == "track":
        name = wire.event or ""
        if not name or name.isspace():
            return None
    elif kind not in _SIMPLE:
        return None
    if not _names(wire.userId) and not _names(wire.anonymousId):
        return None
    traits = None if wire.context is None else wire.context.get("traits")
    if traits is not None and type(traits) is not dict:
        return None
    written, happened, sent = wire.timestamp, wire.originalTimestamp, wire.sentAt
    sent_at = read_instant(sent) if sent else None
    if (
        (written and read_instant(written) is None)
        or (happened and read_instant(happened) is None)
        or (sent and sent_at is None)
    ):
        return None
    if sent is not None or wire.writeKey is not None:
        canonical = _content_of(wire)
    return CheckedEvent(kind, wire.messageId or "", sent_at, canonical, name)


def _names(value: str | int | None) -> bool:
    return not value.isspace() if isinstance(value, str) else value is not None


def decode_event(
    kind: str,
    body: bytes,
    *,
    message_id: str = "",
    sent_at: datetime | None = None,
    is_system: bool = False,
    is_checked: bool = False,
) -> DecodedEvent:
    """Decode an event from the log: ``kind``, ``message_id`` and ``sent_at`` are its columns.

    With an empty ``kind`` the event must say its own type. Raises BadEvent, which for an event
    that `check_event` let pass cannot happen; ``is_checked`` says that it did.
    """
    wire = _read_checked(body) if is_checked else None
    sanitized = False
    if wire is None:
        wire, _, sanitized = _parse(body)
    kind = _check(wire, kind, is_system=is_system)
    timestamp, own_sent_at = _check_rest(wire)
    context = dict(wire.context or {})
    if sanitized:
        context["_sanitized"] = True
    traits = wire.traits or {}
    if kind != "group":
        traits = {**_context_traits(context), **traits}
    properties = _properties(wire, kind)
    if "amity" in context and (paths := _left_out(context["amity"])):
        traits, properties = leave_out(traits, paths), leave_out(properties, paths)
    return DecodedEvent(
        type=kind,
        message_id=message_id or wire.messageId or "",
        user_id=_text_id(wire.userId, "userId"),
        anonymous_id=_text_id(wire.anonymousId, "anonymousId"),
        previous_id=_text_id(wire.previousId, "previousId"),
        group_id=_text_id(wire.groupId, "groupId"),
        name=(wire.event if kind == "track" else wire.name) or "",
        traits=traits,
        properties=properties,
        context=context,
        timestamp=timestamp,
        sent_at=sent_at or own_sent_at,
        profile_id=wire.profileId if is_system else None,
        is_sanitized=sanitized,
    )


def _left_out(said: Any) -> list[str]:
    paths = said.get("left_out") if isinstance(said, dict) else None
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def _properties(wire: _Wire, kind: str) -> dict[str, Any]:
    properties = dict(wire.properties or {})
    if kind in {"page", "screen"}:
        if wire.name:
            properties.setdefault("name", wire.name)
        if wire.category:
            properties.setdefault("category", wire.category)
    return properties
