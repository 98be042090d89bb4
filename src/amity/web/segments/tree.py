"""A draft as its page shows it: every node with its choices, its fields and what is wrong there."""

from typing import Final

import msgspec

from amity.kernel.errors import Invalid
from amity.rules import FIELD_LABELS, PROFILE_FIELDS, OperatorWords, decode_rule
from amity.rules.operator import ValueType
from amity.web.segments.convert import OPERATORS, Problem
from amity.web.segments.draft import (
    MAX_DEPTH,
    ROOT,
    Agreed,
    Check,
    Coded,
    Did,
    Group,
    Member,
    Node,
    Test,
)
from amity.web.segments.more import MoreField, MoreKind, fields_of, list_kinds

FIELDS: Final[dict[str, tuple[str, ValueType]]] = {
    f"profile.{name}": (FIELD_LABELS[name], kind) for name, kind in PROFILE_FIELDS.items()
}
_TYPE_LABELS: Final = {"text": "text", "number": "number", "boolean": "yes or no"}
_GROUPS: Final = ("Any value", "Text", "Numbers", "Dates", "Yes or no")
_USUAL: Final = {"number": "gte", "instant": "within_last", "text": "eq", "flag": "is_true"}


class Choice(msgspec.Struct, frozen=True):
    """One option of a select."""

    value: str
    label: str
    is_on: bool


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What one constant of an operator is typed into."""

    name: str
    kind: str
    value: str
    label: str
    yes_no: bool


class TestView(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's select, the fields it takes, and how scalars are to be read."""

    __test__ = False

    path: str
    groups: list[tuple[str, list[Choice]]]
    fields: list[Field]
    types: list[Choice]
    suggests: str
    """What its values are suggested from: `trait`, or nothing."""


class Messages(msgspec.Struct, frozen=True):
    """What stands beside a node: requests while something is missing, else mistakes."""

    texts: list[str] = []
    is_gap: bool = True


def gather_messages(problems: list[Problem]) -> dict[str, Messages]:
    """Return what stands at each path."""
    at: dict[str, list[Problem]] = {}
    for problem in problems:
        at.setdefault(problem.path, []).append(problem)
    return {
        path: Messages(
            list(dict.fromkeys(problem.message for problem in found)),
            all(problem.is_gap for problem in found),
        )
        for path, found in at.items()
    }


