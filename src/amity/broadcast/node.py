"""The plug point of journey nodes: what a node is given, what it answers, what it promises.

A node is one file in `broadcast/nodes/`: its settings, its edges, its words, and two pure
functions. It never looks at a clock, a database or a die: all it may know is in its context, so
the same journey with the same inputs goes the same way, live, in a replay and in a test.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Final, Self

import msgspec
from msgspec import Meta

from amity.kernel.errors import Invalid
from amity.kernel.registry import Registry
from amity.rules import Look, Subject, Where

EventName = Annotated[str, Meta(min_length=1, max_length=255)]
Target = Annotated[str, Meta(max_length=64)]
"""The name of the node an edge leads to; "" ends the journey."""

LONGEST: Final = timedelta(days=3660)
_DRAW_BYTES: Final = 8


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something the person did, as a journey sees it."""

    position: int
    name: str
    occurred_at: datetime
    properties: dict[str, Any] = {}


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """All a node may know when it answers."""

    node: str
    """The node's name in this journey."""
    visit: int
    """How often this person has come here, this time included."""
    seed: str
    """Of this person's way; draws are made from it, never from a die."""
    entry: Event
    """What began this way; its `occurred_at` is never later than when it began."""
    arrived_at: datetime
    """When the person came to this node."""
    due_at: datetime | None
    """The moment the node asked to be woken at."""
    memory: dict[str, Any]
    """What the node wrote down when it stayed: plain JSON."""
    now: datetime
    subject: Subject | None = None
    """The person as rules see them; only for nodes that ask for it."""

    def draw(self) -> float:
        """Return this visit's number in [0, 1): the same each time it is asked."""
        text = f"{self.seed}:{self.node}:{self.visit}"
        digest = blake2b(text.encode(), digest_size=_DRAW_BYTES).digest()
        return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


class SendMessage(msgspec.Struct, frozen=True, tag="send"):
    """Plan a message; the ledger and its gate decide whether it leaves."""

    template_id: int
    placement_key: str = ""


Action = SendMessage


class Stay(msgspec.Struct, frozen=True):
    """Remain here until ``due_at``, or until an event the node listens to."""

    due_at: datetime | None
    memory: dict[str, Any] = {}


class Take(msgspec.Struct, frozen=True):
    """Leave by an edge, having asked for some actions."""

    edge: str
    actions: tuple[Action, ...] = ()


Outcome = Stay | Take


class Names(msgspec.Struct, frozen=True):
    """Names by id, for words and for checks: what is not in it is not there."""

    templates: Mapping[int, str] = {}
    segments: Mapping[int, str] = {}


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """One step of a journey; the fields are its settings, those named in `edge_names` its edges.

    A kind that ``waits`` always stays when it is entered, all others always leave: so a journey
    that goes round without waiting can be told from its drawing.
    """

    title: ClassVar[str]
    about: ClassVar[str]
    setting_words: ClassVar[dict[str, str]]
    edge_names: ClassVar[tuple[str, ...]] = ("next",)
    waits: ClassVar[bool] = False
    asks: ClassVar[bool] = False
    """Whether it must be given the subject."""

    @abstractmethod
    def enter(self, context: Context) -> Outcome:
        """Answer to somebody who has just come."""

    def resume(self, context: Context, event: Event | None) -> Outcome:
        """Answer to an event of somebody who stays here, or with None to the time being up."""
        raise NotImplementedError

    @abstractmethod
    def describe(self, names: Names) -> str:
        """Say what happens here, as a predicate: "waits 1 hour"."""

    @classmethod
    @abstractmethod
    def examples(cls) -> list[Self]:
        """Return some for the conformance kit."""

    def edges(self) -> dict[str, str]:
        """Return the node each edge leads to, in order; "" ends the journey."""
        return {name: getattr(self, name) for name in self.edge_names}

    def listens(self) -> frozenset[str]:
        """Return the events that can wake somebody who stays here."""
        return frozenset()

    def looks(self, age_days: float) -> dict[str, Look]:
        """Return what it needs of histories; the oldest way began ``age_days`` ago."""
        return {}

    def needs_profile(self) -> bool:
        """Say whether it asks for more of the subject than its history, which costs more."""
        return self.asks

    def asks_together(self) -> frozenset[tuple[str, int | None]]:
        """Return what it asks of others of a household or company; see `rules.Mentions`."""
        return frozenset()

    def problems(self, names: Names) -> list[str]:
        """Return what is wrong with its settings, as predicates: "waits for no time"."""
        return []


NODES: Final[Registry[Node]] = Registry(
    Node,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.nodes",
)


@cache
def load_nodes() -> Registry[Node]:
    """Return the registry with every kind of the folder and of installed packages in it."""
    from amity.broadcast import nodes  # noqa: PLC0415  # its modules import this one

    NODES.discover(nodes)
    return NODES


def decode_node(raw: object) -> Node:
    """Read one node from JSON values; raise Invalid with a reason for people."""
    kinds = load_nodes()
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        known = ", ".join(sorted(kinds.names()))
        said = repr(kind if isinstance(kind, str | None) else type(kind))[:80]
        raise Invalid(f"has the unknown kind {said}; the kinds are {known}", code="bad_node")
    try:
        return msgspec.convert(raw, kinds[kind])
    except msgspec.ValidationError as error:
        raise Invalid(f"cannot be read: {error}", code="bad_node") from error


def quote_seconds(seconds: float) -> str:
    """Say a span of time in the largest units that fit: "1 day 12 hours"."""
    left = round(seconds)
    words = []
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count:,} {name}" + ("" if count == 1 else "s"))
    return " ".join(words) or "no time"


def quote_event(name: str, where: tuple[Where, ...] = ()) -> str:
    """Say an event and the tests of its properties."""
    tests = " and ".join(test.is_.describe(test.property) for test in where)
    return f"“{name}”" + (f" where {tests}" if tests else "")


def span_problems(seconds: float, days: float, verb: str) -> list[str]:
    """Return what is wrong with a span given as seconds and days."""
    if seconds < 0 or days < 0:
        return [f"{verb} a negative time"]
    total = seconds + days * 86400
    if total < 1:
        return [f"{verb} no time: give it at least a second"]
    if total > LONGEST.total_seconds():
        return [f"{verb} longer than ten years"]
    return []
