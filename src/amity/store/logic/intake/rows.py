"""Events on their way into the log: made ready, told apart, packed. Pure.

The collector and the synchronous writers share this, so one rule decides for both whether an
event is new, a duplicate, or put aside.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import msgspec

from amity.store.contracts import SYSTEM_SOURCE_ID, EventError, Receipt
from amity.store.logic.intake.cards import cut_cards, cut_event
from amity.store.logic.intake.decoding import CheckedEvent, check_event
from amity.store.logic.intake.parsing import BadEvent

Key = tuple[int, bytes]
"""A source and the digest of a message id: what makes an event the same event."""


class Known(Protocol):
    """Where the payload hash of a key that is in the log can be looked up."""

    def get(self, key: Key, /) -> int | None:
        """Return the hash, or None for a key that is not known."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One understood event on its way into the log; ``index`` is its place in its batch."""

    index: int
    source_id: int
    type: str
    message_id: str
    digest: bytes
    payload_hash: int
    sent_at: datetime | None
    body: bytes

    @property
    def key(self) -> Key:
        """Return what duplicates are found by."""
        return (self.source_id, self.digest)


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """One event on its way into quarantine."""

    index: int
    source_id: int
    type: str
    message_id: str
    sent_at: datetime | None
    reason: str
    detail: str
    raw: bytes

    @property
    def content_hash(self) -> bytes:
        """Return what tells that the same thing was put aside before."""
        return hashlib.blake2b(self.raw, digest_size=16, person=self.type[:16].encode()).digest()


class Sorted(msgspec.Struct, gc=False):
    """Rows by what becomes of them."""

    fresh: list[Row]
    duplicates: list[Row]
    rejected: list[Rejected]


# A copy of a beginning is cheaper than a beginning.
_begin_key: Final = hashlib.blake2b(digest_size=16).copy
_begin_payload: Final = hashlib.blake2b(digest_size=8).copy
_signed: Final = struct.Struct("!q").unpack


def digest_of(message_id: str) -> bytes:
    """Return the sixteen bytes a message id is known by."""
    digest = _begin_key()
    digest.update(message_id.encode())
    return digest.digest()


def hash_of(canonical: bytes) -> int:
    """Return the number that tells whether two events of one message id say the same."""
    digest = _begin_payload()
    digest.update(canonical)
    number: int = _signed(digest.digest())[0]
    return number


def read_row(
    index: int,
    source_id: int,
    raw: bytes,
    *,
    kind: str = "",
    message_id: str = "",
    sent_at: datetime | None = None,
) -> Row:
    """Check an event and make it ready for the log.

    ``message_id`` and ``sent_at`` stand in where the event has none; without any a random id is
    given. Raises BadEvent.
    """
    raw = cut_event(raw)
    checked = check_event(raw, kind=kind, is_system=source_id == SYSTEM_SOURCE_ID)
    if message_id and not checked.message_id:
        checked = msgspec.structs.replace(checked, message_id=message_id)
    return make_row(index, source_id, raw, checked, sent_at)


def make_row(
    index: int, source_id: int, raw: bytes, checked: CheckedEvent, sent_at: datetime | None
) -> Row:
    """Make a checked event ready for the log; without a message id it is given a random one."""
    message_id = checked.message_id or str(uuid4())
    return Row(
        index,
        source_id,
        checked.type,
        message_id,
        digest_of(message_id),
        hash_of(checked.canonical),
        checked.sent_at or sent_at,
        raw,
    )


_HAS_ID: Final = msgspec.json.Decoder(dict[str, Any])


def reject(
    index: int,
    source_id: int,
    raw: bytes,
    fault: BadEvent,
    *,
    kind: str = "",
    sent_at: datetime | None = None,
) -> Rejected:
    """Make an event that cannot be understood ready for quarantine, with the id it may have.

    Card numbers are cut from it.
    """
    raw, _ = cut_cards(raw)
    try:
        found = _HAS_ID.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = {}
    return Rejected(
        index,
        source_id,
        kind or _label(found.get("type")),
        _label(found.get("messageId")),
        sent_at,
        fault.reason,
        fault.message,
        raw,
    )


def _label(value: object) -> str:
    return value.replace("\0", "\ufffd")[:100] if isinstance(value, str) else ""


def conflict(row: Row) -> Rejected:
    """Put aside an event whose message id was used before with another content."""
    return Rejected(
        row.index,
        row.source_id,
        row.type,
        row.message_id[:100],
        row.sent_at,
        "id_conflict",
        "the messageId was used before with another content",
        row.body,
    )


