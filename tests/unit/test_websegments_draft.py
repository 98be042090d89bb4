"""The builder's draft: edited by buttons, read from a form, turned into rules and back."""

import pytest

from amity.rules import (
    Any_,
    decode_rule,
    encode_rule,
    iter_conditions,
    list_operators,
    strip_filled,
)
from amity.rules.condition import name_of
from amity.web.segments.building import build
from amity.web.segments.convert import read_rule, write_rule
from amity.web.segments.draft import (
    EMPTY,
    MAX_CONDITIONS,
    MAX_DEPTH,
    Check,
    Coded,
    Did,
    Group,
    Member,
    Test,
    count_conditions,
    edit,
    focus_after,
    walk,
)
from amity.web.segments.form import read_draft
from amity.web.segments.tree import FIELDS, fitting_test, view_test, view_tree


def test_buttons_add_nest_and_remove() -> None:
    draft = edit(EMPTY, "add:r:did")
    draft = edit(draft, "where:r.of.0")
    draft = edit(draft, "add:r:group")
    draft = edit(draft, "add:r.of.1:member")
    assert [type(node).__name__ for node in draft.of] == ["Did", "Group"]
    inner = draft.of[1]
    assert isinstance(inner, Group)
    assert [type(node) for node in inner.of] == [Check, Member]
    assert focus_after(draft, "add:r.of.1:member") == "r.of.1.of.1"
    assert focus_after(draft, "where:r.of.0") == "r.of.0.where.0"
    draft = edit(draft, "remove:r.of.0.where.0")
    assert isinstance(draft.of[0], Did)
    assert not draft.of[0].where
    draft = edit(draft, "remove:r.of.1.of.0")
    assert count_conditions(draft) == 2
    assert edit(draft, "remove:r.of.0").of == draft.of[1:]
    assert focus_after(draft, "remove:r.of.0") == "r"


@pytest.mark.parametrize(
    "action",
    [
        "",
        "add",
        "add:r:nonsense",
        "add:r.of.9:did",
        "remove:r",
        "remove:r.of.9",
        "remove:r.of.x",
        "remove:r.where.0",
        "where:r",
        "remove:r.of.0.of.0",
        "remove:r.of.0.where.3",
        "nonsense:r.of.0",
    ],
)
def test_what_makes_no_sense_changes_nothing(action: str) -> None:
    draft = Group(of=(Did(event="A"),))
    assert edit(draft, action) == draft


def test_a_draft_is_bounded_in_size_and_depth() -> None:
    draft = EMPTY
    for _ in range(MAX_CONDITIONS + 5):
        draft = edit(draft, "add:r:check")
    assert count_conditions(draft) == MAX_CONDITIONS
    path, draft = "r", EMPTY
    for _ in range(20):
        draft = edit(draft, f"add:{path}:group")
        path = f"{path}.of.0" if path == "r" else f"{path}.of.1"
    assert max(path.count(".of.") for path, _ in walk(draft)) <= MAX_DEPTH + 1


def test_the_deepest_rule_there_can_be_comes_through_the_form() -> None:
    rule = {"node": "check", "field": "trait.deep", "is": {"op": "exists"}}
    for _ in range(19):
        rule = {"node": "all", "of": [rule, {"node": "consent", "purpose": "p"}]}
    draft = read_rule(encode_rule(decode_rule(rule)))
    assert write_rule(draft).rule == rule
    fields = {f"r{'.of.0' * depth}.node": "group" for depth in range(19)}
    fields |= {f"r{'.of.0' * 19}.node": "member", f"r{'.of.0' * 19}.segment": "7"}
    assert sum(isinstance(node, Member) for _, node in walk(read_draft(fields))) == 1


def test_a_hostile_form_is_read_without_harm() -> None:
    fields = {"r" + ".of.0" * 500 + ".node": "group", "r.of.0": "text", "r.of.0.node": "did"}
    fields |= {"r.of.5.node": "check", "r.of.2.node": "agreed", "r.mode": "perhaps", "x.of": "1"}
    fields |= {f"r.of.{n}.v.value": "x" for n in range(10_000)}
    draft = read_draft(fields)
    assert draft.mode == "all"
    assert count_conditions(draft) == 9_999  # one was a text already


