"""What events alone decide, before anything is read of what their customers did before.

Most events change nothing: whoever is in a segment stays there for doing once more what it counts,
and who did once what must not be is out of it, whatever else is so. `Condition.sways` says which
way one more event moves an answer, `Condition.foresee` what it is when only these are known. Only
what is left is asked of whole histories.

Timers stay right: they may come early, never late. Until its timer a membership was to hold as
things were, and an event that can only confirm it does not end that sooner; nothing is written
then, and the timer, when it rings, looks at everything anew.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from amity.analysis.logic.following_book import Book
from amity.analysis.logic.following_changes import Change, Changes
from amity.analysis.logic.following_evaluation import Pairs, ProfileTurn
from amity.infra import arrays, queries
from amity.infra.database import Connection
from amity.rules import Subject, Sway
from amity.store import api as store
from amity.store.contracts import Activity

_SQL = queries.load("amity.analysis")


class News(msgspec.Struct, frozen=True):
    """What is new in one turn."""

    asked: Pairs
    """By profile, the segments to ask in any case."""
    sways: dict[tuple[int, int], Sway]
    """By segment and profile, which way the events that the segment counts move its answer."""
    told: dict[int, list[Activity]]
    """By profile, the events that some segment counts."""


class _Asked(msgspec.Struct, frozen=True):
    """A profile to ask for what it did, and for nothing else."""

    profile_id: int
    segment_ids: frozenset[int]
    inside: set[int]
    """Those of these segments it is in."""


def gather(book: Book, activities: Iterable[Activity], asked: Pairs) -> News:
    """Return what activities may change, beside what is asked already."""
    sways: dict[tuple[int, int], Sway] = {}
    told: dict[int, list[Activity]] = {}
    list_swayed, list_touched = book.index.list_swayed, book.list_touched
    for activity in activities:
        profile_id = activity.profile_id
        touched = list_touched(activity)
        if touched:
            asked.setdefault(profile_id, set()).update(touched)
        swayed = list_swayed(activity.name, activity.properties)
        if swayed:
            told.setdefault(profile_id, []).append(activity)
            for segment_id, sway in swayed:
                pair = (segment_id, profile_id)
                if sways.setdefault(pair, sway) != sway:
                    sways[pair] = 0
    return News(asked, sways, told)


def foretell(
    connection: Connection,
    *,
    book: Book,
    activities: Iterable[Activity],
    asked: Pairs,
    changes: Changes,
) -> Pairs:
    """Add to ``changes`` what events decide, alone or with histories; return what is left to ask.

    That is what looks at more of the profiles, whatever other segments look at, and what is
    ``asked`` in any case.
    """
    news = gather(book, activities, asked)
    pairs = news.asked
    narrow: list[_Asked] = []
    open_ = _list_open(news, _find_open(connection, news))
    for profile_id in store.list_living(connection=connection, profile_ids=[*open_]):
        known = _subject(profile_id, news.told[profile_id])
        left = {
            segment_id: is_in
            for segment_id, is_in in open_[profile_id]
            if not _settle(book, segment_id, known, changes, is_in=is_in)
        }
        segment_ids = frozenset(left)
        if profile_id in pairs or book.join_mentions(segment_ids).needs_profile:
            pairs.setdefault(profile_id, set()).update(segment_ids)
        elif left:
            inside = {segment_id for segment_id, is_in in left.items() if is_in}
            narrow.append(_Asked(profile_id, segment_ids, inside))
    _ask_histories(connection, book, narrow, changes)
    return pairs


def _ask_histories(
    connection: Connection, book: Book, asked: list[_Asked], changes: Changes
) -> None:
    """Ask rules that look at nothing but what was done; no segment looks at these."""
    if not asked:
        return
    alike: dict[frozenset[int], list[int]] = {}
    for each in asked:
        alike.setdefault(each.segment_ids, []).append(each.profile_id)
    wishes = [
        wish
        for segment_ids, some in alike.items()
        for wish in store.make_wishes(book.join_mentions(segment_ids).looks, changes.now, some)
    ]
    ids = [each.profile_id for each in asked]
    histories = store.load_histories(connection=connection, profile_ids=ids, wishes=wishes)
    turn = ProfileTurn(book, changes, changes.now, "event", {})
    for each in asked:
        history = histories.get(each.profile_id, {})
        subject = Subject(profile_id=each.profile_id, segments=each.inside, history=history)
        turn.ask(each.profile_id, subject, each.inside, each.segment_ids)


def _find_open(connection: Connection, news: News) -> set[tuple[int, int]]:
    """Return those of the pairs that are open memberships."""
    if not news.sways:
        return set()
    by_segment: dict[int, list[int]] = {}
    for segment_id, profile_id in news.sways:
        by_segment.setdefault(segment_id, []).append(profile_id)
    profiles = [arrays.numbers(sorted(each)) for each in by_segment.values()]
    given = [arrays.numbers(by_segment), profiles]
    return set(connection.execute(_SQL["open_among"], given, binary=True).fetchall())


def _list_open(news: News, inside: set[tuple[int, int]]) -> dict[int, list[tuple[int, bool]]]:
    """Return, by profile, the segments whose answer may be another one now, and that of before."""
    found: dict[int, list[tuple[int, bool]]] = {}
    for pair, sway in news.sways.items():
        is_in = pair in inside
        if sway != (1 if is_in else -1):
            segment_id, profile_id = pair
            if segment_id not in news.asked.get(profile_id, ()):
                found.setdefault(profile_id, []).append((segment_id, is_in))
    return found


def _subject(profile_id: int, told: list[Activity]) -> Subject:
    """Return what is known of a profile from its events alone."""
    history: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    for activity in told:
        happened = (activity.occurred_at, activity.properties)
        history.setdefault(activity.name, []).append(happened)
    return Subject(profile_id=profile_id, history=history)


def _settle(book: Book, segment_id: int, known: Subject, changes: Changes, *, is_in: bool) -> bool:
    """Decide by the events alone; say whether they do."""
    followed = book.segments[segment_id]
    holds = followed.matcher.foresee(known, changes.now)
    # Segments that look at this one look at more than these events.
    if holds is None or (holds is not is_in and book.list_dependants(segment_id)):
        return False
    assert known.profile_id is not None
    if holds is not is_in:
        change = Change(
            segment_id=segment_id,
            segment_name=followed.name,
            profile_id=known.profile_id,
            is_entry=holds,
            cause="event",
        )
        changes.add(change)
    if followed.mentions.is_timed:
        due_at = followed.matcher.next_change(known, changes.now)
        changes.set_timer(segment_id, known.profile_id, due_at)
    return True
