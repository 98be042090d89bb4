"""The profiles consumer: from the log to profiles, identifiers, merges and activities.

It reads the log by (transaction, event id) below the oldest transaction still running, so an
event that commits late is waited for and never skipped (rule D12), and it moves its place in
the transaction of its effects, so each event takes effect once, whatever dies.
"""

import logging
from collections import Counter
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from amity.infra import queries
from amity.infra.database import Connection, database_name, transaction
from amity.infra.process import no_collection
from amity.kernel.errors import Unavailable
from amity.store.contracts import SYSTEM_SOURCE_ID, FoldResult, SourceKind
from amity.store.logic.folding.batch import Batch, Entry, LogRow, decode_entry
from amity.store.logic.folding.consumers import PROFILES, LogPlace, try_profiles
from amity.store.logic.folding.memory import Memory
from amity.store.logic.folding.refold import Cause, reconsider
from amity.store.logic.folding.undo import BY_HAND, take_apart
from amity.store.logic.folding.write import write_batch
from amity.store.logic.intake.rows import Rejected, quarantine_arguments

_SQL: Final = queries.load("amity.store")
_TRIES: Final = 3
_log = logging.getLogger("amity.store.folding")
_memory = Memory()
# SQLSTATE classes that speak of the data: bad value, broken constraint, value too large.
_OF_THE_EVENT: Final = ("22", "23", "54")


def fold_batch(*, limit: int = 2000) -> FoldResult:
    """Fold up to ``limit`` events of the log, in one transaction; say how many.

    0 when there is nothing to do or another process has the turn. An error of the database
    comes up to the caller, to be tried again. So does an error of an event, but at the third
    try the event that raises it is found and moved into quarantine.
    """
    try:
        return _turn(limit)
    except Exception as error:
        _memory.clear()
        if not is_of_the_event(error) or _count_failure() < _TRIES:
            raise
        return _isolate(limit)


def is_of_the_event(error: Exception) -> bool:
    """Say whether an event's content may be to blame, and not the database or the machine."""
    if isinstance(error, Unavailable | PoolTimeout | MemoryError | OSError):
        return False
    if isinstance(error, psycopg.Error):
        return (error.sqlstate or "").startswith(_OF_THE_EVENT)
    return True


def _turn(limit: int) -> FoldResult:
    with no_collection(), transaction() as connection:
        if not _is_behind(connection):
            return FoldResult(events=0)
        place = try_profiles(connection)
        if place is None:
            return FoldResult(events=0)
        _memory.enter(database_name(), place.epoch)
        rows = _read_log(connection, place, limit)
        if not rows:
            return FoldResult(events=0)
        kinds = read_kinds(connection)
        entries = _until_undo([decode_entry(row, kinds[row.source_id]) for row in rows])
        if _is_undo(entries[0]):
            batch = take_apart(connection, entries[0], kinds, position=place.position)
            _memory.clear()
        else:
            batch, entries = _fold(connection, entries, place)
        merges, position = len(batch.losers), batch.position
        if batch.stirred:
            cause = Cause(entries[-1], kinds, {"reason": "evidence"})
            anew = reconsider(connection, batch.stirred, cause, position=position)
            if anew is not None:
                _memory.clear()
                batch, position = anew, anew.position
        _move(connection, place, entries[-1].row, position)
    _memory.keep(
        batch.states,
        batch.graph.owners,
        batch.evidence.known,
        database=database_name(),
        epoch=place.epoch + 1,
    )
    return FoldResult(events=len(entries), merges=merges)


def _is_behind(connection: Connection) -> bool:
    row = connection.execute(_SQL["has_unread"]).fetchone()
    return row is not None and row[0]


