"""Amity's own events on their way into the log, many alike at once. Pure.

Hundreds of a turn differ only in whom they are about and in their message id. The first of a kind
is read as every event is; the others are that one with these two in their places, and what could
not be put in a place as it stands is read for itself.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.kernel.clock import format_instant
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.logic.intake.cards import find_long_numbers
from amity.store.logic.intake.decoding import MAX_TEXT, check_event
from amity.store.logic.intake.rows import Row, digest_of, hash_of, read_row

# As they stand in a body and in its canonical form, the value right behind.
_PROFILE: Final = b'"profileId":'
_MESSAGE: Final = b'"messageId":"'


class SystemEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of Amity's own about one profile.

    Many of a kind are made ready quicker when they share one ``properties``.
    """

    profile_id: int
    name: str
    properties: dict[str, Any]
    message_id: str
    occurred_at: datetime | None = None
    """When it happened, if not at the moment it is recorded."""


class _Form(msgspec.Struct, frozen=True, gc=False):
    """What events of a kind have in common: their text and its canonical form, in pieces."""

    body: tuple[bytes, bytes, bytes]
    """Before the profile, between it and the message id, after that."""
    canonical: tuple[bytes, bytes, bytes]
    """Before the message id, between it and the profile, after that."""


def read_own(events: Sequence[SystemEvent], said_at: str) -> list[Row]:
    """Check events and make them ready for the log; ``said_at`` is when those without a time were.

    Raises BadEvent.
    """
    rows: list[Row] = []
    forms: dict[tuple[str, int, datetime | None], _Form | None] = {}
    for index, event in enumerate(events):
        message_id = event.message_id
        # Those that share their properties; these live as long as the events do.
        kind = (event.name, id(event.properties), event.occurred_at)
        form = forms.get(kind)
        if form is None or not _fits(message_id):
            raw = _body(event, said_at)
            rows.append(read_row(index, SYSTEM_SOURCE_ID, raw))
            if kind not in forms:
                forms[kind] = _form_of(event, raw)
            continue
        number, said = b"%d" % event.profile_id, message_id.encode()
        before, between, after = form.canonical
        hashed = hash_of(b"".join((before, said, between, number, after)))
        before, between, after = form.body
        body = b"".join((before, number, between, said, after))
        digest = digest_of(message_id)
        rows.append(Row(index, SYSTEM_SOURCE_ID, "track", message_id, digest, hashed, None, body))
    # A number that could be a card's is looked at in each event for itself.
    for index, is_odd in enumerate(find_long_numbers([row.body for row in rows])):
        if is_odd:
            rows[index] = read_row(index, SYSTEM_SOURCE_ID, _body(events[index], said_at))
    return rows


def _fits(message_id: str) -> bool:
    """Say whether a message id is written in JSON as it stands."""
    return (
        0 < len(message_id) <= MAX_TEXT
        and message_id.isascii()
        and message_id.isprintable()
        and '"' not in message_id
        and "\\" not in message_id
    )


def _form_of(event: SystemEvent, raw: bytes) -> _Form | None:
    """Return what others share with an event that was read; None when that cannot be told."""
    if not _fits(event.message_id):
        return None
    canonical = check_event(raw, is_system=True).canonical
    if any(text.count(name) != 1 for text in (raw, canonical) for name in (_PROFILE, _MESSAGE)):
        return None
    number, said = b"%d" % event.profile_id, event.message_id.encode()
    return _Form(
        _cut(raw, (_PROFILE, number), (_MESSAGE, said)),
        _cut(canonical, (_MESSAGE, said), (_PROFILE, number)),
    )


def _cut(text: bytes, *values: tuple[bytes, bytes]) -> tuple[bytes, bytes, bytes]:
    """Return what is before, between and after two values, each with its name before it."""
    pieces: list[bytes] = []
    for name, value in values:
        before, _, rest = text.partition(name)
        pieces.append(before + name)
        text = rest[len(value) :]
    return (pieces[0], pieces[1], text)


def _body(event: SystemEvent, said_at: str) -> bytes:
    at = event.occurred_at
    return msgspec.json.encode(
        {
            "type": "track",
            "event": event.name,
            "profileId": event.profile_id,
            "properties": event.properties,
            "timestamp": said_at if at is None else format_instant(at),
            "messageId": event.message_id,
        }
    )
