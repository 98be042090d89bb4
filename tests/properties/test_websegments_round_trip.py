"""Whatever rule there is, the form shows it and gives back one that means the same."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from amity.rules import decode_rule, encode_rule
from amity.web.segments.convert import read_rule, write_rule
from amity.web.segments.draft import Agreed, Check, Coded, Did, Group, Member, Node, walk
from amity.web.segments.form import read_draft
from amity.web.segments.more import Window

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8).map(
    lambda text: text.strip() or "x"
)
SCALARS = st.one_of(
    NAMES, st.booleans(), st.integers(-(2**62), 2**62), st.floats(-1e6, 1e6), st.text(max_size=4)
).filter(lambda value: not isinstance(value, str) or "\0" not in value)
TESTS = st.one_of(
    st.fixed_dictionaries({"op": st.just("eq"), "value": SCALARS}),
    st.fixed_dictionaries({"op": st.just("in"), "values": st.lists(SCALARS, min_size=1)}),
    st.fixed_dictionaries({"op": st.sampled_from(["gt", "lte"]), "value": st.integers(0, 99)}),
    st.fixed_dictionaries({"op": st.just("within_last"), "days": st.integers(1, 400)}),
    st.just({"op": "exists"}),
)
COUNTS = st.sampled_from(
    [
        {},
        {"at_least": 2},
        {"at_most": 0},
        {"at_most": 3},
        {"at_least": 2, "at_most": 2},
        {"at_least": 2, "at_most": 7},
    ]
)
WHERES = st.lists(st.fixed_dictionaries({"property": NAMES, "is": TESTS}), max_size=2)
LEAVES = st.one_of(
    st.builds(
        lambda name, test: {"node": "check", "field": f"trait.{name}", "is": test}, NAMES, TESTS
    ),
    st.builds(
        lambda event, where, count, days: (
            {"node": "did", "event": event, "where": where} | count | days
        ),
        NAMES,
        WHERES,
        COUNTS,
        st.sampled_from(
            [
                {},
                {"within_days": 7},
                {"within_days": 0.5},
                {"during": {"unit": "month", "which": "last", "zone": "Europe/Paris"}},
            ]
        ),
    ),
    st.builds(lambda n: {"node": "in_segment", "segment_id": n}, st.integers(1, 99)),
    st.builds(
        lambda node, name: {"node": node, "purpose": name},
        st.sampled_from(["consent", "said_yes"]),
        NAMES,
    ),
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda kind, of: {"node": kind, "of": of},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda of: {"node": "not", "of": of}, inner),
    ),
    max_leaves=5,
)


def _simplify(rule: dict[str, Any]) -> dict[str, Any]:
    """Bring rules that say the same to one shape: groups of one are their one."""
    if rule["node"] in ("all", "any"):
        of = [_simplify(child) for child in rule["of"]]
        return of[0] if len(of) == 1 else {"node": rule["node"], "of": of}
    if rule["node"] == "not":
        return {"node": "not", "of": _simplify(rule["of"])}
    if rule["node"] == "did" and "at_least" not in rule and "at_most" not in rule:
        return rule | {"at_least": 1}
    return rule


def _fields(node: Node) -> dict[str, str]:
    """Write a draft as its page's form would send it."""
    fields: dict[str, str] = {}
    for path, one in walk(node):
        match one:
            case Group():
                fields |= {f"{path}.node": "group", f"{path}.mode": one.mode}
            case Check():
                fields |= {f"{path}.node": "check", f"{path}.field": one.field}
                fields |= {f"{path}.name": one.name} | _test(path, one.test)
            case Did():
                fields |= {f"{path}.node": "did"}
                for name in (*("event", "times", "count", "most"), *Window.__struct_fields__):
                    fields[f"{path}.{name}"] = getattr(one, name)
                for index, where in enumerate(one.where):
                    place = f"{path}.where.{index}"
                    fields |= {f"{place}.property": where.property} | _test(place, where.test)
            case Member():
                fields |= {f"{path}.node": "member", f"{path}.segment": one.segment_id}
                fields |= {f"{path}.is": "not" if one.is_negated else "in"}
            case Coded():
                fields |= {f"{path}.node": "coded", f"{path}.json": one.json}
            case Agreed():
                fields |= {f"{path}.node": "agreed", f"{path}.purpose": one.purpose}
                said = ("said", "not_said") if one.word == "said_yes" else ("in", "not")
                fields |= {f"{path}.is": said[one.is_negated]}
    # What a browser does to line ends.
    return {name: value.replace("\n", "\r\n") for name, value in fields.items()}


def _test(path: str, test: Any) -> dict[str, str]:
    fields = {f"{path}.op": test.op, f"{path}.as": test.as_type}
    return fields | {f"{path}.v.{name}": value for name, value in test.values.items()}


@settings(max_examples=150, deadline=None)
@given(RULES)
def test_json_to_form_to_json_means_the_same(rule: dict[str, Any]) -> None:
    rule = encode_rule(decode_rule(rule))
    draft = read_draft(_fields(read_rule(rule)))
    written = write_rule(draft)
    assert not written.problems
    assert _simplify(encode_rule(decode_rule(written.rule))) == _simplify(rule)
