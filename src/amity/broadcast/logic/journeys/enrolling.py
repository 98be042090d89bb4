"""The journeys consumer: people begin, go on, and leave, by what they do and by the clock.

A turn is one transaction. The next activities and the timers that have come due say whose ways
are concerned; these are loaded together, stepped one by one by the pure function, and written
back together with their messages, the counts and the consumer's position: all of it or nothing.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.broadcast.logic.journeys.enrolling_book import Book, Drawing
from amity.broadcast.logic.journeys.enrolling_entries import leave_out_done
from amity.broadcast.logic.journeys.enrolling_messages import make_sends
from amity.broadcast.logic.journeys.enrolling_people import Begin, People
from amity.broadcast.logic.journeys.enrolling_runs import Ledger, Run, seed_of
from amity.broadcast.logic.journeys.stepping import Passed, end, enrol, hold, step
from amity.broadcast.logic.sending import ledger
from amity.broadcast.node import Event
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, FoldResult

_SQL: Final = queries.load("amity.broadcast")
CONSUMER: Final = "journeys"
_TRIES: Final = 50
_WAIT_SECONDS: Final = 0.1
_MERGED: Final = "Profile Merged"
_UNMERGED: Final = "Profile Unmerged"


def step_batch(*, now: datetime, limit: int) -> FoldResult:
    """Take one turn; see `api.step_batch`."""
    with transaction() as connection:
        position = store.claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return FoldResult(events=0)
        activities = store.read_activity(connection=connection, after=position, limit=limit)
        # While behind, the clock is where the activities are: what somebody did in time is heard
        # before her time is up.
        until = now if len(activities) < limit else min(now, activities[-1].received_at)
        due = connection.execute(_SQL["journeys_due"], {"until": until, "limit": limit}).fetchall()
        if activities or due:
            turn = _Turn(connection, now)
            turn.take(activities, [row[0] for row in due], until)
        if activities:
            last = activities[-1].position
            store.advance_consumer(connection=connection, name=CONSUMER, position=last)
    return FoldResult(events=len(activities) + len(due))


class _Turn:
    """One turn: everything is loaded, then stepped in memory, then written."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._book = Book(connection)
        self._ledger = Ledger()
        self._people = People(connection, self._book, now)

    def take(self, activities: list[Activity], due: list[int], until: datetime) -> None:
        """Handle activities in their order, then the timers that are due until a moment."""
        concerned = [each for each in activities if self._concerns(each)]
        markers = [each for each in activities if is_marker(each)]
        self._follow_markers(markers)
        ids = {each.profile_id for each in (*concerned, *markers)}
        self._people.load(ids | set(due), self._ledger)
        concerned = self._with_roots(concerned)
        begins = [Begin(drawing, each) for each in concerned for drawing in self._list_begun(each)]
        begins = leave_out_done(self._connection, begins)
        self._people.prepare(begins)
        self._people.foresee(begins, concerned, until)
        by_position: dict[int, list[Begin]] = {}
        for begin in begins:
            by_position.setdefault(begin.activity.position, []).append(begin)
        for activity in concerned:
            self._hear(activity)
            for begin in by_position.get(activity.position, ()):
                if self._people.may_begin(begin):
                    self._begin(begin)
        self._ring(until)
        self._write()

    def _with_roots(self, activities: list[Activity]) -> list[Activity]:
        """Return the activities as those of who is there by now."""
        found = []
        for each in activities:
            root = self._people.find_root(each.profile_id)
            if root is not None:
                found.append(msgspec.structs.replace(each, profile_id=root))
        return found

    def _concerns(self, activity: Activity) -> bool:
        if activity.name not in self._book.heard and activity.name not in self._book.beginning:
            return False
        # A scanner that opens and clicks is not the person (rule R33).
        return activity.properties.get("is_machine") is not True

    def _list_begun(self, activity: Activity) -> list[Drawing]:
        return [
            drawing
            for drawing in self._book.beginning.get(activity.name, ())
            if self._is_begun(drawing, activity)
        ]

    def _is_begun(self, drawing: Drawing, activity: Activity) -> bool:
        entry = drawing.definition.entry
        age = (self._now - activity.occurred_at).total_seconds()
        return age <= entry.within_hours * 3600 and entry.matches(
            activity.name, activity.properties, self._now
        )

    def _follow_markers(self, markers: list[Activity]) -> None:
        merged, parted = (
            {
                profile_id
                for each in markers
                if each.name == name
                for profile_id in (each.profile_id, *_ids_of(each))
            }
            for name in (_MERGED, _UNMERGED)
        )
        self._people.follow_markers(merged=merged, parted=parted)

    def _hear(self, activity: Activity) -> None:
        """Tell what happened to all ways of the person that listen to it."""
        event = event_of(activity)
        for run in self._people.runs_of(activity.profile_id):
            if not run.is_open or activity.name not in run.drawing.listens:
                continue
            definition = run.drawing.definition
            if run.drawing.journey_id in self._book.paused:
                self._ledger.take(run, hold(definition, run.state, event))
                continue
            subject = self._people.subject_for(run)
            taken = step(definition, run.state, event, now=self._now, subject=subject)
            self._ledger.take(run, taken)

    def _begin(self, begin: Begin) -> None:
        drawing, activity = begin.drawing, begin.activity
        seed = seed_of(drawing.journey_id, activity.profile_id, activity.position)
        state = enrol(event_of(activity), seed=seed, now=self._now)
        run = Run(self._people.draw_id(), drawing, activity.profile_id, state)
        self._people.begin(run)
        self._ledger.count(drawing, Passed("", ""))
        self._step_in_time(run)

    def _ring(self, until: datetime) -> None:
        """Wake those whose time has come; who is gone, goes."""
        for run in self._people.list_due(until):
            if self._people.find_root(run.profile_id) is None:
                self._ledger.take(run, end(run.state, "gone"))
            else:
                self._step_in_time(run)

    def _step_in_time(self, run: Run) -> None:
        subject = self._people.subject_for(run)
        definition = run.drawing.definition
        self._ledger.take(run, step(definition, run.state, None, now=self._now, subject=subject))

    def _write(self) -> None:
        self._ledger.write(self._connection, self._now)
        planned = [(run, action) for run in self._ledger.runs for action in run.actions]
        ledger.queue_sends(self._connection, make_sends(self._connection, planned, self._now))


