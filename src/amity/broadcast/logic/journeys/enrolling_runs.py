"""Ways through journeys as a turn holds them: loaded, stepped, and written back at once."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.broadcast.logic.journeys.enrolling_book import Drawing
from amity.broadcast.logic.journeys.stepping import Passed, Planned, State, Step, encode_state
from amity.broadcast.node import Event
from amity.infra import queries
from amity.infra.database import Connection

_SQL: Final = queries.load("amity.broadcast")


class Rest(msgspec.Struct):
    """What lies in the column `state`."""

    arrived_at: datetime | None = None
    memory: dict[str, Any] = {}
    visits: dict[str, int] = {}
    woken: Event | None = None


class Run:
    """One person's way through a journey, in the hands of this turn."""

    def __init__(self, enrolment_id: int, drawing: Drawing, profile_id: int, state: State) -> None:
        self.enrolment_id = enrolment_id
        self.drawing = drawing
        self.profile_id = profile_id
        self.state = state
        self.is_new = False
        self.is_changed = False
        self.actions: list[Planned] = []

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return not self.state.ending


def read_run(row: tuple[Any, ...], drawing: Drawing, root: int) -> Run:
    """Make a way of a row of `journeys_open`; ``root`` is who the person is by now."""
    rest = msgspec.convert(row[9], Rest)
    entry = Event(
        position=row[5],
        name=drawing.definition.entry.event,
        occurred_at=row[6],
        properties=row[7],
    )
    state = State(
        seed=seed_of(row[1], row[4], row[5]),
        entry=entry,
        node=row[8],
        arrived_at=rest.arrived_at,
        due_at=row[10],
        memory=rest.memory,
        visits=rest.visits,
        woken=rest.woken,
    )
    return Run(row[0], drawing, root, state)


def seed_of(journey_id: int, origin_id: int, position: int) -> str:
    """Return what a way's draws are made from; a merge does not change it."""
    return f"{journey_id}:{origin_id}:{position}"


class Ledger:
    """What a turn changes: ways, counts and messages; written by `write`, set-wise."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._counts: Counter[tuple[int, int, str, str]] = Counter()

    @property
    def runs(self) -> Iterable[Run]:
        """Those touched in this turn."""
        return self._runs.values()

    def take(self, run: Run, step: Step) -> None:
        """Note a step of a way."""
        if step.state is run.state and not step.passed:
            return
        run.state = step.state
        run.actions += step.actions
        self.touch(run)
        for passed in step.passed:
            self.count(run.drawing, passed)

    def touch(self, run: Run) -> None:
        """Note that a way must be written."""
        run.is_changed = True
        self._runs[run.enrolment_id] = run

    def count(self, drawing: Drawing, passed: Passed) -> None:
        """Count somebody who came or left."""
        self._counts[drawing.journey_id, drawing.version, passed.node, passed.edge] += 1

    def write(self, connection: Connection, now: datetime) -> None:
        """Write ways and counts."""
        runs = list(self._runs.values())
        # Those that end first: each person has at most one open way through a journey.
        held = [run for run in runs if not run.is_new]
        ended = [_row(run, now) for run in held if not run.is_open]
        _write(connection, "journeys_update", ended)
        _write(connection, "journeys_update", [_row(run, now) for run in held if run.is_open])
        _write(connection, "journeys_insert", [_new_row(run, now) for run in runs if run.is_new])
        if self._counts:
            rows = sorted((*key, count) for key, count in self._counts.items())
            names = ("journey_id", "version", "node", "edge", "count")
            connection.execute(
                _SQL["journeys_count"],
                dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)),
            )


def _row(run: Run, now: datetime) -> dict[str, Any]:
    return {
        "id": run.enrolment_id,
        "profile_id": run.profile_id,
        "node": run.state.node,
        "state": encode_state(run.state),
        "due_at": run.state.due_at,
        "ended_at": None if run.is_open else now,
        "ending": run.state.ending,
    }


def _new_row(run: Run, now: datetime) -> dict[str, Any]:
    return _row(run, now) | {
        "journey_id": run.drawing.journey_id,
        "version": run.drawing.version,
        "entry_position": run.state.entry.position,
        "entered_at": run.state.entry.occurred_at,
        "entry": run.state.entry.properties,
    }


def _write(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_SQL[name], [msgspec.json.encode(rows).decode()])
