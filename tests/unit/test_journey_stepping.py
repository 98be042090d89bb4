"""The pure step of a journey, one case at a time."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
import pytest

from amity.broadcast.logic.journeys.definition import decode_definition
from amity.broadcast.logic.journeys.stepping import State, enrol, hold, step
from amity.broadcast.node import NODES, Event, Node, Stay, Take
from amity.rules import Subject

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def drawing(start="a", exit=None, **nodes):
    return decode_definition(
        {"entry": {"event": "Begun"}, "exit": exit, "start": start, "nodes": nodes}
    )


def event(name, at=NOW, position=2, **properties):
    return Event(position=position, name=name, occurred_at=at, properties=properties)


def begin(definition, at=NOW, now=NOW, subject=None, seed="1:1:1"):
    state = enrol(event("Begun", at, position=1), seed=seed, now=now)
    return step(definition, state, None, now=now, subject=subject)


def test_nodes_that_do_not_wait_are_passed_in_one_step():
    journey = drawing(
        a={"kind": "email", "template_id": 1, "next": "b"},
        b={"kind": "email", "template_id": 2, "next": "c"},
        c={"kind": "wait", "seconds": 60, "next": ""},
    )
    first = begin(journey)
    assert [(each.key, each.action.template_id) for each in first.actions] == [
        ("a:1", 1),
        ("b:1", 2),
    ]
    assert (first.state.node, first.state.due_at) == ("c", NOW + MINUTE)
    early = step(journey, first.state, None, now=NOW + MINUTE - timedelta(microseconds=1))
    assert early.state is first.state
    done = step(journey, first.state, None, now=NOW + MINUTE)
    assert (done.state.ending, done.actions) == ("finished", ())
    assert step(journey, done.state, event("X"), now=NOW).state is done.state


def test_a_round_counts_its_visits():
    journey = drawing(
        a={"kind": "wait", "seconds": 60, "next": "b"},
        b={"kind": "email", "template_id": 1, "next": "c"},
        c={"kind": "branch", "did": "Stop", "yes": "", "no": "a"},
    )
    state, keys, now = begin(journey).state, [], NOW
    for _ in range(3):
        now += MINUTE
        taken = step(journey, state, None, now=now, subject=Subject())
        state = taken.state
        keys += [each.key for each in taken.actions]
    assert keys == ["b:1", "b:2", "b:3"]
    stopped = Subject(history={"Stop": [(NOW + 3 * MINUTE, {})]})
    assert step(journey, state, None, now=now + MINUTE, subject=stopped).state.ending == "finished"


def test_an_exit_counts_by_when_it_happened():
    journey = drawing(exit={"event": "Bought"}, a={"kind": "wait", "days": 1})
    state = begin(journey).state
    assert step(journey, state, event("Bought", NOW - MINUTE), now=NOW).state is state
    late = step(journey, state, event("Bought", NOW + MINUTE), now=NOW + 600 * MINUTE)
    assert late.state.ending == "exit"
    same = event("Bought", NOW, position=1)
    assert step(journey, state, same, now=NOW).state is state


def test_done_since_entry_leaves_out_the_entry_itself():
    journey = drawing(
        a={"kind": "branch", "did": "Begun", "yes": "b", "no": ""}, b={"kind": "wait", "days": 1}
    )
    only = Subject(history={"Begun": [(NOW - MINUTE, {}), (NOW, {})]})
    assert begin(journey, now=NOW + MINUTE, subject=only).state.ending == "finished"
    again = Subject(history={"Begun": [(NOW, {}), (NOW + timedelta(seconds=1), {})]})
    assert begin(journey, now=NOW + MINUTE, subject=again).state.node == "b"
    future = Subject(history={"Begun": [(NOW, {}), (NOW + 9 * MINUTE, {})]})
    assert begin(journey, now=NOW + MINUTE, subject=future).state.ending == "finished"


def test_an_entry_dated_in_the_future_began_now():
    journey = drawing(a={"kind": "wait", "seconds": 60})
    assert begin(journey, at=NOW + timedelta(days=400)).state.due_at == NOW + MINUTE


def test_a_split_by_chance_keeps_its_shares_and_its_word():
    journey = drawing(
        a={"kind": "cohort", "arms": {"x": {"share": 3, "next": "b"}, "y": {}}},
        b={"kind": "wait", "days": 1},
    )
    drawn = [begin(journey, seed=f"1:{n}:1").state.node for n in range(2000)]
    assert 1420 < drawn.count("b") < 1580  # 1500 ± 4 standard deviations
    assert drawn == [begin(journey, seed=f"1:{n}:1").state.node for n in range(2000)]


def test_while_paused_what_is_waited_for_is_kept_and_an_exit_counts():
    journey = drawing(
        exit={"event": "Bought"},
        a={"kind": "wait_for", "event": "Clicked", "seconds": 60, "happened": "b"},
        b={"kind": "email", "template_id": 1},
    )
    state = begin(journey).state
    held = hold(journey, state, event("Clicked", NOW + MINUTE / 2)).state
    assert (held.node, held.ending) == ("a", "")
    assert hold(journey, held, event("Clicked", NOW + MINUTE / 3)).state is held
    assert hold(journey, state, event("Other")).state is state
    assert hold(journey, held, event("Bought", NOW + MINUTE)).state.ending == "exit"
    went_on = step(journey, held, None, now=NOW + 90 * MINUTE)
    assert [each.key for each in went_on.actions] == ["b:1"]


class _Raises(Node, frozen=True, tag="raises"):
    """Fails in one of the ways a node can."""

    how: str = "enter"
    next: str = ""

    title: ClassVar[str] = "Raises"
    about: ClassVar[str] = "Fails."
    setting_words: ClassVar[dict[str, str]] = {"how": "where"}
    waits: ClassVar[bool] = True

    def enter(self, context):
        if self.how == "enter":
            raise ValueError(self.how)
        return Take("nowhere") if self.how == "edge" else Stay(context.now)

    def resume(self, context, event):
        if self.how == "resume":
            raise ValueError(self.how)
        return Stay(context.now)

    def listens(self):
        return frozenset({"Clicked"})

    def describe(self, names):
        return "raises"


@pytest.fixture
def raises():
    NODES.add("raises", _Raises)
    yield
    NODES._items.pop("raises")


@pytest.mark.parametrize("how", ["enter", "edge", "resume", "at once"])
def test_a_node_that_fails_ends_this_way_only(raises, how):
    journey = drawing(a={"kind": "raises", "how": how})
    state = begin(journey).state
    if not state.ending:
        state = step(journey, state, None, now=NOW).state
    assert state.ending == "failed"
    if how == "resume":
        state = hold(journey, begin(journey).state, event("Clicked")).state
        assert state.ending == "failed"


def test_a_round_without_a_wait_is_broken_off(raises):
    definition = msgspec.structs.replace(
        drawing(a={"kind": "email", "template_id": 1}),
        nodes=drawing(a={"kind": "email", "template_id": 1, "next": "a"}).nodes,
    )
    broken = begin(definition)
    assert broken.state.ending == "failed"
    assert len(broken.actions) <= 100


def test_a_state_whose_node_is_not_there_any_more_fails():
    journey = drawing(a={"kind": "wait", "days": 1})
    lost = State(seed="s", entry=event("Begun"), node="z", due_at=NOW)
    assert step(journey, lost, None, now=NOW).state.ending == "failed"
