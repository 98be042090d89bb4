"""A draft as form fields, there and back.

A field's name is the path of its node and what it says of it: `r.of.0.event`. Reading is
forgiving: what is missing gets its usual value, what is unknown is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

from amity.rules import MAX_DEPTH
from amity.web.segments.draft import (
    ROOT,
    Agreed,
    AsType,
    Check,
    Coded,
    Did,
    Group,
    Member,
    Mode,
    Node,
    Test,
    Times,
    Where,
    WindowKind,
)
from amity.web.segments.more_editing import apply_fields

_Tree = dict[str, Any]

# Nested names are `r`, then `of` and a number a level, then `f`, a part, `where`, a number,
# `is`, `v` and a parameter.
_MAX_STEPS: Final = 2 * (MAX_DEPTH + 1) + 7


def read_draft(fields: Mapping[str, str]) -> Group:
    """Read the draft from the fields of a submitted form."""
    tree: _Tree = {}
    for name, value in fields.items():
        if name.startswith(f"{ROOT}."):
            _place(tree, name.split(".")[1:], value)
    return _read_group(tree)


def _place(tree: _Tree, steps: list[str], value: str) -> None:
    if len(steps) > _MAX_STEPS:
        return
    for step in steps[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree[steps[-1]] = value


def _text(tree: _Tree, name: str, default: str = "") -> str:
    value = tree.get(name, default)
    return value if isinstance(value, str) else default


def _one_of(tree: _Tree, name: str, allowed: object, default: Any) -> Any:
    value = _text(tree, name)
    return value if value in get_args(allowed) else default


def _children(tree: _Tree, name: str) -> list[_Tree]:
    """Return the numbered children in the order of their numbers; gaps do not matter."""
    held = tree.get(name)
    if not isinstance(held, dict):
        return []
    numbers = sorted((key for key in held if key.isdecimal()), key=int)
    return [held[number] for number in numbers if isinstance(held[number], dict)]


def _read_group(tree: _Tree) -> Group:
    return Group(
        mode=_one_of(tree, "mode", Mode, "all"),
        of=tuple(_read(child) for child in _children(tree, "of")),
    )


def _read(tree: _Tree) -> Node:
    reader = _READERS.get(_text(tree, "node"), _read_check)
    return reader(tree)


def _read_test(tree: _Tree) -> Test:
    values = tree.get("v")
    held = values if isinstance(values, dict) else {}
    return Test(
        op=_text(tree, "op", "eq"),
        values={name: value for name, value in held.items() if isinstance(value, str)},
        as_type=_one_of(tree, "as", AsType, "text"),
    )


def _read_check(tree: _Tree) -> Check:
    return Check(
        field=_text(tree, "field", "trait"), name=_text(tree, "name"), test=_read_test(tree)
    )


def _read_did(tree: _Tree) -> Did:
    return Did(
        event=_text(tree, "event"),
        where=tuple(
            Where(property=_text(child, "property"), test=_read_test(child))
            for child in _children(tree, "where")
        ),
        times=_one_of(tree, "times", Times, "at_least"),
        count=_text(tree, "count", "1"),
        most=_text(tree, "most", "3"),
        window=_one_of(tree, "window", WindowKind, "days"),
        days=_text(tree, "days", "30"),
        unit=_text(tree, "unit", "month"),
        periods=_text(tree, "periods", "1"),
        zone=_text(tree, "zone").strip(),
    )


def _read_member(tree: _Tree) -> Member:
    return Member(segment_id=_text(tree, "segment"), is_negated=_text(tree, "is") == "not")


def _read_agreed(tree: _Tree) -> Agreed:
    # One choice on the form: `in` and `not` ask what is allowed now, the others what was said.
    chosen = _text(tree, "is")
    return Agreed(
        word="said_yes" if chosen in ("said", "not_said") else "consent",
        purpose=_text(tree, "purpose"),
        is_negated=chosen in ("not", "not_said"),
    )


def _read_coded(tree: _Tree) -> Coded:
    text, typed = _text(tree, "json"), dict(_flat(tree.get("f"), ""))
    # What was changed last counts: the JSON, or the fields that were made from it.
    is_edited = "".join(text.split()) != "".join(_text(tree, "json_before").split())
    if is_edited:
        return Coded(json=text)
    return Coded(json=apply_fields(text, typed), tests=dict(_tests(tree.get("f"), "")))


def _tests(tree: object, prefix: str) -> Iterator[tuple[str, Test]]:
    """Give the tests that were typed into a coded condition, by their places."""
    if not isinstance(tree, dict):
        return
    if isinstance(tree.get("op"), str):
        yield prefix, _read_test(tree)
        return
    for name, value in tree.items():
        yield from _tests(value, f"{prefix}.{name}" if prefix else name)


def _flat(tree: object, prefix: str) -> Iterator[tuple[str, str]]:
    """Give what was typed into a coded condition's fields, by their names."""
    if isinstance(tree, str):
        yield prefix, tree
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else name)


_READERS: Final[dict[str, Callable[[_Tree], Node]]] = {
    "group": _read_group,
    "check": _read_check,
    "did": _read_did,
    "member": _read_member,
    "agreed": _read_agreed,
    "coded": _read_coded,
}
