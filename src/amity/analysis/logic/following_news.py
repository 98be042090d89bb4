"""What events alone decide, before anything is read of what their customers did before.

Most events change nothing: whoever is in a segment stays there for doing once more what it counts,
and who did once what must not be is out of it, whatever else is so. `Condition.sways` says which
way one more event moves an answer, `Condition.foresee` what it is when only these are known. Only
what is left is asked of whole histories.

Timers stay right: they may come early, never late. Until its timer a membership was to hold as
things were, and an event that can only confirm it does not end that sooner; nothing is written
then, and the timer, when it rings, looks at everything anew.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.analysis.logic.following_book import Book, Followed
from amity.analysis.logic.following_changes import Change, Changes
from amity.analysis.logic.following_evaluation import Pairs
from amity.infra import arrays, queries
from amity.infra.database import Connection
from amity.rules import Subject, Sway
from amity.store import api as store
from amity.store.contracts import Activity

_SQL = queries.load("amity.analysis")
_PARTS: Final = 2
_FEWEST_APART: Final = 400
"""Customers that are not worth a part of their own: each part has its queries."""

_Histories = dict[int, dict[str, list[tuple[datetime, dict[str, Any]]]]]
_Inside = dict[int, set[int]]
"""By profile, segments it is in."""
_NOWHERE: Final[AbstractSet[int]] = frozenset()
_Swayed = Callable[[Mapping[str, Any]], list[tuple[int, Sway]]]


class News(msgspec.Struct, frozen=True, gc=False):
    """What is new of one profile."""

    told: list[Activity]
    """The events that some segment counts."""
    sways: dict[int, Sway]
    """By segment, which way the events that it counts move its answer."""


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """A profile to ask for what it did, and for nothing else."""

    profile_id: int
    segment_ids: frozenset[int]
    inside: AbstractSet[int]
    """Those of these segments it is in."""


class _Waiting(msgspec.Struct, frozen=True):
    """Whose histories were asked for, and how to come by them."""

    asked: list[_Asked]
    read: Callable[[], _Histories]


def gather(book: Book, activities: Iterable[Activity], asked: Pairs) -> dict[int, News]:
    """Return what activities may change, by profile; what is to be asked anyhow goes to ``asked``.

    Those are rules that look at more than what was done.
    """
    found: dict[int, News] = {}
    # What is so of all events of a kind is found once.
    kinds: dict[tuple[str, str, int], tuple[bool, _Swayed | None]] = {}
    for activity in activities:
        profile_id = activity.profile_id
        kind = (activity.name, activity.type, activity.source_id)
        known = kinds.get(kind)
        if known is None:
            touches, look_up = book.may_touch(activity), book.index.find_swayed(activity.name)
            known = kinds[kind] = (touches, look_up)
        touches, look_up = known
        if touches or activity.event_id == profile_id:
            asked_too = book.list_touched(activity)
            if asked_too:
                asked.setdefault(profile_id, set()).update(asked_too)
        if look_up is None:
            continue
        swayed = look_up(activity.properties)
        if swayed:
            news = found.get(profile_id)
            if news is None:
                news = found[profile_id] = News([], {})
            news.told.append(activity)
            sways = news.sways
            for segment_id, sway in swayed:
                if sways.setdefault(segment_id, sway) != sway:
                    sways[segment_id] = 0
    return found


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
    ``asked`` in any case. Memberships and timers are written, the events are not.
    """
    news = gather(book, activities, asked)
    if news:
        with connection.pipeline():
            _Teller(connection, book, changes, news, asked).tell()
            # While PostgreSQL writes what was sent last.
            changes.make_ready()
    return asked


