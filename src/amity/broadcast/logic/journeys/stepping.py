"""The pure step of a journey: (definition, state, event or time) → (state, actions).

No clock, no database, no die: the same inputs give the same outputs, live, in a replay and in a
simulation. Whoever calls it keeps the state and carries the actions out, both or neither.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from amity.broadcast.logic.journeys.definition import Definition
from amity.broadcast.node import Action, Context, Event, Node, Outcome, Stay
from amity.rules import Subject

_log = logging.getLogger("amity.journeys")

MOST_NODES: Final = 100
"""So many nodes one step passes at most; a drawing that wants more goes round for ever."""

Ending = Literal["", "finished", "exit", "merged", "archived", "gone", "failed"]
ENTERED: Final = ""
"""In a trace, the edge of somebody who came to a node."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where one person stands in a journey; plain JSON but for the event that began it."""

    seed: str
    entry: Event
    node: str = ""
    """"" before the first step; when it has ended, the node it ended at."""
    arrived_at: datetime | None = None
    due_at: datetime | None = None
    memory: dict[str, Any] = {}
    visits: dict[str, int] = {}
    woken: Event | None = None
    """What woke the person while the journey was paused; answered when it goes on."""
    ending: Ending = ""


class Planned(msgspec.Struct, frozen=True):
    """An action with the node that asked for it and which visit of it this was."""

    node: str
    visit: int
    action: Action

    @property
    def key(self) -> str:
        """What tells it apart from all others of this person's way."""
        return f"{self.node}:{self.visit}"


class Passed(msgspec.Struct, frozen=True):
    """One thing to count: somebody came to a node (edge ""), or left it by an edge.

    An ending that is not an edge is written as "!" and its name.
    """

    node: str
    edge: str


class Step(msgspec.Struct, frozen=True):
    """What a step came to."""

    state: State
    actions: tuple[Planned, ...] = ()
    passed: tuple[Passed, ...] = ()


def enrol(event: Event, *, seed: str, now: datetime) -> State:
    """Return the state of somebody who is about to begin; the first step leads to the first node.

    An event dated in the future began it now.
    """
    began = msgspec.structs.replace(event, occurred_at=min(event.occurred_at, now))
    return State(seed=seed, entry=began)


def step(
    definition: Definition,
    state: State,
    event: Event | None,
    *,
    now: datetime,
    subject: Subject | None = None,
) -> Step:
    """Take one step: by an event, or with None by the time.

    Nothing happens when the event does not concern the state, or the time has not come. A node
    that raises ends this person's way as `failed`, and nobody else's.
    """
    if state.ending:
        return Step(state)
    if event is not None and is_exit(definition, state, event):
        return end(state, "exit")
    turn = _Turn(definition, state, now, subject)
    if not state.node:
        turn.enter(definition.start, state.entry.occurred_at)
    elif state.node not in definition.nodes:
        return end(state, "failed")
    elif event is not None:
        if event.name in definition.nodes[state.node].listens():
            turn.resume(event)
    elif state.due_at is not None and state.due_at <= now:
        turn.resume(state.woken)
    return Step(turn.state, tuple(turn.actions), tuple(turn.passed))


def hold(definition: Definition, state: State, event: Event) -> Step:
    """Take an event while the journey is paused: an exit counts, all else waits for later."""
    if state.ending or is_exit(definition, state, event):
        return step(definition, state, event, now=event.occurred_at)
    node = definition.nodes.get(state.node)
    if node is None or event.name not in node.listens() or state.woken is not None:
        return Step(state)
    try:
        answer = node.resume(_context(state, event.occurred_at, None), event)
    except Exception as error:
        _warn(state, "it cannot go on", error)
        return end(state, "failed")
    if isinstance(answer, Stay):
        return Step(state)
    return Step(msgspec.structs.replace(state, woken=event, due_at=event.occurred_at))


def end(state: State, ending: Ending) -> Step:
    """End somebody's way where they stand."""
    ended = msgspec.structs.replace(
        state, ending=ending, due_at=None, woken=None, memory={}, arrived_at=None
    )
    passed = (Passed(state.node, f"!{ending}"),) if state.node else ()
    return Step(ended, (), (*passed, Passed("", f"!{ending}")))


def is_exit(definition: Definition, state: State, event: Event) -> bool:
    """Say whether an event ends the way: it happened after the way began, however late it comes."""
    leave = definition.exit
    return (
        leave is not None
        and event.position != state.entry.position
        and event.occurred_at >= state.entry.occurred_at
        and leave.matches(event.name, event.properties, event.occurred_at)
    )


