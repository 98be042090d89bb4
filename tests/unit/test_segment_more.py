"""Every condition the builder has no words for has fields, and what is typed there counts."""

import json

import pytest

from amity.rules import decode_rule, encode_rule, strip_filled
from amity.rules.condition import conditions, name_of
from amity.web.segments.convert import bare_json, read_rule, write_rule
from amity.web.segments.draft import EMPTY, Coded, edit
from amity.web.segments.form import read_draft
from amity.web.segments.more import fields_of, list_kinds, rows_of
from amity.web.segments.more_editing import apply_fields

KINDS = list_kinds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_condition_can_be_added_and_has_fields(kind):
    node = edit(EMPTY, f"add:r:{kind.name}").of[0]
    assert isinstance(node, Coded)
    fields = fields_of(node.json)
    assert fields
    # As they stand the fields say what the JSON says.
    typed = {field.name: field.value for field in fields}
    assert apply_fields(node.json, typed) == node.json
    decode_rule(node.json)


def test_the_conditions_asked_for_most_are_there():
    wanted = {"aggregate", "sequence", "first_event", "last_event", "score", "bucket"}
    assert wanted <= {kind.name for kind in KINDS}


def changed(name, **typed):
    text = next(kind.json for kind in KINDS if kind.name == name)
    return json.loads(apply_fields(text, {key.replace("__", "."): v for key, v in typed.items()}))


def test_what_is_typed_is_written():
    rule = changed("score", score="churn", by="value")
    assert (rule["score"], rule["by"]) == ("churn", "value")
    rule = changed("sequence", first__event="A", then__event="B", apart_days="")
    assert (rule["first"]["event"], rule["then"]["event"]) == ("A", "B")
    assert "apart_days" not in rule
    rule = changed("message", window__window="last", window__unit="week", window__periods="2")
    assert rule["during"] == {"unit": "week", "which": "last", "count": 2}
    assert "within_days" not in rule
    rule = changed("bucket", to="abc")
    assert rule["to"] == "abc"  # nothing typed is lost; what is wrong is said beside it


def test_of_json_and_fields_what_was_changed_last_counts():
    text = json.dumps({"node": "bucket", "salt": "a", "to": 10})
    form = {"r.of.0.node": "coded", "r.of.0.json": text, "r.of.0.json_before": text}
    by_field = read_draft({**form, "r.of.0.f.to": "20"}).of[0]
    assert json.loads(by_field.json)["to"] == 20
    other = text.replace("10", "30")
    by_json = read_draft({**form, "r.of.0.json": other, "r.of.0.f.to": "20"}).of[0]
    assert json.loads(by_json.json)["to"] == 30
    broken = read_draft({**form, "r.of.0.json": "{", "r.of.0.f.to": "20"}).of[0]
    assert (broken.json, fields_of(broken.json)) == ("{", [])


def form_of(coded):
    """Write a condition known by its shape as its page's form sends it."""
    json_text = bare_json(coded)
    fields = {"r.of.0.node": "coded", "r.of.0.json": json_text, "r.of.0.json_before": json_text}
    for row in rows_of(coded.json):
        fields |= {f"r.of.0.f.{field.name}": field.value for field in row.fields}
        if row.window:
            names = row.window.__struct_fields__
            fields |= {f"r.of.0.f.window.{name}": getattr(row.window, name) for name in names}
    return fields


EXAMPLES = [
    example
    for condition in conditions
    if name_of(condition) in {kind.name for kind in KINDS}
    for example in condition.examples()
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: name_of(type(each)))
def test_whatever_a_condition_says_stands_in_its_rows(example):
    rule = strip_filled(encode_rule(example))
    draft = read_rule(rule)
    assert isinstance(draft.of[0], Coded)
    again = read_draft(form_of(draft.of[0]))
    assert strip_filled(encode_rule(decode_rule(write_rule(again).rule)))["of"] == [rule]
    # Nothing of it is left to JSON: every key is a field, a test, a part or the window.
    seen = {
        name.split(".")[0] for row in rows_of(draft.of[0].json) for name in [row.at, *row.names]
    }
    seen |= {"within_days", "during"} if "window" in seen else set()
    assert set(rule) - {"node"} <= seen


def test_a_sequence_is_built_without_json():
    draft = edit(EMPTY, "add:r:sequence")
    form = form_of(draft.of[0])
    form |= {"r.of.0.f.first.event": "A", "r.of.0.f.then.event": "B", "r.of.0.f.apart_days": "2"}
    draft = read_draft(form)
    draft = edit(draft, "drop:r.of.0:without")
    draft = edit(draft, "drop:r.of.0:then.where.0")
    draft = edit(draft, "part:r.of.0:step=without")
    draft = edit(draft, "part:r.of.0:wheres=without.where")
    asked = {problem.path: problem.is_gap for problem in write_rule(draft).problems}
    assert asked == {"r.of.0.f.without": True, "r.of.0.f.without.where.0": True}
    form = form_of(draft.of[0]) | {
        "r.of.0.f.without.event": "C",
        "r.of.0.f.without.where.0.property": "total",
        "r.of.0.f.without.where.0.is.op": "gte",
        "r.of.0.f.without.where.0.is.v.value": "fifty",
        "r.of.0.f.window.window": "this",
        "r.of.0.f.window.unit": "quarter",
        "r.of.0.f.window.zone": "Europe/Paris",
    }
    wrong = write_rule(read_draft(form))
    assert [problem.path for problem in wrong.problems] == ["r.of.0.f.without.where.0"]
    right = write_rule(read_draft(form | {"r.of.0.f.without.where.0.is.v.value": "50"}))
    assert not right.problems
    assert right.rule["of"] == [
        {
            "node": "sequence",
            "first": {"event": "A"},
            "then": {"event": "B"},
            "apart_days": 2,
            "without": {
                "event": "C",
                "where": [{"property": "total", "is": {"op": "gte", "value": 50}}],
            },
            "during": {"unit": "quarter", "zone": "Europe/Paris"},
        }
    ]
    decode_rule(right.rule)
