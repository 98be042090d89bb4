"""Addresses nobody may be mailed at, as another system knew them: taken over with its events.

The event that says so holds everything (`Address Left`: the channel, the address, why, when), so
the log is the truth; the contact point is what stops a message from the moment the import's
transaction commits, also before the event is folded and for whoever else has this address.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid
from amity.store.contracts import Channel, Suppression
from amity.store.logic.intake.appending import find_known
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import read_row
from amity.store.logic.profiles.contact_points import contact_key, suppress_all

_SQL: Final = queries.load("amity.store")
LEFT: Final = "Address Left"
_MARK: Final = b'"Address Left"'
_SUPPRESSIONS: Final[dict[str, Suppression]] = {
    "bounced": "hard_bounce",
    "complained": "complaint",
    "blocked": "manual",
}


class _Said(msgspec.Struct):
    channel: Channel
    address: str
    reason: Literal["unsubscribed", "bounced", "complained", "blocked"]
    purposes: list[str] = []


class _Event(msgspec.Struct):
    event: str
    properties: _Said
    timestamp: datetime | None = None


_DECODE: Final = msgspec.json.Decoder(_Event).decode


def left(
    *,
    who: dict[str, Any],
    channel: Channel,
    address: str,
    reason: str,
    at: str | None,
    purposes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the event that says that an address is not to be written to (any more).

    ``reason``: `unsubscribed` from ``purposes``; `bounced`, `complained` and `blocked` from all.
    ``at`` is when, as far as the other system knew; None: as of the import.
    """
    properties: dict[str, Any] = {"channel": channel, "address": address, "reason": reason}
    if purposes:
        properties["purposes"] = list(purposes)
    event: dict[str, Any] = {"type": "track", "event": LEFT, **who, "properties": properties}
    return event | {"timestamp": at} if at else event


def keep_away(
    connection: Connection, source_id: int, events: Sequence[bytes], now: datetime
) -> None:
    """Have contact points refuse what events say was left, in the caller's transaction.

    Call it before the events are appended: those that are in already say nothing again, so that
    a suppression that was lifted since stays lifted. An objection only ever moves to a later time,
    and a yes that is later than it holds against it, so it may be said again and in any order.
    """
    for event in _fresh(connection, source_id, [raw for raw in events if _MARK in raw]):
        said = event.properties
        at = min(event.timestamp or now, now)
        try:
            key = contact_key(channel=said.channel, address=said.address)
        except Invalid:
            continue
        point = {"channel": said.channel, "key": key}
        if said.purposes:
            objections = Jsonb(dict.fromkeys(said.purposes, format_instant(at)))
            connection.execute(_SQL["object_contact_point"], point | {"objections": objections})
        if reason := _SUPPRESSIONS.get(said.reason):
            suppress_all(connection, [(said.channel, key)], reason, at)


def _fresh(connection: Connection, source_id: int, found: list[bytes]) -> list[_Event]:
    rows = []
    for index, raw in enumerate(found):
        try:
            rows.append((read_row(index, source_id, raw), _DECODE(raw)))
        except (BadEvent, msgspec.MsgspecError):
            continue
    known = find_known(connection, [row for row, _ in rows]) if rows else {}
    return [event for row, event in rows if row.key not in known and event.event == LEFT]
