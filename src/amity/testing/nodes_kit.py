"""What every journey node must keep, for those who write one.

    from amity.testing.nodes_kit import check_node
    def test_my_node():
        check_node(MyNode)

A node waits or goes on, can be resumed from plain JSON at any moment, gives the same answer to
the same question, and says in words what it does.
"""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import msgspec

from amity.broadcast.node import Context, Event, Names, Node, Outcome, Stay, Take, decode_node
from amity.rules import Subject

_NOW: Final = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
_FOR_EVER: Final = timedelta(days=4000)
_SUBJECTS: Final = (
    Subject(),
    Subject(
        traits={"country": "FR", "plan": "pro"},
        fields={"order_count": 3, "email": "ann@shop.example"},
        consents={"marketing.email"},
        segments={1},
        history={"Order Completed": [(_NOW - timedelta(minutes=5), {"total": 5})]},
    ),
)


def check_node(kind: type[Node]) -> None:
    """Check one kind by its examples; raise AssertionError with what it breaks."""
    examples = kind.examples()
    assert examples, "give the kit some examples"
    tag = kind.__struct_config__.tag
    assert isinstance(tag, str), "give the struct a tag: the name of the kind"
    for text in (kind.title, kind.about, *kind.setting_words.values()):
        assert text.strip(), "say what it is, and each setting"
    settings = set(kind.__struct_fields__) - set(kind.edge_names)
    assert set(kind.setting_words) == settings, "say each setting, and nothing else"
    for node in examples:
        _check_settings(node)
        for context in _contexts(node):
            _check_way(node, context)


def _check_settings(node: Node) -> None:
    raw = msgspec.json.decode(msgspec.json.encode(node))
    assert decode_node(raw) == node, "settings must survive JSON"
    words = node.describe(Names())
    assert words[:1].islower(), f"describe as a predicate, such as 'waits 1 hour': {words!r}"
    assert not words.endswith("."), "describe without a full stop"
    edges = node.edges()
    assert edges, "give it a way out"
    assert all(isinstance(target, str) for target in edges.values())
    assert not any(edge == "" or edge.startswith("!") for edge in edges)
    assert isinstance(node.problems(Names()), list)
    assert all(look.within_days is None or look.within_days > 0 for look in node.looks(1).values())


def _contexts(node: Node) -> list[Context]:
    subjects = _SUBJECTS if node.asks else (None,)
    entry = Event(
        position=7,
        name="Product Added",
        occurred_at=_NOW - timedelta(minutes=10),
        properties={"product_id": "p1"},
    )
    return [
        Context(
            node="here",
            visit=visit,
            seed=f"{visit}-{number}",
            entry=entry,
            arrived_at=_NOW,
            due_at=None,
            memory={},
            now=_NOW,
            subject=subject,
        )
        for number, (visit, subject) in enumerate(product((1, 2), subjects))
    ]


def _check_way(node: Node, context: Context) -> None:
    """Walk through a node as far as it goes, from what would be written down each time."""
    outcome = _same_twice(node, context, "enter")
    assert isinstance(outcome, Stay) == node.waits, "who waits stays on entering, and nobody else"
    if isinstance(outcome, Take):
        _check_take(node, outcome)
        return
    for name in sorted(node.listens()):
        _check_events(node, _resumed(context, outcome), name)
    _check_time(node, context, outcome)


def _check_events(node: Node, context: Context, name: str) -> None:
    """An event that is listened to may be answered or not; one from before must change nothing."""
    event = Event(position=9, name=name, occurred_at=context.now, properties={"a": 1})
    answer = _same_twice(node, context, "resume", event)
    if isinstance(answer, Take):
        _check_take(node, answer)
    early = msgspec.structs.replace(event, occurred_at=context.arrived_at - timedelta(hours=1))
    answer = _same_twice(node, context, "resume", early)
    assert isinstance(answer, Stay), "what happened before somebody came is not waited for"


def _check_time(node: Node, context: Context, outcome: Stay) -> None:
    """Time alone must lead out of a node, in a bounded number of steps."""
    for _ in range(1000):
        assert outcome.due_at is not None, "a stay needs an end: nobody may wait for ever"
        resumed = _resumed(context, outcome)
        answer = _same_twice(node, resumed, "resume", None)
        if isinstance(answer, Take):
            _check_take(node, answer)
            return
        assert answer.due_at is not None, "a stay needs an end: nobody may wait for ever"
        assert answer.due_at > resumed.now, "time must go on"
        assert answer.due_at - context.now <= _FOR_EVER, "nobody may wait for ever"
        outcome = answer
    raise AssertionError("it waits for ever, a bit at a time")


def _resumed(context: Context, outcome: Stay) -> Context:
    """Return the context as read back from what is written down, when the time is up."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(outcome.memory))
    assert plain == outcome.memory, "memory must be plain JSON"
    now = context.now if outcome.due_at is None else max(context.now, outcome.due_at)
    return msgspec.structs.replace(context, due_at=outcome.due_at, memory=plain, now=now)


def _check_take(node: Node, outcome: Take) -> None:
    assert outcome.edge in node.edges(), f"no edge {outcome.edge!r}"
    for action in outcome.actions:
        again = msgspec.json.decode(msgspec.json.encode(action), type=type(action))
        assert again == action, "actions must be plain"


def _same_twice(node: Node, context: Context, question: str, *arguments: Event | None) -> Outcome:
    """Ask twice, the second time a node made anew: the answer depends on nothing else."""
    twin = decode_node(msgspec.json.decode(msgspec.json.encode(node)))
    outcome: Outcome = getattr(node, question)(context, *arguments)
    again: Outcome = getattr(twin, question)(context, *arguments)
    assert outcome == again, "the same question, another answer"
    assert isinstance(outcome, Stay | Take)
    return outcome