def test_problems_stand_at_their_place_in_the_draft() -> None:
    draft = Group(
        mode="none",
        of=(
            Check(field="trait", name="a", test=Test(values={"value": "1"})),
            Group(of=(Did(event="", days="soon"), Check(field="profile.nonsense"))),
        ),
    )
    problems = {(problem.path, problem.is_gap) for problem in write_rule(draft).problems}
    assert problems == {("r.of.1.of.0", True), ("r.of.1.of.0", False), ("r.of.1.of.1", True)}
    whole = Group(mode="none", of=(Group(of=(Did(event="E", days="0"),)),))
    assert [problem.path for problem in build(whole).problems] == ["r.of.0.of.0"]
    tested = Group(
        of=(Check(field="trait", name="a", test=Test(op="after", values={"value": "x"})),)
    )
    found = build(tested).problems
    assert [problem.path for problem in found] == ["r.of.0"]
    assert "'x' is not a date" in found[0].message


def test_every_operators_example_goes_through_the_form() -> None:
    for info in list_operators():
        rule = {"node": "check", "field": "trait.x", "is": info.example}
        canonical = encode_rule(decode_rule(rule))
        written = write_rule(read_rule(canonical))
        assert not written.problems, info.op
        assert encode_rule(decode_rule(written.rule)) == {"node": "all", "of": [canonical]}
        view = view_test(Test(op=info.op), "r.of.0")
        assert [field.name for field in view.fields] == [one.name for one in info.parameters]
        chosen = [choice for _, choices in view.groups for choice in choices if choice.is_on]
        assert [choice.label for choice in chosen] == [info.label]


@pytest.mark.parametrize("kind", list(iter_conditions()), ids=name_of)
def test_every_conditions_example_goes_through_the_form(kind) -> None:
    """What the form has no fields for is kept as JSON, said in words, and means the same."""
    for example in kind.examples():
        if example == Any_(()):
            continue  # the form asks for a condition rather than find no one
        rule = strip_filled(encode_rule(example))
        draft = read_rule(encode_rule(example))
        built = build(draft)
        assert not built.problems
        words = decode_rule(built.rule).describe()
        assert decode_rule(rule).describe() in words
        shown = view_tree(draft, built.problems)
        coded = [child for child in shown.children if child.kind == "coded"]
        assert all(child.words in words for child in coded)


def test_a_condition_in_json_that_cannot_be_read_says_so_in_its_place() -> None:
    for text in ("", "{", "5", "[]"):
        draft = Group(of=(Coded(json=text),))
        assert [(one.path, one.message) for one in build(draft).problems] == [
            ("r.of.0", "This is not the JSON of a condition.")
        ]
        assert view_tree(draft, []).children[0].words == ""
    wrong = Group(of=(Coded(json='{"node": "did", "event": "A", "during": {"unit": "hour"}}'),))
    found = build(wrong).problems
    assert [one.path for one in found] == ["r.of.0.f.window"]
    assert "hour" in found[0].message


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_offers_only_operators_that_go_with_it(field: str) -> None:
    view = view_test(Test(), "r.of.0", field=field)
    for _, choices in view.groups:
        for choice in choices:
            example = next(info.example for info in list_operators() if info.op == choice.value)
            decode_rule({"node": "check", "field": field, "is": example})
    fitted = fitting_test(Test(op="nonsense"), field)
    assert fitted.op in {choice.value for _, choices in view.groups for choice in choices}


@pytest.mark.parametrize(
    "value", ["", " x ", "two\nlines", True, 0, 5, 0.5, -3, 2**60, "5", "true"]
)
def test_values_keep_their_type_and_their_spaces(value: object) -> None:
    for test in ({"op": "eq", "value": value}, {"op": "in", "values": [value, "FR"]}):
        rule = {"node": "all", "of": [{"node": "check", "field": "trait.x", "is": test}]}
        written = write_rule(read_rule(rule))
        assert not written.problems
        back = written.rule["of"][0]["is"]
        assert back == test
        assert [type(one) for one in back.values()] == [type(one) for one in test.values()]