class _Teller:
    """One turn's news, part by part: while PostgreSQL looks after one, another is decided.

    Each profile is in one part, so what one part writes is nothing to the others.
    """

    def __init__(
        self,
        connection: Connection,
        book: Book,
        changes: Changes,
        news: dict[int, News],
        pairs: Pairs,
    ) -> None:
        self._connection = connection
        self._book = book
        self._changes = changes
        self._news = news
        self._pairs = pairs

    def tell(self) -> None:
        """Decide what can be; in a pipeline of the connection."""
        parts = [*_part(sorted(self._news))]
        looking = self._look(parts[0])
        waiting: _Waiting | None = None
        for following in [*parts[1:], None]:
            # The first answer that is read waits for all that was sent before.
            inside, living = looking()
            histories = waiting.read() if waiting is not None else {}
            if following is not None:
                looking = self._look(following)
            self._changes.send(self._connection)
            sent = self._ask(self._settle(living, inside))
            if waiting is not None:
                self._decide(waiting.asked, histories)
            waiting = sent
        if waiting is not None:
            self._decide(waiting.asked, waiting.read())
        self._changes.send(self._connection)

    def _look(self, profile_ids: list[int]) -> Callable[[], tuple[_Inside, list[int]]]:
        """Ask which of the segments each is in, and who lives on."""
        by_segment: defaultdict[int, list[int]] = defaultdict(list)
        for profile_id in profile_ids:
            for segment_id in self._news[profile_id].sways:
                by_segment[segment_id].append(profile_id)
        given = [
            arrays.numbers(by_segment),
            [arrays.numbers(each) for each in by_segment.values()],
        ]
        found = self._connection.execute(_SQL["open_among"], given, binary=True)
        living = store.ask_living(connection=self._connection, profile_ids=profile_ids)

        def read() -> tuple[_Inside, list[int]]:
            inside: _Inside = {}
            for segment_id, profile_id in found.fetchall():
                inside.setdefault(profile_id, set()).add(segment_id)
            return inside, living()

        return read

    def _settle(self, living: list[int], inside: _Inside) -> list[_Asked]:
        """Decide by the events alone; return whom to ask about histories."""
        narrow: list[_Asked] = []
        pairs, needs_profile = self._pairs, self._book.needs_profile
        for profile_id in living:
            news = self._news[profile_id]
            asked, held = pairs.get(profile_id), inside.get(profile_id, _NOWHERE)
            known: Subject | None = None
            left: list[int] = []
            for segment_id, sway in news.sways.items():
                is_in = segment_id in held
                if sway == (1 if is_in else -1) or (asked and segment_id in asked):
                    continue
                if known is None:
                    known = _subject(profile_id, news.told)
                if not self._is_settled(segment_id, known, is_in=is_in):
                    left.append(segment_id)
            if left:
                segment_ids = frozenset(left)
                if asked or needs_profile(segment_ids):
                    pairs.setdefault(profile_id, set()).update(segment_ids)
                else:
                    narrow.append(_Asked(profile_id, segment_ids, held & segment_ids))
        return narrow

    def _is_settled(self, segment_id: int, known: Subject, *, is_in: bool) -> bool:
        """Decide by the events alone; say whether they do."""
        changes = self._changes
        followed = self._book.segments[segment_id]
        matcher = followed.matcher
        holds = matcher.foresee(known, changes.now)
        # Segments that look at this one look at more than these events.
        if holds is None or (holds is not is_in and self._book.list_dependants(segment_id)):
            return False
        profile_id = known.profile_id
        assert profile_id is not None
        if holds is not is_in:
            self._change(followed, profile_id, is_entry=holds)
        if followed.mentions.is_timed:
            due_at = matcher.next_change(known, changes.now)
            changes.set_timer(segment_id, profile_id, due_at)
        return True

    def _ask(self, asked: list[_Asked]) -> _Waiting | None:
        """Ask for histories of those whose rules look at nothing but what was done."""
        if not asked:
            return None
        alike: dict[frozenset[int], list[int]] = {}
        for each in asked:
            alike.setdefault(each.segment_ids, []).append(each.profile_id)
        wishes = [
            wish
            for segment_ids, some in alike.items()
            for wish in store.make_wishes(
                self._book.join_mentions(segment_ids).looks, self._changes.now, some
            )
        ]
        ids = [each.profile_id for each in asked]
        read = store.ask_histories(connection=self._connection, profile_ids=ids, wishes=wishes)
        return _Waiting(asked, read)

    def _decide(self, asked: list[_Asked], histories: _Histories) -> None:
        """Ask rules that look at nothing but what was done; no segment looks at these."""
        changes, segments = self._changes, self._book.segments
        now = changes.now
        for each in asked:
            profile_id, inside = each.profile_id, each.inside
            history = histories.get(profile_id, {})
            subject = Subject(profile_id=profile_id, segments=inside, history=history)
            for segment_id in each.segment_ids:
                followed = segments[segment_id]
                matcher = followed.matcher
                if followed.mentions.is_timed:
                    changes.set_timer(segment_id, profile_id, matcher.next_change(subject, now))
                holds = matcher.matches(subject, now)
                if holds is not (segment_id in inside):
                    self._change(followed, profile_id, is_entry=holds)

    def _change(self, followed: Followed, profile_id: int, *, is_entry: bool) -> None:
        self._changes.add(
            Change(
                segment_id=followed.segment_id,
                segment_name=followed.name,
                profile_id=profile_id,
                is_entry=is_entry,
                cause="event",
            )
        )


def _part(profile_ids: list[int]) -> Iterator[list[int]]:
    """Cut profiles in parts, none of them small."""
    size = max(_FEWEST_APART, -(-len(profile_ids) // _PARTS))
    for start in range(0, len(profile_ids), size):
        yield profile_ids[start : start + size]


def _subject(profile_id: int, told: list[Activity]) -> Subject:
    """Return what is known of a profile from its events alone."""
    history: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    if len(told) == 1:
        only = told[0]
        history[only.name] = [(only.occurred_at, only.properties)]
        return Subject(profile_id=profile_id, history=history)
    for activity in told:
        happened = (activity.occurred_at, activity.properties)
        history.setdefault(activity.name, []).append(happened)
    return Subject(profile_id=profile_id, history=history)