def encode_state(state: State) -> dict[str, Any]:
    """Write what has no column of its own as plain JSON values."""
    plain: dict[str, Any] = {}
    if state.arrived_at is not None:
        plain["arrived_at"] = state.arrived_at
    for name in ("memory", "visits"):
        if getattr(state, name):
            plain[name] = getattr(state, name)
    if state.woken is not None:
        plain["woken"] = msgspec.to_builtins(state.woken)
    return plain


class _Turn:
    """One step under way."""

    def __init__(
        self, definition: Definition, state: State, now: datetime, subject: Subject | None
    ) -> None:
        self._nodes: Mapping[str, Node] = definition.nodes
        self.state = state
        self._now = now
        self._subject = subject
        self.actions: list[Planned] = []
        self.passed: list[Passed] = []

    def resume(self, event: Event | None) -> None:
        """Ask the node somebody stays at, and go on from there."""
        node = self._nodes[self.state.node]
        context = _context(self.state, self._now, self._subject)
        try:
            outcome = node.resume(context, event)
        except Exception as error:
            self._fail("it cannot go on", error)
            return
        if not isinstance(outcome, Stay):
            self._follow(node, outcome)
        elif event is None and outcome.due_at is not None and outcome.due_at <= self._now:
            self._fail("it wants to be woken at once, for ever")
        else:
            self._stay(outcome)

    def enter(self, name: str, at: datetime) -> None:
        """Come to a node, and go on until one stays or the journey is over."""
        for _ in range(MOST_NODES):
            node = self._nodes.get(name)
            if node is None:
                self._fail(f"no node {name!r}")
                return
            self._arrive(name, at)
            try:
                outcome = node.enter(_context(self.state, self._now, self._subject))
            except Exception as error:
                self._fail("it cannot answer", error)
                return
            if isinstance(outcome, Stay):
                self._stay(outcome)
                return
            target = self._leave(node, outcome)
            if target is None:
                return
            name = target
        self._fail("too many nodes in one step")

    def _arrive(self, name: str, at: datetime) -> None:
        visits = {**self.state.visits, name: self.state.visits.get(name, 0) + 1}
        self.state = msgspec.structs.replace(
            self.state,
            node=name,
            arrived_at=at,
            due_at=None,
            memory={},
            visits=visits,
            woken=None,
        )
        self.passed.append(Passed(name, ENTERED))

    def _stay(self, outcome: Stay) -> None:
        self.state = msgspec.structs.replace(
            self.state, due_at=outcome.due_at, memory=outcome.memory, woken=None
        )

    def _follow(self, node: Node, outcome: Outcome) -> None:
        assert not isinstance(outcome, Stay)
        target = self._leave(node, outcome)
        if target is not None:
            self.enter(target, self._now)

    def _leave(self, node: Node, outcome: Outcome) -> str | None:
        """Return where the edge leads; None when the way is over."""
        assert not isinstance(outcome, Stay)
        here = self.state.node
        edges = node.edges()
        if outcome.edge not in edges:
            self._fail(f"no edge {outcome.edge!r}")
            return None
        visit = self.state.visits.get(here, 1)
        self.actions += [Planned(here, visit, action) for action in outcome.actions]
        self.passed.append(Passed(here, outcome.edge))
        target = edges[outcome.edge]
        if target:
            return target
        self.state = msgspec.structs.replace(
            self.state, ending="finished", due_at=None, woken=None, memory={}, arrived_at=None
        )
        self.passed.append(Passed("", "!finished"))
        return None

    def _fail(self, why: str, error: Exception | None = None) -> None:
        _warn(self.state, why, error)
        ended = end(self.state, "failed")
        self.state = ended.state
        self.passed += ended.passed


def _warn(state: State, why: str, error: Exception | None) -> None:
    _log.warning("way %s of a journey fails at %r: %s", state.seed, state.node, why, exc_info=error)


def _context(state: State, now: datetime, subject: Subject | None) -> Context:
    return Context(
        node=state.node,
        visit=state.visits.get(state.node, 1),
        seed=state.seed,
        entry=state.entry,
        arrived_at=state.arrived_at or state.entry.occurred_at,
        due_at=state.due_at,
        memory=state.memory,
        now=now,
        subject=subject,
    )
