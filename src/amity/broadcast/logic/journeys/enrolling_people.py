"""The people a turn is about: who they are by now, their ways, and what rules may ask of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from amity.analysis import api as analysis
from amity.broadcast.logic.journeys.enrolling_book import Book, Drawing
from amity.broadcast.logic.journeys.enrolling_runs import Ledger, Run, read_run
from amity.broadcast.logic.journeys.stepping import end
from amity.broadcast.node import Node
from amity.infra import queries
from amity.infra.database import Connection
from amity.rules import Look, Subject, join_looks
from amity.store import api as store
from amity.store.contracts import Activity

_SQL: Final = queries.load("amity.broadcast")
_MARGIN_DAYS: Final = 1e-4
_PATIENCE: Final = timedelta(hours=1)


class Begin(NamedTuple):
    """Somebody did what begins a journey."""

    drawing: Drawing
    activity: Activity


class People:
    """Profiles by the id that lives on, with their open ways."""

    def __init__(self, connection: Connection, book: Book, now: datetime) -> None:
        self._connection = connection
        self._book = book
        self._now = now
        self._roots: dict[int, int] = {}
        self._members: dict[int, int] = {}
        self._runs: dict[int, list[Run]] = {}
        self._under_way: set[tuple[int, int]] = set()
        self._last_entries: dict[tuple[int, int], datetime] = {}
        self._looks: dict[str, Look] = {}
        self._needs_profiles = False
        self._together: frozenset[tuple[str, int | None]] = frozenset()
        self._subjects: dict[int, Subject | None] = {}
        self._ids: list[int] = []

    def load(self, ids: Iterable[int], book_of_changes: Ledger) -> None:
        """Load all open ways of these people, those that began before a merge included.

        Of two ways through one journey that a merge brought together the older goes on (rule
        D33), the other ends as `merged`.
        """
        wanted = {"ids": sorted(set(ids))}
        self._roots = dict(self._rows("journeys_roots", wanted))
        roots = sorted(set(self._roots.values()))
        self._members = dict(self._rows("journeys_joined", {"ids": roots}))
        everybody = {*wanted["ids"], *roots, *self._members}
        rows = self._rows("journeys_open", {"ids": sorted(everybody)})
        # The oldest first.
        rows.sort(key=lambda row: (row[6], row[0]))
        stuck = [row[0] for row in rows if not self._hold(row, book_of_changes)]
        if stuck:
            later = self._now + _PATIENCE
            self._connection.execute(_SQL["journeys_put_off"], {"ids": stuck, "until": later})

    def _rows(self, name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(_SQL[name], arguments, binary=True).fetchall()

    def _hold(self, row: tuple[Any, ...], book_of_changes: Ledger) -> bool:
        """Take one way in hand; False when its drawing cannot be read."""
        journey_id, version, profile_id = row[1], row[2], row[3]
        root = self.find_root(profile_id) or profile_id
        drawing = self._book.find(journey_id, version)
        if drawing is None:
            self._under_way.add((root, journey_id))
            return False
        run = read_run(row, drawing, root)
        if (root, journey_id) in self._under_way:
            book_of_changes.take(run, end(run.state, "merged"))
            return True
        if root != profile_id:
            book_of_changes.touch(run)
        self.add(run)
        return True

    def find_root(self, profile_id: int) -> int | None:
        """Return who a loaded profile is by now; None when it is gone."""
        return self._members.get(profile_id) or self._roots.get(profile_id)

    def follow_markers(self, *, merged: set[int], parted: set[int]) -> None:
        """Give ways that are over to whom a merge made of their people.

        After a merge was undone, all ways go back to whom they began with, the open ones too;
        what had ended by the merge stays ended.
        """
        if merged:
            roots = dict(self._rows("journeys_roots", {"ids": sorted(merged)}))
            moved = {old: root for old, root in roots.items() if old != root}
            self._move("journeys_move_ended", moved)
        if parted:
            strayed = self._rows("journeys_strayed", {"ids": sorted(parted)})
            origins = {"ids": sorted({origin for origin, _ in strayed})}
            self._move("journeys_move_back", dict(self._rows("journeys_roots", origins)))

    def _move(self, name: str, moved: dict[int, int]) -> None:
        if moved:
            columns = {"ids": list(moved), "roots": list(moved.values())}
            self._connection.execute(_SQL[name], columns)

    def add(self, run: Run) -> None:
        """Take a way in hand."""
        self._runs.setdefault(run.profile_id, []).append(run)
        self._under_way.add((run.profile_id, run.drawing.journey_id))

    def runs_of(self, profile_id: int) -> list[Run]:
        """Return the open ways of a person."""
        return [run for run in self._runs.get(profile_id, ()) if run.is_open]

    def _is_under_way(self, profile_id: int, journey_id: int) -> bool:
        runs = self._runs.get(profile_id, ())
        held = [run for run in runs if run.drawing.journey_id == journey_id]
        if held:
            return any(run.is_open for run in held)
        return (profile_id, journey_id) in self._under_way

    def list_due(self, until: datetime) -> Iterator[Run]:
        """Give the ways whose time has come; none of a paused journey."""
        for runs in list(self._runs.values()):
            for run in runs:
                due_at = run.state.due_at
                is_paused = run.drawing.journey_id in self._book.paused
                if run.is_open and due_at is not None and due_at <= until and not is_paused:
                    yield run

    # Beginning

    def prepare(self, begins: list[Begin]) -> None:
        """Load what is asked of those who are about to begin."""
        if not begins:
            return
        ids: dict[int, list[int]] = {}
        for begin in begins:
            ids.setdefault(begin.activity.profile_id, [])
        for member, root in self._members.items():
            if root in ids:
                ids[root].append(member)
        everybody = {*ids, *(member for members in ids.values() for member in members)}
        journeys = {begin.drawing.journey_id for begin in begins}
        wanted = {"ids": sorted(everybody), "journey_ids": sorted(journeys)}
        for profile_id, journey_id, at in self._rows("journeys_last_entries", wanted):
            self._note_entry(self._members.get(profile_id, profile_id), journey_id, at)
        drawn = self._connection.execute(_SQL["journeys_draw_ids"], [len(begins)])
        self._ids = sorted((row[0] for row in drawn), reverse=True)

    def _note_entry(self, profile_id: int, journey_id: int, at: datetime) -> None:
        key = (profile_id, journey_id)
        self._last_entries[key] = max(at, self._last_entries.get(key, at))

    def may_begin(self, begin: Begin) -> bool:
        """Say whether somebody is not under way, and was not lately."""
        key = (begin.activity.profile_id, begin.drawing.journey_id)
        if self._is_under_way(*key):
            return False
        last = self._last_entries.get(key)
        if last is None:
            return True
        days = begin.drawing.definition.reentry_days
        return days is not None and begin.activity.occurred_at - last >= timedelta(days=days)

    def begin(self, run: Run) -> None:
        """Take somebody's new way in hand."""
        run.is_new = True
        self.add(run)
        self._note_entry(run.profile_id, run.drawing.journey_id, run.state.entry.occurred_at)

    def draw_id(self) -> int:
        """Return the id of a new way; those who begin later have higher ones."""
        return self._ids.pop()

    # What rules may ask

    def foresee(self, begins: list[Begin], heard: list[Activity], until: datetime) -> None:
        """Load at once whom branches will ask about in this turn, as far as can be told."""
        asked: set[int] = set()
        nodes: dict[int, tuple[Node, datetime]] = {}
        for begin in begins:
            at = begin.activity.occurred_at
            if begin.drawing.asking[""]:
                asked.add(begin.activity.profile_id)
            _note(nodes, begin.drawing, at)
        for run in (run for runs in self._runs.values() for run in runs):
            _note(nodes, run.drawing, run.state.entry.occurred_at)
        asked |= {run.profile_id for run in self.list_due(until) if _asks(run)}
        for activity in heard:
            for run in self.runs_of(activity.profile_id):
                node = run.drawing.definition.nodes.get(run.state.node)
                if node is not None and activity.name in node.listens() and _asks(run):
                    asked.add(run.profile_id)
        days = timedelta(days=1)
        self._looks = join_looks(
            node.looks((self._now - min(at, self._now)) / days + _MARGIN_DAYS)
            for node, at in nodes.values()
        )
        self._needs_profiles = any(node.needs_profile() for node, _ in nodes.values())
        self._together = frozenset().union(*(node.asks_together() for node, _ in nodes.values()))
        self._load_subjects(asked)

    def subject_for(self, run: Run) -> Subject | None:
        """Return the person as rules see them, when the next step may ask."""
        if not _asks(run):
            return None
        if run.profile_id not in self._subjects:
            self._load_subjects({run.profile_id})
        return self._subjects[run.profile_id]

    def _load_subjects(self, profile_ids: set[int]) -> None:
        if not profile_ids:
            return
        ids = sorted(profile_ids)
        if self._needs_profiles:
            found = analysis.load_subjects(
                connection=self._connection,
                profile_ids=ids,
                looks=self._looks,
                together=self._together,
                now=self._now,
            )
            self._subjects |= {profile_id: found.get(profile_id) for profile_id in ids}
            return
        histories = store.load_histories(
            connection=self._connection,
            profile_ids=ids,
            wishes=store.make_wishes(self._looks, self._now),
        )
        self._subjects |= {
            profile_id: Subject(history=histories.get(profile_id, {})) for profile_id in ids
        }


def _asks(run: Run) -> bool:
    return bool(run.drawing.asking.get(run.state.node))


def _note(nodes: dict[int, tuple[Node, datetime]], drawing: Drawing, at: datetime) -> None:
    """Note the asking nodes of a drawing with the oldest way through it."""
    for node in drawing.definition.nodes.values():
        if node.asks:
            known = nodes.get(id(node))
            nodes[id(node)] = (node, at if known is None else min(known[1], at))
