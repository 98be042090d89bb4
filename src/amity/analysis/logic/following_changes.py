"""What one turn of the follower decides, gathered and then written set-wise."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from amity.infra import arrays, queries
from amity.infra.database import Connection
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_EVENTS_AT_ONCE: Final = 5000

ENTERED: Final = "Segment Entered"
LEFT: Final = "Segment Left"
Cause = Literal["event", "time", "score", "definition"]
"""Why a membership changed: something happened, time passed, a score was computed anew, or the
segment is new or changed."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that enters a segment or leaves it."""

    segment_id: int
    segment_name: str
    profile_id: int
    is_entry: bool
    cause: Cause


class Changes:
    """The changes and timers of one turn."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._changes: list[Change] = []
        self._timers: dict[tuple[int, int], datetime | None] = {}
        self._sent = 0
        self._ready: list[store.Ready] = []

    def add(self, change: Change) -> None:
        """Note that a profile enters or leaves."""
        self._changes.append(change)

    def set_timer(self, segment_id: int, profile_id: int, due_at: datetime | None) -> None:
        """Note when to look again; None for not at all."""
        self._timers[segment_id, profile_id] = due_at

    def list_changed(self) -> list[tuple[int, int]]:
        """Return the profile and the segment of each change."""
        return [(change.profile_id, change.segment_id) for change in self._changes]

    def send(self, connection: Connection) -> None:
        """Write what was noted since the last time, all but the events, and wait for nothing.

        That is so in a pipeline of the connection.
        """
        changes = self._changes[self._sent :]
        self._sent = len(self._changes)
        for name, is_entry in (("leave", False), ("enter", True)):
            pairs = [
                (change.segment_id, change.profile_id)
                for change in changes
                if change.is_entry == is_entry
            ]
            if pairs:
                connection.execute(_SQL[name], [self.now, *_columns(sorted(pairs))])
        self._send_timers(connection)

    def _send_timers(self, connection: Connection) -> None:
        timers, self._timers = self._timers, {}
        gone = [pair for pair, due_at in timers.items() if due_at is None]
        if gone:
            connection.execute(_SQL["forget_timers_of"], _columns(gone))
        kept = sorted((*pair, due_at) for pair, due_at in timers.items() if due_at is not None)
        if kept:
            *pairs, times = zip(*kept, strict=True)
            given = [*map(arrays.numbers, pairs), arrays.instants(times)]
            connection.execute(_SQL["set_timers"], given)

    def write(self, connection: Connection) -> None:
        """Write everything in the caller's transaction."""
        self.send(connection)
        moved = [(each.segment_id, 1 if each.is_entry else -1) for each in self._changes]
        add_members(connection, moved, self.now)
        self.make_ready()
        for ready in self._ready:
            store.record_ready(connection=connection, ready=ready)

    def make_ready(self) -> None:
        """Make the events of what was noted ready, those that are not yet."""
        done = sum(ready.count for ready in self._ready)
        self._ready += ready_changes(self._changes[done:], self.now)


def _columns(rows: Iterable[tuple[int, ...]]) -> list[str]:
    return [arrays.numbers(column) for column in zip(*rows, strict=True)]


def add_members(connection: Connection, changes: Iterable[tuple[int, int]], now: datetime) -> None:
    """Count members that came (1) or went (-1), by segment."""
    totals: Counter[int] = Counter()
    for segment_id, change in changes:
        totals[segment_id] += change
    if totals:
        connection.execute(_SQL["add_members"], _columns(totals.items()))
        count_today(connection, now, list(totals))


def ready_changes(changes: list[Change], now: datetime) -> list[store.Ready]:
    """Make an event for each change ready; one of the same change a second time is left out."""
    # Not in digits: sixteen of them are looked through for card numbers, event by event.
    stamp = f"{int(now.timestamp() * 1_000_000):x}"
    # Those that say the same share it: then the store reads one of them.
    kinds = {(each.segment_id, each.segment_name, each.cause) for each in changes}
    names = ("segment_id", "segment_name", "cause")
    said = {kind: dict(zip(names, kind, strict=True)) for kind in kinds}
    events = [
        store.SystemEvent(
            profile_id=change.profile_id,
            name=ENTERED if change.is_entry else LEFT,
            properties=said[change.segment_id, change.segment_name, change.cause],
            message_id=(
                f"segment-{change.segment_id}-{change.profile_id}-"
                f"{'in' if change.is_entry else 'out'}-{stamp}"
            ),
        )
        for change in changes
    ]
    return [
        store.ready_events(events=events[start : start + _EVENTS_AT_ONCE], now=now)
        for start in range(0, len(events), _EVENTS_AT_ONCE)
    ]


def record_changes(connection: Connection, changes: list[Change], now: datetime) -> None:
    """Record an event for each change; one of the same change a second time is left out."""
    for ready in ready_changes(changes, now):
        store.record_ready(connection=connection, ready=ready)


def count_today(connection: Connection, now: datetime, segment_ids: list[int] | None) -> None:
    """Put down how many are in the segments today; None for every one."""
    connection.execute(_SQL["count_today"], {"day": now.date(), "segment_ids": segment_ids})
