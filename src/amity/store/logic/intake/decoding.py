"""From the raw bytes of one event to what it means: the one decoder of the house (rule D5).

The collector calls `check_event` before it stores an event, the fold calls `decode_event` when it
reads it back: both go through the same gate, so whatever was accepted can always be folded.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.store.logic.intake.leaving_out import leave_out
from amity.store.logic.intake.parsing import (
    CANONICAL,
    BadEvent,
    canonical_float,
    is_plain,
    is_small,
    parse_object,
    read_instant,
)

MAX_TEXT: Final = 255
"""Longest message id, identifier and name, in characters: they are keys of indexes."""


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


class Wire(msgspec.Struct, gc=False, omit_defaults=True):
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


class _Plain(Wire):
    """The same, its identifiers as nearly all are: then no number of them has two spellings."""

    userId: str | int | None = None
    anonymousId: str | int | None = None
    previousId: str | int | None = None
    groupId: str | int | None = None


_FASTEST: Final = msgspec.json.Decoder(_Plain, float_hook=canonical_float)


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


def _short(value: str, field: str) -> None:
    if len(value) > MAX_TEXT:
        raise BadEvent("bad_name", f"{field} is longer than {MAX_TEXT} characters")


def _need_name(wire: Wire) -> None:
    if not wire.event or not wire.event.strip():
        raise BadEvent("missing_event", "a track needs the name of its event")


def _need_group(wire: Wire) -> None:
    if _text_id(wire.groupId, "groupId") is None:
        raise BadEvent("missing_group_id", "a group needs a groupId")


def _need_previous(wire: Wire) -> None:
    if _text_id(wire.previousId, "previousId") is None:
        raise BadEvent("missing_previous_id", "an alias needs a previousId")
    if _text_id(wire.userId, "userId") is None:
        raise BadEvent("missing_identity", "an alias needs a userId")


def _need_nothing(_wire: Wire) -> None:
    pass


_NEEDS: Final = {
    "identify": _need_nothing,
    "track": _need_name,
    "page": _need_nothing,
    "screen": _need_nothing,
    "group": _need_group,
    "alias": _need_previous,
}
# About the sending, not about what happened: it may differ when an event is sent again.
_TRANSPORT: Final = frozenset({"sentAt", "writeKey"})


def _parse(raw: bytes) -> tuple[Wire, bytes, bool]:
    """Parse one event; return its fields, its canonical text and whether it was sanitized.

    The shortest way holds for events that have known fields only, none of them null: whatever
    else there is, or stands twice, leaves a colon less in the text written back.
    """
    if is_plain(raw) and is_small(raw):
        try:
            wire = _FASTEST.decode(raw)
        except (msgspec.MsgspecError, ValueError, BadEvent):
            return _parse_any(raw)
        canonical = CANONICAL.encode(wire)
        if raw.count(b":") == canonical.count(b":"):
            if wire.sentAt is not None or wire.writeKey is not None:
                canonical = content_of(wire)
            return wire, canonical, False
    return _parse_any(raw)


def _read_checked(raw: bytes) -> Wire | None:
    """Parse an event in which no name stands twice; None when it has to go the long way."""
    if not is_plain(raw):
        return None
    try:
        return _FASTEST.decode(raw)
    except (msgspec.MsgspecError, ValueError, BadEvent):
        return None


def content_of(wire: Wire) -> bytes:
    """Return the canonical text of what happened, without what is about the sending."""
    return CANONICAL.encode(msgspec.structs.replace(wire, sentAt=None, writeKey=None))


def _parse_any(raw: bytes) -> tuple[Wire, bytes, bool]:
    value, canonical, sanitized = parse_object(raw)
    try:
        wire = msgspec.convert(value, Wire)
    except msgspec.ValidationError as error:
        raise BadEvent("wrong_type", str(error)) from error
    if "sentAt" in value or "writeKey" in value:
        content = {name: item for name, item in value.items() if name not in _TRANSPORT}
        canonical = CANONICAL.encode(content)
    return wire, canonical, sanitized


def _check(wire: Wire, kind: str, *, is_system: bool) -> str:
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


def _check_rest(wire: Wire) -> tuple[datetime | None, datetime | None]:
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


def _properties(wire: Wire, kind: str) -> dict[str, Any]:
    properties = dict(wire.properties or {})
    if kind in {"page", "screen"}:
        if wire.name:
            properties.setdefault("name", wire.name)
        if wire.category:
            properties.setdefault("category", wire.category)
    return properties