_SILENT: Final = Messages()


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the tree."""

    kind: str
    path: str
    node: Node
    messages: "Messages"
    depth: int
    test: TestView | None = None
    fields: list[Choice] = []
    wheres: list["WhereView"] = []
    children: list["NodeView"] = []
    words: str = ""
    """What a condition without fields says, when it can be read."""

    @property
    def slug(self) -> str:
        """The path as an element id."""
        return self.path.replace(".", "-")

    @property
    def more(self) -> tuple[MoreKind, ...]:
        """What can be added beside what the builder has words of its own for."""
        return list_kinds()

    @property
    def coded_fields(self) -> list[MoreField]:
        """The fields of a condition that is kept as its JSON."""
        return fields_of(self.node.json) if isinstance(self.node, Coded) else []

    @property
    def can_nest(self) -> bool:
        """Whether a group may be added inside."""
        return self.depth < MAX_DEPTH


class WhereView(msgspec.Struct, frozen=True, kw_only=True):
    """One property test of an event condition."""

    path: str
    name: str
    test: TestView
    messages: "Messages"

    @property
    def slug(self) -> str:
        """The path as an element id."""
        return self.path.replace(".", "-")


def view_tree(draft: Group, problems: list[Problem]) -> NodeView:
    """Return the tree to show, each problem beside its node."""
    return _view(draft, ROOT, gather_messages(problems), 0)


def _view(node: Node, path: str, messages: dict[str, Messages], depth: int) -> NodeView:
    test: TestView | None = None
    fields: list[Choice] = []
    wheres: list[WhereView] = []
    children: list[NodeView] = []
    words = ""
    if isinstance(node, Group):
        children = [
            _view(child, f"{path}.of.{index}", messages, depth + 1)
            for index, child in enumerate(node.of)
        ]
    elif isinstance(node, Check):
        test = view_test(node.test, path, field=node.field)
        fields = field_choices(node.field)
    elif isinstance(node, Did):
        wheres = _view_wheres(node, path, messages)
    elif isinstance(node, Coded):
        words = _words_of(node)
    return NodeView(
        kind=_KINDS[type(node)],
        path=path,
        node=node,
        messages=messages.get(path, _SILENT),
        depth=depth,
        test=test,
        fields=fields,
        wheres=wheres,
        children=children,
        words=words,
    )


def _words_of(coded: Coded) -> str:
    try:
        return decode_rule(coded.json).describe()
    except Invalid:
        return ""


_KINDS: Final[dict[type, str]] = {
    Group: "group",
    Check: "check",
    Did: "did",
    Member: "member",
    Agreed: "agreed",
    Coded: "coded",
}


def _view_wheres(did: Did, path: str, messages: dict[str, Messages]) -> list[WhereView]:
    views = []
    for index, where in enumerate(did.where):
        place = f"{path}.where.{index}"
        views.append(
            WhereView(
                path=place,
                name=where.property,
                test=view_test(where.test, place),
                messages=messages.get(place, _SILENT),
            )
        )
    return views


def field_choices(chosen: str) -> list[Choice]:
    """Return what a check can be of: a trait, or a field of the profile."""
    choices = [Choice("trait", "the trait", chosen == "trait")]
    return choices + [Choice(name, label, name == chosen) for name, (label, _) in FIELDS.items()]


def fitting_test(test: Test, field: str) -> Test:
    """Return ``test`` if its operator makes sense for ``field``, else the usual one for it."""
    known = FIELDS.get(field)
    info = OPERATORS.get(test.op)
    if known is None or (info is not None and known[1] in info.accepts):
        as_type = "number" if known and known[1] == "number" else test.as_type
        return msgspec.structs.replace(test, as_type=as_type)
    usual = _USUAL.get(known[1], "exists")
    as_type = "number" if known[1] == "number" else "text"
    return Test(op=usual if usual in OPERATORS else "exists", as_type=as_type)


def view_test(test: Test, path: str, *, field: str = "trait") -> TestView:
    """Return what a test is chosen and typed with; ``field`` narrows what can be chosen."""
    known = FIELDS.get(field)
    accepted = [info for info in OPERATORS.values() if known is None or known[1] in info.accepts]
    groups: dict[str, list[Choice]] = {name: [] for name in _GROUPS}
    for info in accepted:
        group = "" if known else _group_of(info)
        choice = Choice(info.op, info.label, info.op == test.op)
        groups.setdefault(group, []).append(choice)
    chosen = OPERATORS.get(test.op)
    has_scalar = chosen is not None and any(
        parameter.kind in ("scalar", "scalars") for parameter in chosen.parameters
    )
    return TestView(
        path=path,
        groups=[(name, choices) for name, choices in groups.items() if choices],
        fields=_fields(chosen, test) if chosen else [],
        types=_type_choices(test) if has_scalar and known is None else [],
        suggests="trait" if field == "trait" and ".where." not in path else "",
    )


def _group_of(info: OperatorWords) -> str:
    accepts = set(info.accepts)
    if {"text", "number", "flag"} <= accepts:
        return "Any value"
    if accepts == {"number"}:
        return "Numbers"
    if accepts == {"flag"}:
        return "Yes or no"
    return "Dates" if "instant" in accepts else "Text"


def _fields(info: OperatorWords, test: Test) -> list[Field]:
    labels = {"low": "from", "high": "to", "days": "days", "topic": "topic", "zone": "time zone"}
    labels |= {"lat": "latitude", "lon": "longitude", "km": "kilometres"}
    return [
        Field(
            name=parameter.name,
            kind=parameter.kind,
            value=test.values.get(parameter.name, ""),
            label=labels.get(parameter.name, "value"),
            yes_no=parameter.kind == "scalar" and test.as_type == "boolean",
        )
        for parameter in info.parameters
    ]


def _type_choices(test: Test) -> list[Choice]:
    labels = dict(_TYPE_LABELS)
    if test.as_type == "json":
        labels["json"] = "JSON"
    return [Choice(value, label, value == test.as_type) for value, label in labels.items()]
