"""Writing to the event log, for whoever is not the collector: importers, replay, Amity itself.

The rules are the collector's, and so is the code that decides: an event is new, a duplicate, or
put aside; nothing is acknowledged before the caller's transaction has committed.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid
from amity.store.contracts import SYSTEM_SOURCE_ID, Receipt, ReceivedEvent
from amity.store.logic.intake import own_events
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import (
    Key,
    Rejected,
    Row,
    Sorted,
    count_arguments,
    count_rest,
    key_arguments,
    make_receipt,
    pack_rows,
    quarantine_arguments,
    read_row,
    reject,
    sort_rows,
)
from amity.store.logic.plans.checking import PlanBook
from amity.store.logic.plans.rows import read_plan_book

_SQL: Final = queries.load("amity.store")
_ATTEMPTS: Final = 5
SystemEvent = own_events.SystemEvent
_CURSOR: Final = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


def write_sorted(connection: Connection, result: Sorted, received_at: datetime) -> None:
    """Write sorted rows in the caller's transaction.

    Raises psycopg's UniqueViolation when another writer claimed one of the message ids since.
    """
    if result.fresh:
        _copy(connection, pack_rows(result.fresh, received_at), received_at)
    if result.rejected:
        connection.execute(
            _SQL["quarantine_events"], quarantine_arguments(result.rejected, received_at)
        )
    counts = count_rest(result)
    if counts:
        connection.execute(_SQL["add_counts"], count_arguments(counts))


def _copy(connection: Connection, packed: bytes, received_at: datetime) -> None:
    connection.execute(_SQL["ensure_partition"], [received_at.astimezone(UTC).date()])
    with connection.cursor().copy(_SQL["copy_events"]) as copy:
        copy.write(packed)


def find_known(connection: Connection, rows: Sequence[Row]) -> dict[Key, int]:
    """Return the payload hashes of those rows' keys that are in the log already."""
    found = connection.execute(_SQL["find_keys"], key_arguments(rows))
    return {(source_id, key.bytes): payload for source_id, key, payload in found}


def store_rows(
    connection: Connection, rows: Sequence[Row], rejected: Sequence[Rejected], now: datetime
) -> Sorted:
    """Sort rows by what is in the log and write them, in the caller's transaction."""
    for attempt in range(_ATTEMPTS):
        # Looking first begins the transaction, so that the inner one is only a savepoint.
        result = sort_rows(rows, find_known(connection, rows))
        result.rejected.extend(rejected)
        try:
            with connection.transaction():
                write_sorted(connection, result, now)
            return result
        except psycopg.errors.UniqueViolation:
            # Another writer claimed one of the ids and has committed: look again.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def append_events(
    *, source_id: int, events: list[bytes], connection: Connection | None = None, now: datetime
) -> Receipt:
    """Store events that came another way than through the collector, each one JSON object.

    Duplicates are counted, what cannot be understood is quarantined. ``now`` becomes their time
    of receipt. With a ``connection`` they are stored when the caller's transaction commits.
    """
    if connection is None:
        with transaction() as own:
            return append_events(source_id=source_id, events=events, connection=own, now=now)
    rows, rejected = _read_rows(source_id, events, read_plan_book(connection, source_id))
    result = store_rows(connection, rows, rejected, now)
    return make_receipt(len(result.fresh), len(result.duplicates), result.rejected)


def weigh_events(
    *, source_id: int, events: list[bytes], connection: Connection, now: datetime
) -> Receipt:
    """Say what would become of events if they were appended now; nothing is stored."""
    rows, rejected = _read_rows(source_id, events, read_plan_book(connection, source_id))
    result = sort_rows(rows, find_known(connection, rows))
    return make_receipt(len(result.fresh), len(result.duplicates), [*result.rejected, *rejected])


def _read_rows(
    source_id: int, events: list[bytes], plans: PlanBook
) -> tuple[list[Row], list[Rejected]]:
    rows: list[Row] = []
    rejected: list[Rejected] = []
    for index, raw in enumerate(events):
        try:
            rows.append(plans.keep(read_row(index, source_id, raw)))
        except BadEvent as fault:
            rejected.append(reject(index, source_id, raw, fault))
    return rows, rejected


class Ready(msgspec.Struct, frozen=True):
    """Events of Amity's own, read and packed: what is left is to write them."""

    count: int
    """How many there were, before each message id was kept once."""
    rows: list[Row]
    packed: bytes
    at: datetime


def ready_events(*, events: Sequence[SystemEvent], now: datetime) -> Ready:
    """Make events ready for `record_ready`; nothing is asked of the database."""
    once = {row.digest: row for row in own_events.read_own(events, format_instant(now))}
    rows = list(once.values())
    return Ready(len(events), rows, pack_rows(rows, now), now)


def record_ready(*, connection: Connection, ready: Ready) -> None:
    """Record events that are thought to be new, in the caller's transaction.

    They are looked for only if one is known: then it is left out.
    """
    if not ready.rows:
        return
    try:
        with connection.transaction():
            _copy(connection, ready.packed, ready.at)
    except psycopg.errors.UniqueViolation:
        _write_unknown(connection, ready.rows, ready.at)


def record_events(*, connection: Connection, events: Sequence[SystemEvent], now: datetime) -> None:
    """Record events of Amity's own in the caller's transaction; a known message id is left out."""
    _write_unknown(connection, own_events.read_own(events, format_instant(now)), now)


def _write_unknown(connection: Connection, rows: Sequence[Row], now: datetime) -> None:
    known = find_known(connection, rows)
    fresh = {row.digest: row for row in rows if row.key not in known}
    write_sorted(connection, Sorted(list(fresh.values()), [], []), now)


def record_event(
    *,
    connection: Connection,
    profile_id: int,
    name: str,
    properties: dict[str, Any],
    message_id: str,
    now: datetime,
) -> None:
    """Record an event of Amity's own about a profile, in the caller's transaction.

    Idempotent: the first event with a message id stands.
    """
    event = SystemEvent(
        profile_id=profile_id, name=name, properties=properties, message_id=message_id
    )
    record_events(connection=connection, events=[event], now=now)


def list_received(
    *, source_id: int | None = None, after: str | None = None, limit: int = 50
) -> list[ReceivedEvent]:
    """Return events as they came in, of the last two days.

    Without ``after`` the newest first; with the cursor of an event those that came after it,
    the oldest first. Whoever follows the newest event's cursor misses none; while other
    transactions are running an event may come twice, with the same ``event_id``.
    """
    arguments: dict[str, Any] = {"source_id": source_id, "limit": limit}
    name = "newest_events"
    if after is not None:
        name = "events_after"
        arguments["xid"], arguments["event_id"] = _read_cursor(after)
    with transaction() as connection:
        return [_received(row) for row in connection.execute(_SQL[name], arguments)]


def _read_cursor(cursor: str) -> tuple[str, int]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Invalid("this cursor does not belong to this list", code="bad_cursor")
    return found[1], int(found[2])


def _received(row: tuple[Any, ...]) -> ReceivedEvent:
    event_id, cursor, received_at, source_id, source_name, kind, message_id, body = row
    try:
        name = decode_event(kind, body, is_system=source_id == SYSTEM_SOURCE_ID).name
    except BadEvent:
        name = ""
    return ReceivedEvent(
        event_id=event_id,
        cursor=cursor,
        received_at=received_at,
        source_id=source_id,
        source_name=source_name,
        type=kind,
        name=name,
        message_id=message_id,
        body=body,
    )
