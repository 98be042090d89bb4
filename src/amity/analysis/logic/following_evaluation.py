"""Asking rules about profiles in memory, and following what a change brings about."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.analysis.logic.following_book import Book, Followed
from amity.analysis.logic.following_changes import Cause, Change, Changes
from amity.analysis.logic.scoring.rating import load_ratings
from amity.analysis.logic.together import KINDS, Asked, load_together
from amity.infra import arrays, queries
from amity.infra.database import Connection
from amity.rules import Look, Mentions, PlacedOrder, Subject
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts import HistoryWish

_SQL = queries.load("amity.analysis")
_PROFILES_AT_ONCE: Final = 1000

Pairs = dict[int, set[int]]
"""By profile, the segments to ask about."""
_Memberships = Mapping[int, set[int]]


def settle(  # one argument a part of the question
    connection: Connection,
    *,
    book: Book,
    pairs: Pairs,
    now: datetime,
    cause: Cause,
    changes: Changes | None = None,
) -> None:
    """Ask, write what changes, and ask those whose household or company it changes.

    A tier of segments is decided for everybody before the next looks at it, so each pair is asked
    once, with what it looks at settled. ``changes`` are those that are known already.
    """
    # Those are written with the lowest tier, before a higher one looks at them.
    left: dict[int, Pairs] = {0: {}} | _part(book, pairs)
    changes = changes or Changes(now)
    while left:
        later: Pairs = {}
        evaluate(
            connection,
            book=book,
            pairs=left.pop(min(left)),
            changes=changes,
            cause=cause,
            later=later,
        )
        changes.write(connection)
        for_others = pairs_of_others(connection, book, changes.list_changed())
        for more in (later, for_others):
            for higher, found in _part(book, more).items():
                for profile_id, segment_ids in found.items():
                    left.setdefault(higher, {}).setdefault(profile_id, set()).update(segment_ids)
        changes = Changes(now)


def _part(book: Book, pairs: Pairs) -> dict[int, Pairs]:
    """Return the pairs by tier of the segment."""
    parted: dict[int, Pairs] = {}
    for profile_id, segment_ids in pairs.items():
        for segment_id in segment_ids:
            if segment_id in book.segments:
                tier = parted.setdefault(book.segments[segment_id].tier, {})
                tier.setdefault(profile_id, set()).add(segment_id)
    return parted


def pairs_of_others(
    connection: Connection, book: Book, changed: Iterable[tuple[int, int | None]]
) -> Pairs:
    """Return whom to ask what when these profiles entered or left these segments.

    None instead of a segment stands for all that rules ask of others.
    """
    if not book.index.has_mentions("together"):
        return {}
    asking: dict[str, dict[int, set[int]]] = {}
    for profile_id, segment_id in changed:
        for kind in KINDS:
            found = book.list_asking(kind, segment_id)
            if found:
                asking.setdefault(kind, {}).setdefault(profile_id, set()).update(found)
    pairs: Pairs = {}
    for kind, by_profile in asking.items():
        linked = api_identity.load_linked(
            connection=connection, profile_ids=by_profile, kinds=[kind]
        )
        for profile_id, groups in linked.items():
            for other in set().union(*groups[kind]):
                pairs.setdefault(other, set()).update(by_profile[profile_id])
    return pairs


class _Wanted(msgspec.Struct, frozen=True):
    """What of people is to be loaded beside their profiles."""

    wishes: list[HistoryWish]
    scores: frozenset[str] | None
    """By name; None for all."""
    together: frozenset[tuple[str, int | None]] = frozenset()
    orders: bool = False
    facts: bool = True
    """Whether anything of the profiles themselves is looked at."""


def evaluate(
    connection: Connection,
    *,
    book: Book,
    pairs: Pairs,
    changes: Changes,
    cause: Cause,
    later: Pairs,
) -> None:
    """Ask each segment about its profiles and add to ``changes``; all are of one tier.

    Segments that look at a segment that changed are asked too, lower levels first; those of a
    higher tier are added to ``later`` instead. A profile
    that is gone or merged into another leaves everything, without an event of its own.
    """
    for some in _slices(sorted(pairs), _PROFILES_AT_ONCE):
        memberships = load_memberships(connection, some)
        wanted = _want({profile_id: pairs[profile_id] for profile_id in some}, book, changes.now)
        for subject_id, subject in _load_subjects(connection, some, wanted, memberships):
            turn = ProfileTurn(book, changes, changes.now, cause, later)
            turn.ask(subject_id, subject, memberships[subject_id], pairs[subject_id])


def _want(pairs: Pairs, book: Book, now: datetime) -> _Wanted:
    """Return what the segments asked of each, and those that depend on them, look at."""
    alike: dict[frozenset[int], list[int]] = {}
    for profile_id, asked in pairs.items():
        alike.setdefault(frozenset(asked), []).append(profile_id)
    found = {asked: book.join_mentions(asked) for asked in alike}
    wishes = [
        wish
        for asked, profile_ids in alike.items()
        for wish in store.make_wishes(found[asked].looks, now, profile_ids)
    ]
    return _join(found.values(), wishes)


def _join(found: Iterable[Mentions], wishes: list[HistoryWish]) -> _Wanted:
    scores: set[str] = set()
    together: set[tuple[str, int | None]] = set()
    has_orders = has_facts = False
    for each in found:
        scores |= each.scores
        together |= each.together
        has_orders |= each.orders
        has_facts |= bool(each.traits or each.fields or each.purposes)
    return _Wanted(wishes, frozenset(scores), frozenset(together), has_orders, has_facts)


def _slices(ids: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def load_memberships(connection: Connection, profile_ids: list[int]) -> dict[int, set[int]]:
    """Return, by profile, the segments it is in; of those in none an empty set."""
    found: dict[int, set[int]] = {profile_id: set() for profile_id in profile_ids}
    given = [arrays.numbers(profile_ids)]
    rows = connection.execute(_SQL["open_memberships"], given, binary=True).fetchall()
    for profile_id, segment_id in rows:
        found[profile_id].add(segment_id)
    return found


def _load_subjects(
    connection: Connection,
    profile_ids: list[int],
    wanted: _Wanted,
    memberships: _Memberships,
) -> Iterator[tuple[int, Subject]]:
    histories = _load_histories(connection, profile_ids, wanted.wishes)
    ratings = load_ratings(connection, profile_ids=profile_ids, names=wanted.scores)
    groups = load_together(connection, profile_ids=profile_ids, asked=wanted.together)
    orders: Mapping[int, list[PlacedOrder]] = {}
    if wanted.orders:
        orders = store.load_placed_orders(connection=connection, profile_ids=profile_ids)
    for bare in _load_bare(connection, profile_ids, wanted, memberships):
        profile_id = bare.profile_id
        assert profile_id is not None
        yield (
            profile_id,
            msgspec.structs.replace(
                bare,
                history=histories.get(profile_id, {}),
                scores=ratings.get(profile_id, {}),
                together=groups.get(profile_id, {}),
                orders=orders.get(profile_id, ()),
            ),
        )


def _load_bare(
    connection: Connection,
    profile_ids: list[int],
    wanted: _Wanted,
    memberships: _Memberships,
) -> Iterator[Subject]:
    """Give those who live on, with what is wanted of the profiles themselves and no history."""
    if not wanted.facts:
        for profile_id in store.list_living(connection=connection, profile_ids=profile_ids):
            yield Subject(profile_id=profile_id, segments=memberships[profile_id])
        return
    policies = store.list_policies(connection=connection)
    for profile in store.load_profiles(connection=connection, profile_ids=profile_ids):
        if profile.merged_into is None:
            yield store.make_subject(
                profile,
                segments=memberships[profile.profile_id],
                history={},
                policies=policies,
            )


def _load_histories(
    connection: Connection, profile_ids: list[int], wishes: list[HistoryWish]
) -> Mapping[int, Mapping[str, list[tuple[datetime, dict[str, Any]]]]]:
    if not wishes:
        return {}
    return store.load_histories(connection=connection, profile_ids=profile_ids, wishes=wishes)


class ProfileTurn:
    """The turn of one profile."""

    def __init__(
        self, book: Book, changes: Changes, now: datetime, cause: Cause, later: Pairs
    ) -> None:
        self._book = book
        self._changes = changes
        self._now = now
        self._cause = cause
        self._later = later

    def ask(
        self, profile_id: int, subject: Subject, memberships: set[int], segment_ids: Iterable[int]
    ) -> None:
        """Ask the segments in order of level; ``memberships`` is kept current for the next."""
        segments = self._book.segments
        queue = [(segments[s].level, s) for s in set(segment_ids) if s in segments]
        heapq.heapify(queue)
        done: set[int] = set()
        while queue:
            _, segment_id = heapq.heappop(queue)
            if segment_id in done:
                continue
            done.add(segment_id)
            followed = segments[segment_id]
            self._set_timer(followed, profile_id, subject)
            holds = followed.matcher.matches(subject, self._now)
            if holds == (segment_id in memberships):
                continue
            (memberships.add if holds else memberships.discard)(segment_id)
            self._changes.add(
                Change(
                    segment_id=segment_id,
                    segment_name=followed.name,
                    profile_id=profile_id,
                    is_entry=holds,
                    cause=self._cause,
                )
            )
            for dependant in self._book.list_dependants(segment_id):
                if segments[dependant].tier > followed.tier:
                    self._later.setdefault(profile_id, set()).add(dependant)
                else:
                    heapq.heappush(queue, (segments[dependant].level, dependant))

    def _set_timer(self, followed: Followed, profile_id: int, subject: Subject) -> None:
        if followed.mentions.is_timed:
            due_at = followed.matcher.next_change(subject, self._now)
            self._changes.set_timer(followed.segment_id, profile_id, due_at)


def load_subjects(
    connection: Connection,
    *,
    profile_ids: list[int],
    looks: Mapping[str, Look],
    together: Asked,
    now: datetime,
) -> dict[int, Subject]:
    """Return profiles as rules see them, by id; see `api.load_subjects`."""
    subjects: dict[int, Subject] = {}
    # Which scores are asked for is not said, and there are few of each customer.
    wanted = _Wanted(store.make_wishes(looks, now), None, frozenset(together))
    for some in _slices(sorted(set(profile_ids)), _PROFILES_AT_ONCE):
        memberships = load_memberships(connection, some)
        subjects |= _load_subjects(connection, some, wanted, memberships)
    return subjects


def set_timers(
    connection: Connection, *, followed: Followed, profile_ids: list[int], now: datetime
) -> None:
    """Compute and write one segment's timers for many profiles."""
    wanted = _join([followed.mentions], store.make_wishes(followed.mentions.looks, now))
    for some in _slices(profile_ids, _PROFILES_AT_ONCE):
        changes = Changes(now)
        nowhere: dict[int, set[int]] = {profile_id: set() for profile_id in some}
        for profile_id, subject in _load_subjects(connection, some, wanted, nowhere):
            due_at = followed.matcher.next_change(subject, now)
            if due_at is not None:
                changes.set_timer(followed.segment_id, profile_id, due_at)
        changes.write(connection)
