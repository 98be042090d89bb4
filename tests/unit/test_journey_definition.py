"""A journey's drawing: all its problems at once, in people's words, and itself in sentences."""

import pytest

from amity.broadcast.logic.journeys.definition import (
    check_shape,
    decode_definition,
    describe,
    find_problems,
)
from amity.broadcast.node import Names
from amity.kernel.errors import Invalid

NAMES = Names(templates={1: "Cart reminder"}, segments={5: "Buyers"})
GOOD = {
    "entry": {"event": "Product Added"},
    "exit": {"event": "Order Completed"},
    "reentry_days": 7,
    "start": "pause",
    "nodes": {
        "pause": {"kind": "wait", "seconds": 5400, "next": "asked"},
        "asked": {"kind": "branch", "did": "Order Completed", "yes": "", "no": "mail"},
        "mail": {"kind": "email", "template_id": 1, "next": ""},
    },
}


def with_nodes(start="a", **nodes):
    return {**GOOD, "start": start, "nodes": nodes}


def test_a_good_drawing_has_no_problems_and_reads_as_sentences():
    assert find_problems(GOOD, NAMES) == []
    assert decode_definition(GOOD).entry.within_hours == 24
    assert describe(GOOD, NAMES) == (
        "Begins when somebody does “Product Added”, at most once in 7 days. "
        "“pause” waits 1 hour 30 minutes, then “asked”. "
        "“asked” asks: did “Order Completed” since the journey began? yes → the end, no → “mail”. "
        "“mail” sends “Cart reminder”, then the end. "
        "Whoever does “Order Completed” meanwhile leaves at once."
    )


PROBLEMS = {
    "there is no setting 'colour'": {**GOOD, "colour": "red"},
    "nothing begins the journey": {**GOOD, "entry": None},
    "the entry cannot be read": {**GOOD, "entry": {"event": ""}},
    "the exit cannot be read": {**GOOD, "exit": {"event": 5}},
    "`reentry_days` cannot be read": {**GOOD, "reentry_days": -1},
    "the journey has no steps": {**GOOD, "nodes": {}},
    "it is not said with which step": {**GOOD, "start": ""},
    "starts with “moon”, which is not there": {**GOOD, "start": "moon"},
    "unknown kind 'teleport'": with_nodes(a={"kind": "teleport"}),
    "“a” cannot be read": with_nodes(a={"kind": "wait", "seconds": "long"}),
    "“a” waits no time": with_nodes(a={"kind": "wait"}),
    "“a” waits a negative time": with_nodes(a={"kind": "wait", "seconds": -5}),
    "“a” waits longer than ten years": with_nodes(a={"kind": "wait", "days": 1e9}),
    "which is not there": with_nodes(a={"kind": "email", "template_id": 1, "next": "b"}),
    "nobody comes to “b”": with_nodes(a={"kind": "wait", "days": 1}, b={"kind": "wait", "days": 1}),
    "goes round for ever": with_nodes(a={"kind": "wait", "days": 1, "next": "a"}),
    "without any wait": with_nodes(a={"kind": "branch", "did": "X", "yes": "a", "no": ""}),
    "template no. 9, which is gone": with_nodes(a={"kind": "email", "template_id": 9}),
    "segment no. 6, which is gone": with_nodes(
        a={"kind": "branch", "rule": {"node": "in_segment", "segment_id": 6}}
    ),
    "either a `rule` or a `did`": with_nodes(a={"kind": "branch"}),
    "no field 'shoe'": with_nodes(
        a={"kind": "branch", "rule": {"node": "check", "field": "shoe", "is": {"op": "exists"}}}
    ),
    "is no name for a step": with_nodes(**{"a:b": {"kind": "wait", "days": 1}}),
    "more than 200 steps": with_nodes(
        **{f"n{i}": {"kind": "email", "template_id": 1} for i in range(201)}
    ),
    "not a JSON object": [],
}


@pytest.mark.parametrize("words", PROBLEMS)
def test_what_is_wrong_is_said_in_words(words):
    problems = find_problems(PROBLEMS[words], NAMES)
    assert [problem for problem in problems if words in problem], problems
    assert isinstance(describe(PROBLEMS[words], NAMES), str)


def test_all_problems_are_said_at_once():
    problems = find_problems(
        {
            "start": "a",
            "nodes": {
                "a": {"kind": "wait", "next": "nowhere"},
                "b": {"kind": "email", "template_id": 7},
                "c": {"kind": "dance"},
            },
        },
        NAMES,
    )
    said = " | ".join(problems)
    assert len(problems) == 5
    for words in ("nothing begins", "“a” waits no time", "nowhere", "template no. 7", "“c”"):
        assert words in said
    with pytest.raises(Invalid, match="nothing begins"):
        decode_definition({"start": "a", "nodes": {}})


@pytest.mark.parametrize(
    "raw", [[], "x", None, {"a": "\0"}, {"a": "\ud800"}, {"a": "x" * 300_000}, {"a": {1, 2}.pop}]
)
def test_what_is_no_drawing_at_all_is_refused(raw):
    with pytest.raises(Invalid):
        check_shape(raw)


def test_a_draw_without_an_end_is_found_behind_a_branch():
    drawing = with_nodes(
        a={"kind": "wait", "days": 1, "next": "b"},
        b={"kind": "branch", "did": "X", "yes": "c", "no": ""},
        c={"kind": "wait", "days": 1, "next": "c"},
    )
    assert find_problems(drawing, NAMES) == [
        "whoever comes to “c” goes round for ever: from there nothing leads to an end"
    ]
