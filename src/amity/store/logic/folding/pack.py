"""Rows of the projections in the format of PostgreSQL's binary COPY (its manual, COPY)."""

import struct
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

import msgspec

from amity.store.logic.folding.fold import State, names_of
from amity.store.logic.identity.rules import Key
from amity.store.logic.profiles.survivorship import NO_WORDS

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = struct.pack("!h", -1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = _EPOCH.date().toordinal()
_DAY_SECONDS: Final = 86_400
_MICROS: Final = 1_000_000
_LENGTH: Final = struct.Struct("!i").pack
_BIG: Final = struct.Struct("!iq").pack
_TWO_BIG: Final = struct.Struct("!iqiq").pack
_THREE_BIG: Final = struct.Struct("!iqiqiq").pack
_LAST: Final = struct.Struct("!iiiqiiiii?i?").pack
_NULL: Final = _LENGTH(-1)
# The number of columns, then each number behind the length of its eight or four bytes.
_ACTIVITY: Final = struct.Struct("!hiqiqiqiqiqiiiqiq").pack
_PROFILE_ID: Final = struct.Struct("!hiq").pack
_IDENTIFIER: Final = struct.Struct("!iqiqiiiqiqi?").pack
_EDGE: Final = struct.Struct("!hi16s").pack
_EDGE_TIMES: Final = struct.Struct("!i?iiiqiiiq").pack
_COLUMNS: Final = struct.Struct("!h").pack
_JSONB_VERSION: Final = b"\1"
_EMPTY_OBJECT: Final = _LENGTH(3) + _JSONB_VERSION + b"{}"
_EMPTY_LIST: Final = _LENGTH(3) + _JSONB_VERSION + b"[]"
_encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode


class ActivityRow(msgspec.Struct, frozen=True, gc=False):
    """One row of the activities; ``profile_id`` is still to be followed through merges."""

    position: int
    profile_id: int
    origin_id: int
    event_id: int
    xid: int
    source_id: int
    occurred_at: datetime
    received_at: datetime
    type: str
    name: str
    properties: dict[str, Any]
    context: dict[str, Any]


class IdentifierRow(msgspec.Struct, frozen=True, gc=False):
    """One new identifier."""

    key: Key
    profile_id: int
    origin_id: int
    source_id: int
    event_id: int
    first_seen_at: datetime
    is_stated: bool = False


class EdgeRow(msgspec.Struct, frozen=True, gc=False):
    """One row of the evidence."""

    edge_key: str
    hub_kind: str
    hub_value: str
    kind: str
    value: str
    origin_id: int
    event_id: int
    way: str
    is_proof: bool
    source_id: int
    first_seen_at: datetime
    last_seen_on: date
    recorded_at: datetime
    cut: str


def _micros(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * _DAY_SECONDS + since.seconds) * _MICROS + since.microseconds


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    raw = value.encode()
    return _LENGTH(len(raw)) + raw


@cache
def _word(value: str) -> bytes:
    """Pack one of a few words that come again in every row."""
    return _text(value)


def _json(value: Any) -> bytes:
    if not value:
        return _EMPTY_LIST if isinstance(value, tuple) else _EMPTY_OBJECT
    raw = _encode(value)
    return _LENGTH(len(raw) + 1) + _JSONB_VERSION + raw


def _big(value: int | None) -> bytes:
    return _NULL if value is None else _BIG(8, value)


def _time(value: datetime | None) -> bytes:
    return _NULL if value is None else _BIG(8, _micros(value))


def pack_activities(rows: Iterable[ActivityRow], roots: Callable[[int], int]) -> bytes:
    """Pack activities; ``roots`` says which profile lives on."""
    parts = [HEADER]
    for row in rows:
        raw_type, raw_name = row.type.encode(), row.name.encode()
        properties, context = _encode(row.properties), _encode(row.context)
        parts += (
            _ACTIVITY(
                12,
                *(8, row.position, 8, roots(row.profile_id), 8, row.origin_id, 8, row.event_id),
                *(8, row.xid, 4, row.source_id),
                *(8, _micros(row.occurred_at), 8, _micros(row.received_at)),
            ),
            _LENGTH(len(raw_type)),
            raw_type,
            _LENGTH(len(raw_name)),
            raw_name,
            _LENGTH(len(properties) + 1),
            _JSONB_VERSION,
            properties,
            _LENGTH(len(context) + 1),
            _JSONB_VERSION,
            context,
        )
    parts.append(TRAILER)
    return b"".join(parts)


def pack_profiles(states: Iterable[State]) -> bytes:
    """Pack profiles, in the columns' order of the query `copy_profiles`."""
    parts = [HEADER]
    for state in states:
        names, orders = names_of(state.traits), state.orders
        parts += (
            _PROFILE_ID(25, 8, state.profile_id),
            _big(state.merged_into),
            _text(state.user_id),
            _text(names.name),
            _text(names.email),
            _text(names.phone),
            _json(state.traits),
            _json(state.origins),
            _EMPTY_OBJECT if state.words is NO_WORDS else _json(state.words),
            _json(state.consents),
            _THREE_BIG(
                *(8, _micros(state.first_seen_at), 8, _micros(state.last_seen_at)),
                *(8, state.event_count),
            ),
            _json(state.event_counts),
            _TWO_BIG(8, orders.order_count, 8, orders.revenue_minor),
            _time(orders.first_order_at),
            _time(orders.last_order_at),
            _json(orders.last_orders),
            _LAST(
                *(4, state.identifier_count, 8, state.version),
                *(4, state.email_count, 4, state.phone_count),
                *(1, state.is_known, 1, state.is_contested),
            ),
        )
    parts.append(TRAILER)
    return b"".join(parts)


def pack_identifiers(rows: Iterable[IdentifierRow], roots: Callable[[int], int]) -> bytes:
    """Pack new identifiers; ``roots`` says which profile lives on."""
    parts = [HEADER]
    for row in rows:
        parts += (
            _COLUMNS(8),
            _word(row.key.kind),
            _text(row.key.value),
            _IDENTIFIER(
                *(8, roots(row.profile_id), 8, row.origin_id, 4, row.source_id),
                *(8, row.event_id, 8, _micros(row.first_seen_at), 1, row.is_stated),
            ),
        )
    parts.append(TRAILER)
    return b"".join(parts)


def pack_edges(rows: Iterable[EdgeRow]) -> bytes:
    """Pack evidence, in the columns' order of the query `copy_edges`."""
    parts = [HEADER]
    for row in rows:
        parts += (
            _EDGE(14, 16, bytes.fromhex(row.edge_key)),
            _word(row.hub_kind),
            _text(row.hub_value),
            _word(row.kind),
            _text(row.value),
            _TWO_BIG(8, row.origin_id, 8, row.event_id),
            _word(row.way),
            _EDGE_TIMES(
                *(1, row.is_proof, 4, row.source_id, 8, _micros(row.first_seen_at)),
                *(4, row.last_seen_on.toordinal() - _FIRST_DAY, 8, _micros(row.recorded_at)),
            ),
            _word(row.cut),
        )
    parts.append(TRAILER)
    return b"".join(parts)
