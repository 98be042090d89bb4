"""A journey's drawing as JSON: read, checked with all its problems at once, and put into words."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from amity.broadcast.node import (
    EventName,
    Names,
    Node,
    decode_node,
    quote_event,
    quote_seconds,
)
from amity.kernel.errors import Invalid
from amity.rules import Where

MOST_NODES: Final = 200
_MOST_BYTES: Final = 262_144
_LONGEST_NAME: Final = 64
_MOST_NAMED: Final = 5
_FIELDS: Final = ("entry", "exit", "reentry_days", "start", "nodes")


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event, with tests of its properties."""

    event: EventName
    where: Annotated[tuple[Where, ...], Meta(max_length=50)] = ()

    def matches(self, name: str, properties: Mapping[str, Any], now: datetime) -> bool:
        """Say whether an event is meant."""
        return name == self.event and all(test.matches(properties, now) for test in self.where)


class Entry(Trigger, frozen=True, forbid_unknown_fields=True):
    """What begins the journey; an event heard of later than this many hours does not."""

    within_hours: Annotated[float, Meta(gt=0, le=87_600)] = 24


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing that can be walked."""

    entry: Entry
    exit: Trigger | None = None
    reentry_days: Annotated[float, Meta(ge=0, le=36_500)] | None = None
    """So long after somebody began they may begin again; None = never."""
    start: str
    nodes: dict[str, Node]

    def listens(self) -> frozenset[str]:
        """Return the events that concern somebody who is under way."""
        heard = {self.exit.event} if self.exit else set()
        return frozenset(heard.union(*(node.listens() for node in self.nodes.values())))

    def needs_subject(self) -> dict[str, list[Node]]:
        """Return, by node and for "" the start, the asking nodes a step from there can reach."""
        found = {
            name: list(self._reach_at_once(node.edges().values()))
            for name, node in self.nodes.items()
        }
        found[""] = list(self._reach_at_once([self.start]))
        return found

    def _reach_at_once(self, targets: Iterable[str]) -> Iterator[Node]:
        left = list(targets)
        seen: set[str] = set()
        while left:
            name = left.pop()
            node = self.nodes.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            if node.asks:
                yield node
            if not node.waits:
                left += node.edges().values()


def decode_definition(raw: object) -> Definition:
    """Read a drawing that is known to be whole; raise Invalid with its first problem."""
    reader = _Reader(raw)
    if reader.problems or reader.definition is None:
        raise Invalid(_join(reader.problems), code="bad_journey")
    return reader.definition


def check_shape(raw: object) -> dict[str, Any]:
    """Refuse what is not even a drawing: no JSON object, or more than people can read."""
    if not isinstance(raw, dict):
        raise Invalid("the definition of a journey is a JSON object", code="bad_journey")
    try:
        encoded = msgspec.json.encode(raw)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"the definition is not plain JSON: {error}", code="bad_journey") from error
    if len(encoded) > _MOST_BYTES:
        raise Invalid("the definition is too large", code="bad_journey")
    if b"\\u0000" in encoded:
        raise Invalid("the definition holds a text with a NUL", code="bad_journey")
    return raw


def find_problems(raw: object, names: Names) -> list[str]:
    """Return all that keeps a journey from going live, in people's words; empty when nothing."""
    reader = _Reader(raw)
    problems = list(reader.problems)
    for name, node in reader.nodes.items():
        problems += [f"“{name}” {problem}" for problem in node.problems(names)]
    if reader.nodes:
        problems += _Drawing(reader.start, reader.nodes, reader.named).problems()
    return problems


def describe(raw: object, names: Names) -> str:
    """Say the journey in sentences; what cannot be read is left out."""
    reader = _Reader(raw)
    sentences = []
    if reader.entry is not None:
        sentences.append(_describe_entry(reader.entry, reader.reentry_days))
    for name in _in_order(reader.start, reader.nodes):
        node = reader.nodes[name]
        sentences.append(f"“{name}” {node.describe(names)}{_describe_edges(node)}")
    if reader.exit is not None:
        leave = quote_event(reader.exit.event, reader.exit.where)
        sentences.append(f"Whoever does {leave} meanwhile leaves at once.")
    return " ".join(sentences)


def read_nodes(raw: object) -> dict[str, Node]:
    """Return the nodes that can be read, in the order they can be come to."""
    reader = _Reader(raw)
    return {name: reader.nodes[name] for name in _in_order(reader.start, reader.nodes)}


def describe_node(node: Node, names: Names) -> str:
    """Say what happens at a node, as a sentence of its own."""
    words = node.describe(names)
    return words[:1].upper() + words[1:]


def _describe_entry(entry: Entry, reentry_days: float | None) -> str:
    words = f"Begins when somebody does {quote_event(entry.event, entry.where)}"
    if reentry_days is None:
        words += ", once for each person"
    elif reentry_days > 0:
        words += f", at most once in {quote_seconds(reentry_days * 86400)}"
    return words + "."


def _describe_edges(node: Node) -> str:
    edges = node.edges()
    if len(edges) == 1:
        return _describe_target(", then ", next(iter(edges.values()))) + "."
    parts = ", ".join(
        f"{edge.replace('_', ' ')}{_describe_target(' → ', target)}"
        for edge, target in edges.items()
    )
    joint = "" if node.describe(Names()).endswith("?") else ":"
    return f"{joint} {parts}."


