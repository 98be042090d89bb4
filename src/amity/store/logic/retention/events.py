"""Emptying old events: in the log, in the activities made of them, and in the warehouse.

The log's rows stay, since everything is folded from them; see `emptying` for what they keep. Log
and activity change in one transaction, so a rebuild makes the same activities again. The days
concerned are noted in it: their files of the warehouse are written anew, and their partition.
"""

from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict
from amity.store.contracts import SourceKind
from amity.store.contracts_retention import (
    Narrowing,
    Removal,
    RetentionRule,
    RetentionSlice,
)
from amity.store.logic.erasure.cleaning import write_anew
from amity.store.logic.folding.consumer import read_kinds
from amity.store.logic.folding.fold import name_of, properties_of
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.retention.emptying import Emptying, empty_details, empty_network
from amity.store.logic.warehousing import events_export
from amity.store.sweep import Sweep

_SQL: Final = queries.load("amity.store")
_AT_ONCE: Final = 1_000
_MOST_COUNTED: Final = 20_000
_LOG: Final = "store_event_log"


class _Emptied(msgspec.Struct, frozen=True):
    """An event that loses something."""

    position: int
    event_id: int
    xid: str
    received_at: datetime
    body: bytes
    properties: bytes
    context: bytes
    saved: int


class _Piece(msgspec.Struct, frozen=True):
    """A stretch of the activities: what of it is emptied, and where it ended."""

    emptied: list[_Emptied]
    position: int
    is_last: bool


class EventSweep(Sweep):
    """Empties events whose day of receipt is too long ago."""

    narrowing: Narrowing = "events"
    keeps_cursor = True
    least_days = 14
    tables: tuple[str, ...] = (_LOG, "store_activity", "warehouse/**")

    def __init__(self, kind: str, *, days: int, words: tuple[str, str, str]) -> None:
        self.kind, self.days = kind, days
        self.title, self.does, self.reason = words
        self._empty = _WAYS[kind]

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count what would be emptied; of a long log only the beginning of what is left."""
        total, seen = Removal(), 0
        with transaction() as connection:
            row = connection.execute(_SQL["retention_cursor"], [rule.key]).fetchone()
        position = int(row[0] or 0) if row else 0
        while True:
            with transaction() as connection:
                piece = self._read(connection, rule, before, position)
            total = total.join(_sum(piece.emptied))
            seen, position = seen + _AT_ONCE, piece.position
            if piece.is_last or seen >= _MOST_COUNTED:
                return total, not piece.is_last

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Empty the next events in the order of the log."""
        with transaction() as connection:
            piece = self._read(connection, rule, before, int(cursor or 0))
            if piece.emptied:
                _write(connection, piece.emptied)
        return RetentionSlice(
            removed=_sum(piece.emptied), cursor=str(piece.position), is_last=piece.is_last
        )

    def follow_up(self, now: datetime) -> bool:
        """Write one day's files and partition anew; say whether there may be another."""
        with transaction() as connection:
            row = connection.execute(_SQL["retention_days"]).fetchone()
        if row is None:
            return False
        finish_day(row[0])
        return True

    def _read(
        self, connection: Connection, rule: RetentionRule, before: datetime, after: int
    ) -> _Piece:
        given = {"after": after, "limit": _AT_ONCE}
        rows = connection.execute(_SQL["retention_events"], given).fetchall()
        kinds = read_kinds(connection)
        young = next((n for n, row in enumerate(rows) if row[10] >= before), len(rows))
        emptied = [
            made
            for row in rows[:young]
            if not row[9] and kinds[row[4]] != "system"
            if (made := self._look(rule, row, kinds[row[4]])) is not None
        ]
        position = rows[young - 1][0] if young else after
        return _Piece(emptied, position, young < len(rows) or len(rows) < _AT_ONCE)

    def _look(self, rule: RetentionRule, row: tuple[Any, ...], kind: SourceKind) -> _Emptied | None:
        position, event_id, xid, received_at, source_id, type_, message_id, sent_at, body, *_ = row
        if rule.source_id is not None and source_id != rule.source_id:
            return None
        told = {"message_id": message_id, "sent_at": sent_at}
        event = decode_event(type_, body, **told)
        if rule.names and name_of(event) not in rule.names:
            return None
        made = self._empty(event, body)
        if made is None:
            return None
        after = decode_event(type_, made, **told)
        return _Emptied(
            position=position,
            event_id=event_id,
            xid=xid,
            received_at=received_at,
            body=made,
            properties=msgspec.json.encode(properties_of(after)),
            context=msgspec.json.encode(after.context),
            saved=max(len(body) - len(made), 0),
        )


_WAYS: Final[dict[str, Emptying]] = {
    "events.details": empty_details,
    "events.network": empty_network,
}


def finish_day(day: date) -> None:
    """Write the warehouse's files of a day of the log anew, and its partition, freeing space.

    Raises Unavailable when another writer of the warehouse does not come to an end.
    """
    from amity.infra.warehouse_rewriting import renew  # noqa: PLC0415  # pyarrow is heavy

    renew(events_export(), day, ("properties", "context"))
    # Where somebody is at it, or the day is gone, nothing is lost: the space is not given back.
    with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
        write_anew([f"{_LOG}_{day:%Y%m%d}"])
    with transaction() as connection:
        connection.execute(_SQL["retention_day_done"], [day])


def _write(connection: Connection, emptied: list[_Emptied]) -> None:
    found = connection.execute(
        _SQL["retention_empty_log"],
        {
            "received": [each.received_at for each in emptied],
            "xids": [each.xid for each in emptied],
            "ids": [each.event_id for each in emptied],
            "bodies": [each.body for each in emptied],
        },
    ).fetchone()
    if found is None or found[0] != len(emptied):
        raise Conflict("events of the log are younger than they should be")
    connection.execute(
        _SQL["retention_empty_activities"],
        {
            "positions": [each.position for each in emptied],
            "properties": [each.properties.decode() for each in emptied],
            "contexts": [each.context.decode() for each in emptied],
        },
    )
    days = sorted({each.received_at.date() for each in emptied})
    connection.execute(_SQL["retention_days_add"], [days])


def _sum(emptied: list[_Emptied]) -> Removal:
    moments = [each.received_at for each in emptied]
    return Removal(
        rows=len(emptied),
        size_bytes=sum(each.saved for each in emptied),
        tables={_LOG: len(emptied)} if emptied else {},
        oldest_at=min(moments, default=None),
        newest_at=max(moments, default=None),
    )
