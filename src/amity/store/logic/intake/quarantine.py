"""The quarantine: events that could not be understood, kept as they came until they can be."""

import json
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts import EventError, QuarantinedEvent, Receipt
from amity.store.contracts_tracking import QuarantineFilter
from amity.store.logic.intake.appending import append_events, find_known, write_sorted
from amity.store.logic.intake.calls import CALL, read_call
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.rows import Counts, Sorted, count_arguments, read_row, sort_rows
from amity.store.logic.intake.wire import BATCH, split_request
from amity.store.logic.plans.rows import read_plan_book

_SQL: Final = queries.load("amity.store")
_REPLAY_BATCH: Final = 500
_ANY: Final = QuarantineFilter()


def list_quarantine(
    *,
    source_id: int | None = None,
    reason: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    open_only: bool = True,
    narrow: QuarantineFilter = _ANY,
) -> Page[QuarantinedEvent]:
    """Return what was put aside, the newest first; with ``open_only`` what still is."""
    before = decode_cursor(cursor, (int,))[0] if cursor else None
    arguments = _asked(source_id, reason, narrow) | {
        "before": before,
        "open_only": open_only,
        "limit": limit + 1,
    }
    with transaction() as connection:
        rows = connection.execute(_SQL["list_quarantine"], arguments).fetchall()
    items = [_quarantined(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, encode_cursor([items[-1].quarantine_id]) if more else None)


def count_matching_quarantine(
    *, source_id: int | None = None, reason: str | None = None, narrow: QuarantineFilter = _ANY
) -> int:
    """Count what is put aside and matches."""
    with transaction() as connection:
        asked = _asked(source_id, reason, narrow)
        row = connection.execute(_SQL["count_matching_quarantine"], asked).fetchone()
    return row[0] if row else 0


def _asked(source_id: int | None, reason: str | None, narrow: QuarantineFilter) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "reason": reason,
        "since": narrow.since,
        "until": narrow.until,
        "text": narrow.text.encode(errors="replace") or None,
        "events": _spellings(narrow.event) if narrow.event else None,
    }


def _spellings(name: str) -> list[bytes]:
    """Return a name as it may stand in JSON: what cannot be decoded can still be searched."""
    plain, escaped = (json.dumps(name, ensure_ascii=ascii_) for ascii_ in (False, True))
    return [plain.encode(errors="replace"), escaped.encode()]


def discard_quarantine(*, quarantine_ids: list[int], by: str, now: datetime) -> int:
    """Throw away the bytes of what was put aside, for good; return how many there were.

    That they were received stays counted, and who threw them away is listed for a month.
    """
    asked = {"ids": quarantine_ids, "outcome": f"thrown away by {by}", "now": now}
    with transaction() as connection:
        return connection.execute(_SQL["discard_quarantine"], asked).rowcount


def follow_quarantine(
    *, source_id: int, since: datetime, after: int | None = None, limit: int = 50
) -> list[QuarantinedEvent]:
    """Return what a source sent that was put aside, the newest first, handled or not."""
    asked = {"source_id": source_id, "since": since, "after": after, "limit": limit}
    with transaction() as connection:
        rows = connection.execute(_SQL["find_quarantined"], asked).fetchall()
    return [_quarantined(row) for row in rows]


def _quarantined(row: tuple[Any, ...]) -> QuarantinedEvent:
    return QuarantinedEvent(**dict(zip(QuarantinedEvent.__struct_fields__, row, strict=True)))


def count_quarantine() -> dict[str, int]:
    """Count what is put aside by reason, the most frequent first."""
    with transaction() as connection:
        return dict(connection.execute(_SQL["count_quarantine"]).fetchall())


class _Taken(msgspec.Struct, frozen=True):
    """One event in quarantine, locked until this transaction ends."""

    quarantine_id: int
    source_id: int
    type: str
    message_id: str
    sent_at: datetime | None
    raw: bytes
    seen: int


def replay_quarantine(*, quarantine_ids: list[int] | None) -> Receipt:
    """Try events in quarantine again, all that are open when no ids are given.

    What is understood now goes into the log and is closed; what is not stays, with its newest
    reason. Each is stored once, whoever else replays at the same time. The ``index`` of an error
    is the place among those tried.
    """
    accepted = duplicate = tried = after = 0
    errors: list[EventError] = []
    while True:
        with transaction() as connection:
            arguments = {"after": after, "ids": quarantine_ids, "limit": _REPLAY_BATCH}
            rows = connection.execute(_SQL["lock_quarantine"], arguments).fetchall()
            for item in (_Taken(*row) for row in rows):
                after = item.quarantine_id
                try:
                    receipt = _replay(connection, item)
                except BadEvent as fault:
                    _note(connection, item, fault)
                    errors.append(_error(tried, item, fault))
                else:
                    accepted += receipt.accepted
                    duplicate += receipt.duplicate
                tried += 1
        if len(rows) < _REPLAY_BATCH:
            return Receipt(
                accepted=accepted, duplicate=duplicate, quarantined=len(errors), errors=errors
            )


def _error(index: int, item: _Taken, fault: BadEvent) -> EventError:
    return EventError(
        index=index, message_id=item.message_id, code=fault.reason, message=fault.message
    )


def _note(connection: Connection, item: _Taken, fault: BadEvent) -> None:
    connection.execute(
        _SQL["note_quarantine"], [fault.reason, fault.message[:500], item.quarantine_id]
    )


def _replay(connection: Connection, item: _Taken) -> Receipt:
    """Store one event, or the events of a whole request, and close its entry; or raise BadEvent."""
    row = connection.execute(_SQL["database_time"]).fetchone()
    assert row is not None
    if item.type in {BATCH, CALL}:
        is_call = item.type == CALL
        events = read_call(item.raw) if is_call else split_request(item.raw, BATCH).events
        receipt = append_events(
            source_id=item.source_id, events=events, connection=connection, now=row[0]
        )
        _close(connection, item, "split", Counts(quarantined=-item.seen))
        return receipt
    stored = _store(connection, item, row[0])
    outcome = "stored" if stored else "duplicate"
    # All its appearances were counted as quarantined: one is stored now, the others repeated it.
    moved = Counts(duplicate=item.seen - stored, quarantined=-item.seen)
    _close(connection, item, outcome, moved)
    return Receipt(accepted=int(stored), duplicate=int(not stored), quarantined=0)


def _store(connection: Connection, item: _Taken, now: datetime) -> bool:
    """Return True when the event went into the log, False when it was there already."""
    event = read_row(
        0,
        item.source_id,
        item.raw,
        kind=item.type,
        message_id=f"quarantine-{item.quarantine_id}",
        sent_at=item.sent_at,
    )
    event = read_plan_book(connection, item.source_id).keep(event)
    while True:
        try:
            with connection.transaction():
                result = sort_rows([event], find_known(connection, [event]))
                if result.rejected:
                    refused = result.rejected[0]
                    raise BadEvent(refused.reason, refused.detail)
                write_sorted(connection, Sorted(result.fresh, [], []), now)
                return bool(result.fresh)
        except psycopg.errors.UniqueViolation:
            continue  # claimed and committed by another writer since we looked


def _close(connection: Connection, item: _Taken, outcome: str, moved: Counts) -> None:
    connection.execute(_SQL["close_quarantine"], [outcome, item.quarantine_id])
    connection.execute(_SQL["add_counts"], count_arguments({item.source_id: moved}))