def sort_rows(rows: Iterable[Row], known: Known, here: dict[Key, int] | None = None) -> Sorted:
    """Tell new rows from repeated ones and from those that reuse an id for something else.

    ``known`` are the payload hashes of keys that are in the log already. The rows themselves are
    compared too; those of several batches that are written together share ``here``.
    """
    result = Sorted([], [], [])
    here = {} if here is None else here
    for row in rows:
        key = (row.source_id, row.digest)
        before = known.get(key)
        if before is None:
            before = here.get(key)
        if before is None:
            here[key] = row.payload_hash
            result.fresh.append(row)
        elif before == row.payload_hash:
            result.duplicates.append(row)
        else:
            result.rejected.append(conflict(row))
    return result


_POSTGRES_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = struct.pack("!h", -1)
_START: Final = struct.Struct("!hiqiii").pack
_LENGTH: Final = struct.Struct("!i").pack
_END_WITHOUT_TIME: Final = struct.Struct("!i16siqii").pack
_END: Final = struct.Struct("!i16siqiqi").pack


def _micros(moment: datetime) -> int:
    since = moment - _POSTGRES_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def pack_rows(rows: Sequence[Row], received_at: datetime) -> bytes:
    """Return rows in the format of PostgreSQL's binary COPY (its manual, COPY, File Formats)."""
    received = _micros(received_at)
    starts: dict[tuple[int, str, int], bytes] = {}
    parts = [_HEADER]
    for row in rows:
        message_id, body, sent_at = row.message_id.encode(), row.body, row.sent_at
        before = (row.source_id, row.type, len(message_id))
        start = starts.get(before)
        if start is None:
            kind = row.type.encode()
            start = _START(8, 8, received, 4, row.source_id, len(kind)) + kind + _LENGTH(before[2])
            starts[before] = start
        if sent_at is None:
            end = _END_WITHOUT_TIME(16, row.digest, 8, row.payload_hash, -1, len(body))
        else:
            end = _END(16, row.digest, 8, row.payload_hash, 8, _micros(sent_at), len(body))
        parts += (start, message_id, end, body)
    parts.append(_TRAILER)
    return b"".join(parts)


def quarantine_arguments(rejected: Sequence[Rejected], received_at: datetime) -> list[Any]:
    """Return the arguments of the query `quarantine_events`: each content once, with its count."""
    once: dict[Key, list[Any]] = {}
    for item in rejected:
        key = (item.source_id, item.content_hash)
        if key in once:
            once[key][-1] += 1
            continue
        text = (item.type, item.message_id, item.sent_at, item.reason, item.detail[:500])
        once[key] = [item.source_id, *text, item.raw, key[1], 1]
    return [received_at, *map(list, zip(*once.values(), strict=True))]


class Counts(msgspec.Struct, gc=False):
    """Of one source: what came besides the events that were stored."""

    duplicate: int = 0
    quarantined: int = 0
    refused: int = 0


def count_rest(result: Sorted) -> dict[int, Counts]:
    """Count duplicates and rejected events by source."""
    counts: dict[int, Counts] = {}
    for row in result.duplicates:
        counts.setdefault(row.source_id, Counts()).duplicate += 1
    for item in result.rejected:
        counts.setdefault(item.source_id, Counts()).quarantined += 1
    return counts


def count_arguments(counts: Mapping[int, Counts]) -> list[Any]:
    """Return the arguments of the query `add_counts`."""
    return [
        list(counts),
        [each.duplicate for each in counts.values()],
        [each.quarantined for each in counts.values()],
        [each.refused for each in counts.values()],
    ]


def key_arguments(rows: Sequence[Row]) -> list[Any]:
    """Return the arguments of the query `find_keys`."""
    return [[row.source_id for row in rows], [UUID(bytes=row.digest) for row in rows]]


def make_receipt(fresh: int, duplicate: int, rejected: Sequence[Rejected]) -> Receipt:
    """Say what became of a batch, its errors in the order of its events."""
    return Receipt(
        accepted=fresh,
        duplicate=duplicate,
        quarantined=len(rejected),
        errors=[
            EventError(
                index=item.index,
                message_id=item.message_id,
                code=item.reason,
                message=item.detail,
            )
            for item in sorted(rejected, key=lambda item: item.index)
        ],
    )
