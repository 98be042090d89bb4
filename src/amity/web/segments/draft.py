"""A rule while it is being written: a tree of conditions whose values are still text.

A draft can hold what a rule cannot: an empty name, a number that is not one. So nothing typed is
lost while something is wrong. Paths such as `r.of.0.where.1` name a place in it; they are also the
names of its form fields.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from amity.web.segments.more import find_kind, rows_of
from amity.web.segments.more_editing import add_part, drop_part, shift_tests

Mode = Literal["all", "any", "none", "not_all"]
Times = Literal["at_least", "at_most", "exactly", "between", "never"]
Word = Literal["consent", "said_yes"]
WindowKind = Literal["ever", "days", "this", "last"]
AsType = Literal["text", "number", "boolean", "json"]

ROOT: Final = "r"
MAX_DEPTH: Final = 6
MAX_CONDITIONS: Final = 60


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """An operator and what was typed for it, by parameter."""

    __test__ = False

    op: str = "eq"
    values: dict[str, str] = {}
    as_type: AsType = "text"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A test of a trait (`field` is `trait`, with its name) or of a profile field."""

    field: str = "trait"
    name: str = ""
    test: Test = Test()


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """A test of one property of an event."""

    property: str = ""
    test: Test = Test()


class Did(msgspec.Struct, frozen=True, kw_only=True):
    """An event, how often, and within which time."""

    event: str = ""
    where: tuple[Where, ...] = ()
    times: Times = "at_least"
    count: str = "1"
    most: str = "3"
    """The upper end of `between`."""
    window: WindowKind = "days"
    days: str = "30"
    unit: str = "month"
    """Of a calendar window, like the two after it."""
    periods: str = "1"
    zone: str = ""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Being in another segment, or not."""

    segment_id: str = ""
    is_negated: bool = False


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """Allowing a purpose now, or having said yes to it last; or not."""

    word: Word = "consent"
    """The node of the rule."""
    purpose: str = ""
    is_negated: bool = False


class Coded(msgspec.Struct, frozen=True, kw_only=True):
    """A condition the form knows only by its shape, as its JSON."""

    json: str = ""
    tests: Mapping[str, Test] = {}
    """By place, the tests as they were typed, which count and not what the JSON says there."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions taken together."""

    mode: Mode = "all"
    of: tuple["Node", ...] = ()


Node = Group | Check | Did | Member | Agreed | Coded

EMPTY: Final = Group()
_NEW: Final[dict[str, Node]] = {
    "check": Check(),
    "did": Did(),
    "member": Member(),
    "agreed": Agreed(),
    "group": Group(mode="any", of=(Check(),)),
}


def _make(kind: str) -> Node | None:
    """Return a new node of a kind: one with fields of its own, or any other condition there is."""
    if kind in _NEW:
        return _NEW[kind]
    found = find_kind(kind)
    return None if found is None else Coded(json=found.json)


def walk(node: Node, path: str = ROOT) -> Iterator[tuple[str, Node]]:
    """Yield every node with its path, parents first."""
    yield path, node
    if isinstance(node, Group):
        for index, child in enumerate(node.of):
            yield from walk(child, f"{path}.of.{index}")


def count_conditions(draft: Group) -> int:
    """Return how many conditions the draft has, groups not counted."""
    return sum(1 for _, node in walk(draft) if not isinstance(node, Group))


def edit(draft: Group, action: str) -> Group:
    """Carry out what a button asks for: `add:PATH:KIND`, `where:PATH` or `remove:PATH`.

    Of a condition known by its shape `part:PATH:WHAT` adds a part and `drop:PATH:WHERE` takes one.

    What makes no sense (a path that has gone, one condition too many) leaves the draft as it is.
    """
    verb, _, rest = action.partition(":")
    path, _, kind = rest.partition(":")
    steps = path.split(".")[1:]
    changed: Node | None = draft
    new = _make(kind) if verb == "add" else None
    if new is not None and _has_room(draft, steps):
        changed = _change(draft, steps, lambda node: _append(node, new))
    elif verb == "where":
        changed = _change(draft, steps, _append_where)
    elif verb in ("part", "drop"):
        changed = _change(draft, steps, lambda node: _change_part(node, verb, kind))
    elif verb == "remove" and steps:
        changed = _remove(draft, steps)
    return changed if isinstance(changed, Group) else draft


