"""Turns of the followers: each reads on from its own position, in a transaction of its own."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg import sql

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.follower import Follower, followers
from amity.store.logic.folding.batch import UNMERGED
from amity.store.logic.folding.consumer import is_of_the_event
from amity.store.logic.folding.consumers import (
    activity,
    advance_consumer,
    claim_consumer,
    read_activity,
)

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger(__name__)


def follow(*, now: datetime, limit: int = 1000) -> int:
    """Give every follower one turn of up to ``limit`` activities; return how many were handled.

    An activity that a follower cannot take is passed over, and the log says so: the others'
    projections and the rest of its own do not wait for it. When the turn of one fails, the others
    get theirs before the error comes up.
    """
    handled, failed = 0, None
    for kind in followers():
        try:
            handled += take_turn(kind, now=now, limit=limit)
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return handled


def take_turn(kind: type[Follower], *, now: datetime, limit: int) -> int:
    """Give one follower one turn of up to ``limit`` activities; return how many were handled."""
    with transaction() as connection:
        connection.execute(_SQL["ensure_consumer"], [kind.name])
        position = claim_consumer(connection=connection, name=kind.name)
        if position is None:
            return 0
        follower = kind(connection, now)
        activities = read_activity(connection=connection, after=position, limit=limit)
        if activities:
            _take(follower, activities)
            last = activities[-1].position
            advance_consumer(connection=connection, name=kind.name, position=last)
        return len(activities) + _ring(follower)


def _ring(follower: Follower) -> int:
    """Let a follower do what the clock asks for; a fault there does not undo what it has read."""
    try:
        with follower.connection.transaction():
            return follower.ring()
    except Exception as error:
        if not is_of_the_event(error):
            raise
        _log.error("%s cannot do what is due (%s)", follower.name, type(error).__name__)
        return 0


def _take(follower: Follower, activities: list[Activity]) -> None:
    undone = [each for each in activities if is_unmerge(each)]
    if not undone:
        _apply(follower, activities)
        return
    # Their origins may be others now, so all of theirs is made again, these here included. Each
    # profile that came out is announced by itself: whichever comes first, all are made again.
    origins = {origin for each in undone for origin in each.properties["profiles"]}
    origins |= {each.origin_id for each in undone}
    forget(follower.connection, type(follower), sorted(origins))
    _apply(follower, [each for each in activities if each.origin_id not in origins])
    last = activities[-1].position
    rows = follower.connection.execute(
        _SQL["read_activity_from"], {"origins": sorted(origins), "last": last}, binary=True
    )
    _apply(follower, [activity(row) for row in rows])


def _apply(follower: Follower, activities: Sequence[Activity]) -> None:
    """Apply activities; on a fault find the one to blame by halving, and pass over it."""
    if not activities:
        return
    try:
        with follower.connection.transaction():
            follower.apply(activities)
    except Exception as error:
        if not is_of_the_event(error):
            raise
        if len(activities) > 1:
            half = len(activities) // 2
            _apply(follower, activities[:half])
            _apply(follower, activities[half:])
            return
        kind = type(error).__name__  # its text may quote the customer
        at = activities[0].position
        _log.error("%s cannot take activity %s (%s)", follower.name, at, kind)


def is_unmerge(each: Activity) -> bool:
    """Say whether an activity tells that a merge was undone."""
    return each.name == UNMERGED and each.source_id == SYSTEM_SOURCE_ID


def forget(connection: Connection, kind: type[Follower], origins: Sequence[int]) -> dict[str, int]:
    """Delete a follower's rows of some profiles; return how many by table."""
    delete = sql.SQL("DELETE FROM {} WHERE origin_id = ANY (%s::bigint[])")
    return {
        table: connection.execute(delete.format(sql.Identifier(table)), [list(origins)]).rowcount
        for table in kind.tables
    }


def start_over(connection: Connection) -> None:
    """Empty what the followers keep, and have them read from the beginning."""
    for kind in followers():
        for table in kind.tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
    connection.execute(_SQL["rewind_consumers"], [followers().names()])
