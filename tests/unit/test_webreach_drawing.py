"""How a journey is drawn: every step has a place of its own, and lines lead down where they can."""

import itertools
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from amity.broadcast.contracts import Journey, NodeCount
from amity.web.journeys.drawing import Drawing, draw

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_journey(start: str) -> Journey:
    definition: dict[str, Any] = {"start": start}
    return Journey(
        journey_id=1,
        name="Carts",
        description="",
        version=1,
        state="draft",
        definition=definition,
        words="",
        problems=[],
        created_by="",
        created_at=NOW,
        updated_at=NOW,
    )


def make_node(name: str, **edges: str) -> NodeCount:
    return NodeCount(node=name, kind="wait", words="", here=0, came=0, left={"yes": 3}, next=edges)


def overlaps(drawing: Drawing) -> list[tuple[str, str]]:
    boxes = [(box.node.node if box.node else "end", box) for box in drawing.boxes + drawing.ends]
    return [
        (a_name, b_name)
        for (a_name, a), (b_name, b) in itertools.combinations(boxes, 2)
        if a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    ]


def test_a_branch_stands_over_what_it_leads_to() -> None:
    nodes = [
        make_node("no"),
        make_node("ask", yes="", no="no"),
        make_node("wait", next="ask"),
    ]
    drawing = draw(make_journey("wait"), nodes)
    at = {box.node.node: box for box in drawing.boxes if box.node}
    assert at["wait"].y < at["ask"].y < at["no"].y
    assert len(drawing.ends) == 1
    assert drawing.ends[0].x < at["no"].x
    assert [(line.label, line.count) for line in drawing.lines if line.label == "yes"] == [
        ("yes", 3)
    ]
    assert [way.target for way in at["ask"].ways] == ["", "no"]


def test_a_loop_and_a_step_nobody_reaches_are_drawn_too() -> None:
    nodes = [make_node("a", next="b"), make_node("b", yes="a", no="b"), make_node("alone")]
    drawing = draw(make_journey("a"), nodes)
    assert {box.node.node for box in drawing.boxes if box.node} == {"a", "b", "alone"}
    assert overlaps(drawing) == []
    assert len(drawing.lines) == 4


def test_an_empty_journey_is_drawn_as_its_entry_alone() -> None:
    drawing = draw(make_journey(""), [])
    assert (drawing.boxes, drawing.ends, drawing.lines) == ([], [], [])
    assert drawing.width > drawing.entry.width


names = st.sampled_from("abcdefgh")


@settings(max_examples=150, deadline=None)
@given(
    start=names,
    edges=st.dictionaries(
        names,
        st.dictionaries(st.sampled_from(["yes", "no", "next"]), names | st.just(""), max_size=3),
        max_size=8,
    ),
)
def test_no_two_steps_stand_in_one_place(start: str, edges: dict[str, dict[str, str]]) -> None:
    drawing = draw(make_journey(start), [make_node(name, **to) for name, to in edges.items()])
    assert len(drawing.boxes) == len(edges)
    assert overlaps(drawing) == []
    for box in (*drawing.boxes, *drawing.ends, drawing.entry):
        assert box.x >= 0
        assert box.x + box.width <= drawing.width
