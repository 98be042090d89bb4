"""Every journey node of the registry keeps what the plug point promises."""

import random
from datetime import timedelta
from typing import ClassVar

import pytest

from amity.broadcast.node import NODES, Node, Stay, Take, load_nodes
from amity.kernel.registry import RegistrationError, Registry
from amity.testing.nodes_kit import check_node


@pytest.mark.parametrize("name", load_nodes().names())
def test_node_conforms(name):
    kind = load_nodes()[name]
    assert kind.__struct_config__.tag == name
    check_node(kind)


def test_the_five_kinds_are_found_without_a_list():
    assert {"wait", "branch", "email", "cohort", "wait_for"} <= set(load_nodes().names())


class _Broken(Node, frozen=True, tag="broken"):
    """Keeps all promises; each child breaks one."""

    next: str = ""

    title: ClassVar[str] = "Broken"
    about: ClassVar[str] = "Breaks something."
    setting_words: ClassVar[dict[str, str]] = {}
    waits: ClassVar[bool] = True

    def enter(self, context):
        return Stay(context.arrived_at + timedelta(hours=1))

    def resume(self, context, event):
        return Take("next")

    def describe(self, names):
        return "breaks"

    @classmethod
    def examples(cls):
        return [cls()]


def _breaking(**methods):
    return type("_Child", (_Broken,), methods, frozen=True, tag="broken")


BROKEN = {
    "says it waits, and does not": {"enter": lambda self, context: Take("next")},
    "an edge that is not there": {"resume": lambda self, context, event: Take("nowhere")},
    "for ever": {"enter": lambda self, context: Stay(None)},
    "a bit at a time": {
        "resume": lambda self, context, event: Stay(context.now + timedelta(days=1))
    },
    "time stands still": {"resume": lambda self, context, event: Stay(context.now)},
    "a die": {
        "enter": lambda self, context: Stay(context.arrived_at + timedelta(seconds=random.random()))
    },
    "memory that is not plain": {
        "enter": lambda self, context: Stay(
            context.arrived_at + timedelta(hours=1), {"at": context.now}
        )
    },
    "no words": {"describe": lambda self, names: " "},
    "answers to what was before": {"listens": lambda self: frozenset({"X"})},
}


@pytest.fixture
def registered():
    """The kind `broken`, for as long as a test lasts."""

    def add(kind):
        NODES._items["broken"] = kind
        return kind

    yield add
    NODES._items.pop("broken", None)


def test_the_kit_lets_a_node_pass_that_keeps_its_promises(registered):
    check_node(registered(_Broken))


@pytest.mark.parametrize("why", BROKEN)
def test_the_kit_catches_those_who_break_a_promise(why, registered):
    kind = registered(_breaking(**BROKEN[why]))
    with pytest.raises(AssertionError):
        check_node(kind)


def test_what_is_no_node_is_refused_at_the_door():
    with pytest.raises(RegistrationError):
        Registry(Node, group="amity.nodes").add("wrong", dict)