def event_of(activity: Activity) -> Event:
    """Return an activity as journeys see it."""
    return Event(
        position=activity.position,
        name=activity.name,
        occurred_at=activity.occurred_at,
        properties=activity.properties,
    )


def is_marker(activity: Activity) -> bool:
    """Say whether an activity tells that profiles were joined or parted."""
    return activity.source_id == SYSTEM_SOURCE_ID and activity.name in (_MERGED, _UNMERGED)


def _ids_of(activity: Activity) -> Sequence[Any]:
    found = (activity.properties.get("loser_id"), activity.properties.get("winner_id"))
    return [each for each in found if isinstance(each, int)]


def forget_ways(*, profile_ids: list[int]) -> int:
    """Delete the ways of erased profiles; return how many there were.

    The consumer's turn is taken for it, so that a turn under way cannot write them down again.
    During a rebuild there is no turn to take: then nobody is writing. What is in the send ledger
    is not touched.
    """
    for _ in range(_TRIES):
        with transaction() as connection:
            if store.claim_consumer(connection=connection, name=CONSUMER) is not None:
                return _forget(connection, profile_ids)
        time.sleep(_WAIT_SECONDS)
    with transaction() as connection:
        return _forget(connection, profile_ids)


def _forget(connection: Connection, profile_ids: list[int]) -> int:
    row = connection.execute(_SQL["journeys_forget"], {"ids": profile_ids}).fetchone()
    assert row is not None
    deleted: int = row[0]
    return deleted
