"""Reading history for a new or changed segment: the rule's SQL decides who is in it.

It happens in the follower's own turn. Whatever is folded after the rows it sees has a position
after the follower's and is asked about again, so nothing can fall between history and the live
stream. A large segment takes several turns, first its members and then their timers, so that no
transaction lasts long: the readers of the log wait for the oldest that writes. What happens
meanwhile is followed as ever; each turn asks the rule anew.
"""

from datetime import datetime, timedelta
from typing import Final

from amity.analysis.logic.following_book import Book, Followed
from amity.analysis.logic.following_changes import Cause, Change, count_today, record_changes
from amity.analysis.logic.following_evaluation import set_timers
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.analysis.logic.segments_reading import tune
from amity.infra import queries
from amity.infra.database import Connection
from amity.rules import Rule, longer, sql, to_sql, walk
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_SLICE: Final = 50_000
"""How many memberships change, and how many timers are set, in one turn."""


def backfill(
    connection: Connection,
    *,
    book: Book,
    segment_ids: list[int],
    now: datetime,
    cause: Cause = "definition",
) -> int:
    """Bring segments and all that depend on them in line with history; return what was done.

    Those of them that were building are live afterwards, but for one that is too large for one
    turn: it is left building, and those that depend on it wait for it.
    """
    tune(connection)
    affected = book.with_dependants(segment_ids)
    # What these look at changes: what was read of them so far is void.
    begun = affected if cause == "event" else affected.difference(segment_ids)
    connection.execute(_SQL["forget_fillings"], [sorted(begun)])
    done: list[int] = []
    count = 0
    for segment_id in sorted(affected, key=lambda other: book.segments[other].level):
        changed, is_whole = _fill(connection, book.segments[segment_id], now, cause)
        count += changed
        if not is_whole:
            left = sorted(affected.difference(done))
            connection.execute(_SQL["go_on_building"], [left])
            break
        done.append(segment_id)
    count_today(connection, now, done)
    return count


def _fill(
    connection: Connection, followed: Followed, now: datetime, cause: Cause
) -> tuple[int, bool]:
    """Take one slice; return how much was done, and whether nothing is left."""
    row = connection.execute(_SQL["filled_to"], [followed.segment_id]).fetchone()
    timed_to = 0 if row is None else row[0]
    changes: list[Change] = []
    if row is None:
        changes = _reconcile(connection, followed, now, cause)
        record_changes(connection, changes, now)
        connection.execute(_SQL["set_members"], {"segment_id": followed.segment_id})
        if len(changes) >= _SLICE:
            return len(changes), False
        connection.execute(_SQL["forget_timers"], [followed.segment_id])
    if followed.mentions.is_timed:
        ids = _list_timed(connection, followed, now, timed_to)
        set_timers(connection, followed=followed, profile_ids=ids, now=now)
        if len(ids) == _SLICE:
            about = {"segment_id": followed.segment_id, "timed_to": ids[-1]}
            connection.execute(_SQL["note_filling"], about)
            return len(changes), False
    connection.execute(_SQL["forget_fillings"], [[followed.segment_id]])
    connection.execute(_SQL["set_live"], [followed.segment_id])
    return len(changes), True


def _reconcile(
    connection: Connection, followed: Followed, now: datetime, cause: Cause
) -> list[Change]:
    catalogue = make_catalogue(store.list_policies(connection=connection))
    segment_id = followed.segment_id
    query = sql(
        "WITH found AS MATERIALIZED ({}), "
        "entered AS (INSERT INTO analysis_membership (segment_id, profile_id, entered_at) "
        "SELECT {}, f.id, {} FROM found f WHERE NOT EXISTS (SELECT FROM analysis_membership m "
        "WHERE m.segment_id = {} AND m.profile_id = f.id AND m.left_at IS NULL) LIMIT {} "
        "RETURNING profile_id), "
        "gone AS (UPDATE analysis_membership m SET left_at = {} WHERE m.id IN ("
        "SELECT n.id FROM analysis_membership n WHERE n.segment_id = {} AND n.left_at IS NULL "
        "AND NOT EXISTS (SELECT FROM found f WHERE f.id = n.profile_id) LIMIT {}) "
        "RETURNING profile_id) "
        "SELECT profile_id, true FROM entered UNION ALL SELECT profile_id, false FROM gone",
        to_sql(followed.matcher.rule, catalogue, now),
        *(segment_id, now, segment_id, _SLICE),
        *(now, segment_id, _SLICE),
    )
    return [
        Change(
            segment_id=segment_id,
            segment_name=followed.name,
            profile_id=profile_id,
            is_entry=is_entry,
            cause=cause,
        )
        for profile_id, is_entry in connection.execute(query.encode(), query.params)
    ]


def _list_timed(connection: Connection, followed: Followed, now: datetime, after: int) -> list[int]:
    """Return a slice of the profiles for whom time alone may change the rule's answer, by id."""
    events, window = _timed_events(followed.matcher.rule)
    since = None if window is None or events is None else now - timedelta(days=window)
    wanted = {
        "names": None if events is None else sorted(events),
        "since": since,
        "after": after,
        "limit": _SLICE,
    }
    query = "everybody" if events is None else "timed_by_events"
    return [row[0] for row in connection.execute(_SQL[query], wanted)]


def _timed_events(rule: Rule) -> tuple[set[str] | None, float | None]:
    """Return which events time a rule and over how many days; None for anyone, for ever."""
    events: set[str] = set()
    window: float | None = 0.0
    for part in walk(rule):
        found = part.mentions()
        if found.is_timed and not found.looks:
            return None, None
        for event, look in found.looks.items():
            if look.timed_days != 0.0:
                events.add(event)
                window = longer(window, look.timed_days)
    return events, window