def _fold(
    connection: Connection, entries: list[Entry], place: LogPlace
) -> tuple[Batch, list[Entry]]:
    """Fold entries up to the first after which all evidence around it has to be weighed anew."""
    batch = Batch(connection, _memory, position=place.position)
    batch.load(entries)
    for number, entry in enumerate(entries, 1):
        batch.apply(entry)
        if batch.stirred:
            entries = entries[:number]
            break
    write_batch(batch)
    if batch.aside:
        rows = [entry.row for entry in batch.aside]
        _put_aside(connection, rows, "no_identity", "all its identifiers are placeholders")
    return batch, entries


def _read_log(connection: Connection, place: LogPlace, limit: int) -> list[LogRow]:
    found = connection.execute(_SQL["read_log"], [place.xid, place.event_id, limit], binary=True)
    return [LogRow(*row) for row in found]


def read_kinds(connection: Connection) -> dict[int, SourceKind]:
    """Return the kind of each source."""
    return dict(connection.execute(_SQL["read_source_kinds"]).fetchall())


def _until_undo(entries: list[Entry]) -> list[Entry]:
    """Cut a batch before what takes customers apart, which is a turn of its own."""
    for index, entry in enumerate(entries):
        if _is_undo(entry):
            return entries[: max(index, 1)]
    return entries


def _is_undo(entry: Entry) -> bool:
    return entry.row.source_id == SYSTEM_SOURCE_ID and entry.event.name in BY_HAND


def _move(connection: Connection, place: LogPlace, last: LogRow, position: int) -> None:
    moved = connection.execute(
        _SQL["move_profiles"],
        {
            "xid": last.xid,
            "event_id": last.event_id,
            "position": position,
            "epoch": place.epoch,
        },
    )
    if moved.rowcount != 1:
        raise Unavailable("another process has taken the turn of the profiles consumer")


def _count_failure() -> int:
    with transaction() as connection:
        row = connection.execute(_SQL["count_failure"], [PROFILES]).fetchone()
    assert row is not None
    failures: int = row[0]
    return failures


def _isolate(limit: int) -> FoldResult:
    """Find the event that cannot be folded by halving, and put it into quarantine."""
    window, done = limit, 0
    while window > 1:
        half = window // 2
        try:
            done += _turn(half).events
            window -= half
        except Exception as error:
            _memory.clear()
            if not is_of_the_event(error):
                raise
            window = half
    try:
        return FoldResult(events=done + _turn(1).events)
    except Exception as error:
        _memory.clear()
        if not is_of_the_event(error):
            raise
        return FoldResult(events=done + _pass_over(error))


def _pass_over(error: Exception) -> int:
    with transaction() as connection:
        place = try_profiles(connection)
        rows = _read_log(connection, place, 1) if place else []
        if place is None or not rows:
            return 0
        # The kind of the error, not its text: that may quote the customer's data into a log.
        kind = type(error).__name__
        _put_aside(connection, rows, "fold_error", kind)
        _move(connection, place, rows[0], place.position)
    _log.error("event %s cannot be folded (%s) and is in quarantine", rows[0].event_id, kind)
    return 1


def _put_aside(connection: Connection, rows: list[LogRow], reason: str, detail: str) -> None:
    """Move events from the log to quarantine, with their counts, so that they can be replayed.

    They leave the log because they are no part of what the projections are made of: a replay
    puts them back as new events, and a rebuild does not meet them at their old place.
    """
    gone = connection.execute(
        _SQL["erase_log"], [[row.xid for row in rows], [row.event_id for row in rows]]
    ).fetchall()
    connection.execute(_SQL["erase_keys"], [[row[0] for row in gone], [row[1] for row in gone]])
    rejected = [
        Rejected(0, row.source_id, row.type, row.message_id, row.sent_at, reason, detail, row.body)
        for row in rows
    ]
    now = connection.execute(_SQL["database_time"]).fetchone()
    assert now is not None
    connection.execute(_SQL["quarantine_events"], quarantine_arguments(rejected, now[0]))
    counts = Counter(row.source_id for row in rows)
    connection.execute(_SQL["count_put_aside"], [list(counts), list(counts.values())])
