"""A draft as its page shows it: every node with its choices, its fields and what is wrong there."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from amity.kernel.errors import Invalid
from amity.rules import FIELD_LABELS, PROFILE_FIELDS, OperatorWords, decode_rule
from amity.rules.operator import ValueType
from amity.web.segments.convert import OPERATORS, Problem, bare_json, typed_test
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
from amity.web.segments.more import MoreKind, MoreRow, Window, decode, list_kinds, rows_of
from amity.web.segments.more_words import kind_words

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

    @property
    def is_named(self) -> bool:
        """Whether its place alone does not say what is typed into it."""
        return self.label not in ("value", "from", "to", "days")


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
    rows: list["RowView"] = []
    words: str = ""
    """What a condition known by its shape says, when it can be read."""

    @property
    def slug(self) -> str:
        """The path as an element id."""
        return self.path.replace(".", "-")

    @property
    def more(self) -> tuple[MoreKind, ...]:
        """What can be added beside what the builder has words of its own for."""
        return list_kinds()

    @property
    def shown_json(self) -> str:
        """The JSON of a condition known by its shape, with all that was typed."""
        return bare_json(self.node) if isinstance(self.node, Coded) else ""

    @property
    def called(self) -> str:
        """What a condition known by its shape is called."""
        rule = decode(self.node.json) if isinstance(self.node, Coded) else None
        return kind_words(str(rule.get("node", ""))) if rule else "a condition in JSON"

    @property
    def window(self) -> Window:
        """The window of an event condition, as it is chosen."""
        names = Window.__struct_fields__
        return Window(**{name: getattr(self.node, name) for name in names})

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


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a condition known by its shape."""

    path: str
    """Where what is said about it stands; its fields are named after the condition's."""
    node_path: str
    row: MoreRow
    test: TestView | None
    messages: "Messages"

    @property
    def slug(self) -> str:
        """The path as an element id."""
        return self.path.replace(".", "-")

    @property
    def event_path(self) -> str:
        """The field of the event whose properties are suggested, without `.event`."""
        return f"{self.node_path}.f.{self.row.event_at}".removesuffix(".")


class Known(msgspec.Struct, frozen=True):
    """What names there are: how a rule is said in words, and what rows let choose by name."""

    describe: Callable[[dict[str, Any]], str] = lambda rule: decode_rule(rule).describe()
    fill: Callable[[list[MoreRow]], list[MoreRow]] = lambda rows: rows


_NOTHING: Final = Known()


def view_tree(draft: Group, problems: list[Problem], known: Known = _NOTHING) -> NodeView:
    """Return the tree to show, each problem beside its node."""
    return _Viewer(gather_messages(problems), known).view(draft, ROOT, 0)


class _Viewer:
    """Makes the views of nodes."""

    def __init__(self, messages: dict[str, Messages], known: Known) -> None:
        self._messages = messages
        self._known = known

    def view(self, node: Node, path: str, depth: int) -> NodeView:
        """Return the view of a node and of all inside it."""
        children: list[NodeView] = []
        test: TestView | None = None
        if isinstance(node, Group):
            children = [
                self.view(child, f"{path}.of.{index}", depth + 1)
                for index, child in enumerate(node.of)
            ]
        elif isinstance(node, Check):
            test = view_test(node.test, path, field=node.field)
        return NodeView(
            kind=_KINDS[type(node)],
            path=path,
            node=node,
            messages=self._messages.get(path, _SILENT),
            depth=depth,
            test=test,
            fields=field_choices(node.field) if isinstance(node, Check) else [],
            wheres=_view_wheres(node, path, self._messages) if isinstance(node, Did) else [],
            children=children,
            rows=self._rows(node, path) if isinstance(node, Coded) else [],
            words=self._words(node) if isinstance(node, Coded) else "",
        )

    def _words(self, coded: Coded) -> str:
        try:
            return self._known.describe(msgspec.json.decode(bare_json(coded)))
        except (Invalid, msgspec.DecodeError):
            return ""

    def _rows(self, coded: Coded, path: str) -> list[RowView]:
        views = []
        for row in self._known.fill(rows_of(coded.json)):
            place = f"{path}.f.{row.at}" if row.at else path
            test = view_part(coded, path, row.test) if row.test else None
            said = self._messages.get(place, _SILENT) if row.at else _SILENT
            views.append(RowView(path=place, node_path=path, row=row, test=test, messages=said))
        return views


_KINDS: Final[dict[type, str]] = {
    Group: "group",
    Check: "check",
    Did: "did",
    Member: "member",
    Agreed: "agreed",
    Coded: "coded",
}


def view_part(coded: Coded, path: str, at: str) -> TestView | None:
    """Return a test of a condition known by its shape; None when there is none at that place."""
    row = next((row for row in rows_of(coded.json) if row.test == at), None)
    if row is None:
        return None
    return view_test(typed_test(coded, row), f"{path}.f.{at}", kind=row.test_of)


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


def view_test(
    test: Test, path: str, *, field: str = "trait", kind: ValueType | None = None
) -> TestView:
    """Return what a test is chosen and typed with; ``field`` or ``kind`` narrows the choice."""
    known = FIELDS.get(field) if kind is None else ("", kind)
    accepted = [info for info in OPERATORS.values() if known is None or known[1] in info.accepts]
    is_trait = field == "trait" and not any(part in path for part in (".where.", ".f."))
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
        suggests="trait" if is_trait else "",
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