def _describe_target(joint: str, target: str) -> str:
    return f"{joint}“{target}”" if target else f"{joint}the end"


def _in_order(start: str, nodes: Mapping[str, Node]) -> list[str]:
    """Return the nodes in the order they can be come to, then those that cannot."""
    order: dict[str, None] = {}
    left = [start]
    while left:
        name = left.pop(0)
        if name in nodes and name not in order:
            order[name] = None
            left += nodes[name].edges().values()
    return [*order, *(name for name in nodes if name not in order)]


def _join(problems: list[str]) -> str:
    return "; ".join(problems) or "the definition is empty"


class _Reader:
    """Reads what can be read of a drawing and keeps what is wrong with the rest."""

    def __init__(self, raw: object) -> None:
        self.problems: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.named: set[str] = set()
        self.start = ""
        self.definition: Definition | None = None
        self.entry: Entry | None = None
        self.exit: Trigger | None = None
        self.reentry_days: float | None = None
        if not isinstance(raw, dict):
            self.problems.append("the definition is not a JSON object")
            return
        unknown = [str(field)[:_LONGEST_NAME] for field in raw if field not in _FIELDS]
        if unknown:
            named = ", ".join(repr(field) for field in unknown[:_MOST_NAMED])
            self.problems.append(f"there is no setting {named}; only {', '.join(_FIELDS)}")
        self.entry = self._read("entry", raw.get("entry"), Entry, "nothing begins the journey")
        if raw.get("exit") is not None:
            self.exit = self._read("exit", raw["exit"], Trigger, "")
        self.reentry_days = self._read_reentry(raw.get("reentry_days"))
        self._read_nodes(raw.get("nodes"))
        self._read_start(raw.get("start"))
        if not self.problems and self.entry is not None:
            self.definition = Definition(
                entry=self.entry,
                exit=self.exit,
                reentry_days=self.reentry_days,
                start=self.start,
                nodes=self.nodes,
            )

    def _read(self, field: str, raw: object, kind: type[Any], missing: str) -> Any:
        if raw is None:
            self.problems.append(missing)
            return None
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.problems.append(f"the {field} cannot be read: {error}")
            return None

    def _read_reentry(self, raw: object) -> float | None:
        kind = Annotated[float, Meta(ge=0, le=36_500)] | None
        try:
            days: float | None = msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.problems.append(f"`reentry_days` cannot be read: {error}")
            return None
        return days

    def _read_nodes(self, raw: object) -> None:
        if not isinstance(raw, dict) or not raw:
            self.problems.append("the journey has no steps")
            return
        if len(raw) > MOST_NODES:
            self.problems.append(f"the journey has more than {MOST_NODES} steps")
            return
        self.named = {str(name) for name in raw}
        for name, value in raw.items():
            # A colon parts the pieces of a step's key in the ledger.
            if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME or ":" in name:
                self.problems.append(
                    f"“{str(name)[:_LONGEST_NAME]}” is no name for a step: "
                    f"1 to {_LONGEST_NAME} characters, no colon"
                )
                continue
            try:
                self.nodes[name] = decode_node(value)
            except Invalid as error:
                self.problems.append(f"“{name}” {error.message}")

    def _read_start(self, raw: object) -> None:
        if not isinstance(raw, str) or not raw:
            self.problems.append("it is not said with which step the journey starts")
        elif raw not in self.named:
            self.problems.append(f"the journey starts with “{raw}”, which is not there")
        else:
            self.start = raw


class _Drawing:
    """What is wrong with how nodes hang together."""

    def __init__(self, start: str, nodes: Mapping[str, Node], named: set[str]) -> None:
        self._start = start
        self._nodes = nodes
        # A node that could not be read has its own problem; nothing more is said of it.
        self._unread = named - set(nodes)

    def problems(self) -> list[str]:
        """Return edges to nowhere, steps nobody comes to, and rounds without an end."""
        found = [
            f"“{name}” leads by “{edge}” to “{target}”, which is not there"
            for name, node in self._nodes.items()
            for edge, target in node.edges().items()
            if target and target not in self._nodes and target not in self._unread
        ]
        if self._start and not self._unread:
            reached = self._reach([self._start])
            found += [f"nobody comes to “{name}”" for name in self._nodes if name not in reached]
        found += [
            f"whoever comes to “{name}” goes round for ever: from there nothing leads to an end"
            for name in self._endless()
        ]
        found += [
            f"“{name}” comes back to itself without any wait in between"
            for name, node in self._nodes.items()
            if not node.waits and name in self._reach(node.edges().values(), at_once=True)
        ]
        return found

    def _reach(self, targets: Iterable[str], *, at_once: bool = False) -> set[str]:
        left = list(targets)
        reached: set[str] = set()
        while left:
            name = left.pop()
            if name in reached or name not in self._nodes:
                continue
            reached.add(name)
            if not (at_once and self._nodes[name].waits):
                left += self._nodes[name].edges().values()
        return reached

    def _endless(self) -> list[str]:
        """Return the nodes from which no way leads to an end, or to what could not be read."""
        ending: set[str] = set()
        while True:
            more = {
                name
                for name, node in self._nodes.items()
                if name not in ending
                and any(
                    not target or target in ending or target not in self._nodes
                    for target in node.edges().values()
                )
            }
            if not more:
                return [name for name in self._nodes if name not in ending]
            ending |= more