def focus_after(draft: Group, action: str) -> str:
    """Return the path where typing goes on after `edit` has done ``action``; else empty."""
    verb, _, rest = action.partition(":")
    path = rest.partition(":")[0]
    nodes = dict(walk(draft))
    node = nodes.get(path)
    if verb == "add" and isinstance(node, Group) and node.of:
        last = f"{path}.of.{len(node.of) - 1}"
        return f"{last}.of.0" if isinstance(nodes[last], Group) else last
    if verb == "where" and isinstance(node, Did) and node.where:
        return f"{path}.where.{len(node.where) - 1}"
    if verb == "part" and isinstance(node, Coded):
        at = rest.partition(":")[2].partition("=")[2]
        rows = [row.at for row in rows_of(node.json) if f"{row.at}.".startswith(f"{at}.")]
        return f"{path}.f.{rows[-1]}" if rows else path
    if verb == "drop" and isinstance(node, Coded):
        return next((f"{path}.f.{row.at}" if row.at else path for row in rows_of(node.json)), path)
    if verb == "remove":
        return path.rpartition(".where." if ".where." in path else ".of.")[0]
    return ""


def replace_at(draft: Group, path: str, change: Callable[[Node], Node]) -> Group:
    """Return the draft with ``change`` done to the node at ``path``, if there is one."""
    changed = _change(draft, path.split(".")[1:], change)
    return changed if isinstance(changed, Group) else draft


def _has_room(draft: Group, steps: list[str]) -> bool:
    return count_conditions(draft) < MAX_CONDITIONS and len(steps) // 2 < MAX_DEPTH


def _append(node: Node, child: Node) -> Node:
    return msgspec.structs.replace(node, of=(*node.of, child)) if isinstance(node, Group) else node


def _append_where(node: Node) -> Node:
    return (
        msgspec.structs.replace(node, where=(*node.where, Where()))
        if isinstance(node, Did)
        else node
    )


def _change_part(node: Node, verb: str, what: str) -> Node:
    if not isinstance(node, Coded):
        return node
    if verb == "part":
        return msgspec.structs.replace(node, json=add_part(node.json, what))
    tests = shift_tests(node.tests, what)
    return msgspec.structs.replace(node, json=drop_part(node.json, what), tests=tests)


def _change(node: Node, steps: list[str], change: Callable[[Node], Node]) -> Node:
    """Return the tree with ``change`` done to the node that ``steps`` lead to."""
    if not steps:
        return change(node)
    index = _index(node, steps)
    if index is None or not isinstance(node, Group):
        return node
    child = _change(node.of[index], steps[2:], change)
    return msgspec.structs.replace(node, of=(*node.of[:index], child, *node.of[index + 1 :]))


def _remove(node: Node, steps: list[str]) -> Node:
    if len(steps) > 2 and isinstance(node, Group):
        return _change(node, steps[:2], lambda child: _remove(child, steps[2:]))
    index = _index(node, steps)
    if index is None:
        return node
    if isinstance(node, Group):
        return msgspec.structs.replace(node, of=node.of[:index] + node.of[index + 1 :])
    if isinstance(node, Did):
        return msgspec.structs.replace(node, where=node.where[:index] + node.where[index + 1 :])
    return node


def _index(node: Node, steps: list[str]) -> int | None:
    """Return which child the first two steps (`of`, `0`) name, or None when there is none."""
    held = {"of": Group, "where": Did}.get(steps[0])
    if held is None or not isinstance(node, held) or len(steps) < 2 or not steps[1].isdecimal():
        return None
    size = len(node.of) if isinstance(node, Group) else len(node.where)
    index = int(steps[1])
    return index if index < size else None
