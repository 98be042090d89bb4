"""Every condition the builder has no words for has fields, and what is typed there counts."""

import json

import pytest

from amity.rules import decode_rule
from amity.web.segments.draft import EMPTY, Coded, edit
from amity.web.segments.form import read_draft
from amity.web.segments.more import apply_fields, fields_of, list_kinds

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
    rule = changed("score", score="churn", by="value", is__value="0.5")
    assert (rule["score"], rule["by"], rule["is"]) == (
        "churn",
        "value",
        {"op": "gte", "value": 0.5},
    )
    rule = changed("sequence", first__event="A", then__event="B", apart_days="")
    assert (rule["first"]["event"], rule["then"]["event"]) == ("A", "B")
    assert "apart_days" not in rule
    rule = changed("score", is__op="between")
    assert rule["is"]["op"] == "between"
    rule = changed("lives", is__values="FR, IT")
    assert rule["is"]["values"] == ["FR", "IT"]
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
