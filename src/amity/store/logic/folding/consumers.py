"""Whose turn it is, and how far everybody is: the consumers of the log and of the activities.

A consumer claims its name for one transaction and moves its position in that same transaction,
so its effects and its progress are there together or not at all. The claim is an advisory lock
of the transaction: unlike a row lock it costs no write, so asking while idle is cheap.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.errors import Conflict
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity

_SQL = queries.load("amity.store")

PROFILES = "profiles"


class Stirred(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a stretch of activities is about, and up to where it reaches."""

    position: int
    events: int
    profile_ids: list[int]


class LogPlace(msgspec.Struct, frozen=True):
    """How far the profiles consumer has come in the log, and in numbering what it folded."""

    xid: str
    event_id: int
    position: int
    epoch: int
    failures: int


def claim_consumer(*, connection: Connection, name: str) -> int | None:
    """Take a consumer's turn until the transaction ends; return the position it has come to.

    None when another process has the turn, or while the profiles are being rebuilt and have
    not come back to where this consumer stands.
    """
    if not _row(connection.execute(_SQL["try_consumer"], [name]))[0]:
        return None
    row = connection.execute(_SQL["read_position"], [name]).fetchone()
    return row[0] if row else None


def advance_consumer(*, connection: Connection, name: str, position: int) -> None:
    """Say that everything up to ``position`` is handled, in the transaction of its effects.

    Raises Conflict when the consumer has gone further already: the caller had not claimed it.
    """
    done = connection.execute(_SQL["advance_consumer"], {"name": name, "position": position})
    if done.rowcount != 1:
        raise Conflict(f"the consumer {name} is elsewhere", code="consumer_moved")


def rewind_consumer(*, connection: Connection, name: str, position: int) -> None:
    """Have a consumer read again from a position on, if it has gone further.

    The caller keeps it from a turn until the transaction ends.
    """
    connection.execute(_SQL["rewind_consumer"], {"name": name, "position": position})


def try_profiles(connection: Connection) -> LogPlace | None:
    """Take the turn of the profiles consumer, or return None when another process has it."""
    if not _row(connection.execute(_SQL["try_consumer"], [PROFILES]))[0]:
        return None
    return LogPlace(*_row(connection.execute(_SQL["read_consumer"], [PROFILES])))


def stop_profiles(connection: Connection) -> LogPlace:
    """Wait for the profiles consumer's turn, and make what other processes remember void.

    Whoever changes the projections outside the fold starts with this.
    """
    connection.execute(_SQL["wait_consumer"], [PROFILES])
    connection.execute(_SQL["raise_epoch"])
    return LogPlace(*_row(connection.execute(_SQL["read_consumer"], [PROFILES])))


def raise_epoch(connection: Connection) -> None:
    """Make what other processes remember of the projections void."""
    connection.execute(_SQL["raise_epoch"])


def wait_consumer(connection: Connection, name: str) -> None:
    """Wait for a consumer's turn to end, and keep it from the next until the transaction ends."""
    connection.execute(_SQL["wait_consumer"], [name])


def read_activity(*, connection: Connection, after: int, limit: int) -> list[Activity]:
    """Return up to ``limit`` activities after a position, in the order they were folded.

    One fenced writer numbers them and commits in that order, so nothing can appear behind a
    reader.
    """
    rows = connection.execute(_SQL["read_activity"], [after, limit], binary=True).fetchall()
    return [activity(row) for row in rows]


def read_said(*, connection: Connection, after: int, limit: int) -> list[Activity]:
    """Return what `read_activity` does, for those who do not look at the context: it is empty."""
    rows = connection.execute(_SQL["read_said"], [after, limit], binary=True).fetchall()
    decode = msgspec.json.decode
    # Written out: it is done for every event there is.
    return [
        Activity(
            position=position,
            profile_id=profile_id,
            event_id=event_id,
            source_id=source_id,
            occurred_at=occurred_at,
            received_at=received_at,
            type=kind,
            name=name,
            properties=decode(properties),
            context={},
            origin_id=origin_id,
        )
        for (
            position,
            profile_id,
            event_id,
            source_id,
            occurred_at,
            received_at,
            kind,
            name,
            properties,
            origin_id,
        ) in rows
    ]


def read_stirred(
    *, connection: Connection, after: int, limit: int, names: Collection[str]
) -> Stirred:
    """Return whom the next ``limit`` activities are about, of those with one of ``names``.

    With them come all profiles that were joined or parted, the former ones too. One query, however
    many activities there are.
    """
    about = {"after": after, "limit": limit, "names": sorted(names), "system": SYSTEM_SOURCE_ID}
    last, events, profile_ids = _row(connection.execute(_SQL["read_stirred"], about))
    return Stirred(position=last or after, events=events, profile_ids=profile_ids)


def activity(row: tuple[Any, ...]) -> Activity:
    """Make an activity of a row of the queries that select its columns."""
    return Activity(
        position=row[0],
        profile_id=row[1],
        event_id=row[2],
        source_id=row[3],
        occurred_at=row[4],
        received_at=row[5],
        type=row[6],
        name=row[7],
        properties=row[8],
        context=row[9],
        origin_id=row[10],
    )


def _row(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
