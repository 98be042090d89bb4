"""The segments consumer: membership follows what happens, and the clock.

A turn is one transaction: definitions that are new or changed are read against history, then the
next activities are asked which segments they concern, then the timers that have come due; the
memberships, their events, the timers and the consumer's position are committed together.
"""

from datetime import date, datetime
from typing import Final

from amity.analysis.logic import history
from amity.analysis.logic.following_backfill import backfill
from amity.analysis.logic.following_book import WHOLE_PROFILE_EVENTS, Book, Shelf
from amity.analysis.logic.following_changes import Changes, add_members, count_today
from amity.analysis.logic.following_evaluation import Pairs, pairs_of_others, settle
from amity.analysis.logic.following_news import foretell
from amity.analysis.logic.together import KINDS, LINKS
from amity.infra import queries
from amity.infra.database import Connection, database_name, transaction
from amity.infra.process import no_collection
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, FoldResult

_SQL = queries.load("amity.analysis")
CONSUMER: Final = "segments"
_UNMERGED: Final = "Profile Unmerged"

_shelf = Shelf()
_counted: dict[str, date] = {}


def follow_batch(*, now: datetime, limit: int) -> FoldResult:
    """Take one turn; see `api.follow_batch`."""
    with transaction() as connection:
        position = store.claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return FoldResult(events=0)
        handled = _take_turn(connection, position, now, limit)
        if not handled and history.reconstruct_next(connection, now=now):
            handled = 1
    return FoldResult(events=handled)


def _take_turn(connection: Connection, position: int, now: datetime, limit: int) -> int:
    book, ended = _shelf.read(connection)
    handled = 0
    for segment_id in ended:
        handled += _close(connection, segment_id, now)
    if book.building:
        # One a turn, so that the live stream does not wait for all of them.
        first = book.building[:1]
        handled += 1 + backfill(connection, book=book, segment_ids=first, now=now)
        book, _ = _shelf.read(connection)
    with no_collection():
        activities = store.read_said(connection=connection, after=position, limit=limit)
        if activities:
            _follow(connection, book, activities, now)
    if activities:
        handled += len(activities)
        last = activities[-1].position
        store.advance_consumer(connection=connection, name=CONSUMER, position=last)
    handled += _recheck(connection, book, now, limit)
    handled += _ring(connection, book, now, limit)
    if _counted.get(database_name()) != now.date():
        count_today(connection, now, None)
        _counted[database_name()] = now.date()
    return handled


def _close(connection: Connection, segment_id: int, now: datetime) -> int:
    """End an archived segment: nobody left it by what they did, so no event is recorded."""
    done = connection.execute(_SQL["close_segment"], {"segment_id": segment_id, "now": now})
    connection.execute(_SQL["forget_timers"], [segment_id])
    connection.execute(_SQL["set_members"], {"segment_id": segment_id})
    return done.rowcount


def _follow(connection: Connection, book: Book, activities: list[Activity], now: datetime) -> None:
    others: Pairs = {}
    merges = [
        activity
        for activity in activities
        if activity.name in WHOLE_PROFILE_EVENTS and activity.source_id == SYSTEM_SOURCE_ID
    ]
    if merges:
        is_undone = any(merge.name == _UNMERGED for merge in merges)
        ids = _follow_identity(connection, merges, now, is_undone=is_undone)
        # Whom they lived or worked with counts others now.
        others = pairs_of_others(connection, book, [(each, None) for each in ids])
    changes = Changes(now)
    pairs = foretell(connection, book=book, activities=activities, asked=others, changes=changes)
    settle(connection, book=book, pairs=pairs, now=now, cause="event", changes=changes)


def _follow_identity(
    connection: Connection, told: list[Activity], now: datetime, *, is_undone: bool
) -> list[int]:
    """End the stays of profiles that are others now; let those of whom an undo brings back go on.

    Neither is an entry or a leaving, so nothing is recorded and no journey begins by it. Returns
    the profiles it was about.
    """
    ids = sorted({profile_id for activity in told for profile_id in _named(activity)})
    retired = [row[0] for row in connection.execute(_SQL["list_retired"], {"ids": ids})]
    changed: list[tuple[int, int]] = []
    if retired:
        about = {"ids": retired, "now": now}
        changed += connection.execute(_SQL["retire"], about).fetchall()
        connection.execute(_SQL["forget_retired_timers"], [retired])
    if is_undone:
        changed += connection.execute(_SQL["reopen"], [ids]).fetchall()
    add_members(connection, changed, now)
    return ids


def _named(activity: Activity) -> list[int]:
    """Return the profiles a merge, or its undoing, is about."""
    # The losers by name too: the winner of a first merge can be the loser of a second.
    told = activity.properties
    more = told.get("profiles")
    named = [told.get("winner_id"), told.get("loser_id"), *(more if isinstance(more, list) else [])]
    return [activity.profile_id, *(each for each in named if isinstance(each, int))]


def _ring(connection: Connection, book: Book, now: datetime, limit: int) -> int:
    """Ask again where a timer has come due."""
    due = connection.execute(_SQL["due_timers"], [now, limit]).fetchall()
    if not due:
        return 0
    pairs: Pairs = {}
    orphans = Changes(now)
    for segment_id, profile_id in due:
        # A timer is set anew by the question, or goes with what it was for.
        orphans.set_timer(segment_id, profile_id, None)
        if segment_id in book.segments:
            pairs.setdefault(profile_id, set()).add(segment_id)
    orphans.write(connection)
    settle(connection, book=book, pairs=pairs, now=now, cause="time")
    return len(due)


def _recheck(connection: Connection, book: Book, now: datetime, limit: int) -> int:
    """Ask again where what rules look at has changed without an event, such as scores."""
    rows = connection.execute(_SQL["take_rechecks"], [limit]).fetchall()
    pairs: Pairs = {}
    for kind, name, profile_id in rows:
        concerned = set() if kind == LINKS else book.index.list_mentioning(kind, [name])
        if concerned:
            pairs.setdefault(profile_id, set()).update(concerned)
    settle(connection, book=book, pairs=pairs, now=now, cause="score")
    if any(kind == LINKS for kind, _, _ in rows):
        _relink(connection, book, now)
    return len(rows)


def _relink(connection: Connection, book: Book, now: datetime) -> None:
    """Ask all rules about households and companies of everybody, as these were found anew."""
    segment_ids = set().union(*(book.list_asking(kind) for kind in KINDS))
    if segment_ids:
        backfill(connection, book=book, segment_ids=sorted(segment_ids), now=now, cause="event")


def rebuild_memberships() -> int:
    """Have every live segment read against history anew; return how many there are."""
    with transaction() as connection:
        return connection.execute(_SQL["rebuild_memberships"]).rowcount
