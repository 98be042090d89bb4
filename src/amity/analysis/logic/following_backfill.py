"""Reading history for a new or changed segment: the rule's SQL decides who is in it.

It happens in the follower's own turn. Whatever is folded after the rows it sees has a position
after the follower's and is asked about again, so nothing can fall between history and the live
stream.
"""

from datetime import datetime, timedelta

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


def backfill(
    connection: Connection,
    *,
    book: Book,
    segment_ids: list[int],
    now: datetime,
    cause: Cause = "definition",
) -> int:
    """Bring segments and all that depend on them in line with history; return the changes.

    Those of them that were building are live afterwards.
    """
    tune(connection)
    affected = book.with_dependants(segment_ids)
    count = 0
    for segment_id in sorted(affected, key=lambda other: book.segments[other].level):
        followed = book.segments[segment_id]
        changes = _reconcile(connection, followed, now, cause)
        record_changes(connection, changes, now)
        count += len(changes)
        if followed.mentions.is_timed:
            connection.execute(_SQL["forget_timers"], [segment_id])
            set_timers(
                connection,
                followed=followed,
                profile_ids=_list_timed(connection, followed, now),
                now=now,
            )
        connection.execute(_SQL["set_members"], {"segment_id": segment_id})
        connection.execute(_SQL["set_live"], [segment_id])
    count_today(connection, now, sorted(affected))
    return count


def _reconcile(
    connection: Connection, followed: Followed, now: datetime, cause: Cause
) -> list[Change]:
    catalogue = make_catalogue(store.list_policies(connection=connection))
    query = sql(
        "WITH found AS MATERIALIZED ({}), "
        "entered AS (INSERT INTO analysis_membership (segment_id, profile_id, entered_at) "
        "SELECT {}, f.id, {} FROM found f WHERE NOT EXISTS (SELECT FROM analysis_membership m "
        "WHERE m.segment_id = {} AND m.profile_id = f.id AND m.left_at IS NULL) "
        "RETURNING profile_id), "
        "gone AS (UPDATE analysis_membership m SET left_at = {} "
        "WHERE m.segment_id = {} AND m.left_at IS NULL "
        "AND NOT EXISTS (SELECT FROM found f WHERE f.id = m.profile_id) RETURNING profile_id) "
        "SELECT profile_id, true FROM entered UNION ALL SELECT profile_id, false FROM gone",
        to_sql(followed.matcher.rule, catalogue, now),
        followed.segment_id,
        now,
        followed.segment_id,
        now,
        followed.segment_id,
    )
    return [
        Change(
            segment_id=followed.segment_id,
            segment_name=followed.name,
            profile_id=profile_id,
            is_entry=is_entry,
            cause=cause,
        )
        for profile_id, is_entry in connection.execute(query.encode(), query.params)
    ]


def _list_timed(connection: Connection, followed: Followed, now: datetime) -> list[int]:
    """Return the profiles for whom time alone may change the rule's answer."""
    events, window = _timed_events(followed.matcher.rule)
    if events is None:
        rows = connection.execute(_SQL["everybody"]).fetchall()
    else:
        since = None if window is None else now - timedelta(days=window)
        rows = connection.execute(
            _SQL["timed_by_events"], {"names": sorted(events), "since": since}
        ).fetchall()
    return [row[0] for row in rows]


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
