"""Rules that say the same have one normal form, and those that do not have two."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.analysis.logic.segment_tools.normal_form import normal_form
from amity.rules import Subject, compile_rule, decode_rule, encode_rule

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def is_(name):
    return {"node": "check", "field": f"trait.{name}", "is": {"op": "is_true"}}


def not_(of):
    return {"node": "not", "of": of}


def all_(*of):
    return {"node": "all", "of": list(of)}


def any_(*of):
    return {"node": "any", "of": list(of)}


A, B, C = is_("a"), is_("b"), is_("c")
LANDS = {"node": "check", "field": "trait.l", "is": {"op": "in", "values": ["FR", "DE", "FR"]}}
SAME = [
    (all_(A, B), all_(B, A, B)),
    (all_(A), any_(A)),
    (all_(A, all_(B, C)), all_(all_(A, B), C)),
    (not_(not_(A)), A),
    (not_(any_(A, B)), all_(not_(B), not_(A))),
    (not_(all_(A, not_(B))), any_(B, not_(A))),
    (LANDS, {**LANDS, "is": {"op": "in", "values": ["DE", "FR"]}}),
    ({"node": "did", "event": "X", "at_least": 1}, {"node": "did", "event": "X"}),
    ({"node": "in_segment", "segment_id": 4}, all_(A, B)),
]
OTHER = [
    (all_(A, B), any_(A, B)),
    (A, not_(A)),
    (all_(A, any_(B, C)), any_(all_(A, B), C)),
    ({"node": "did", "event": "X", "at_least": 2}, {"node": "did", "event": "X"}),
    ({"node": "in_segment", "segment_id": 5}, all_(A, B)),
    (all_(), any_()),
]


def form(rule):
    return normal_form(encode_rule(decode_rule(rule)), {4: all_(B, A)})


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_written_otherwise(one, other):
    assert form(one) == form(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_is_not_the_same(one, other):
    assert form(one) != form(other)


RULES = st.recursive(
    st.sampled_from([A, B, C]),
    lambda inner: st.one_of(
        inner.map(not_),
        st.lists(inner, max_size=3).map(lambda of: all_(*of)),
        st.lists(inner, max_size=3).map(lambda of: any_(*of)),
    ),
    max_leaves=6,
)
PEOPLE = [{name: bool(bits >> n & 1) for n, name in enumerate("abc")} for bits in range(8)]


@given(RULES, RULES)
@settings(max_examples=150)
def test_one_form_means_one_answer(one, other):
    """Whatever has one form finds the same people; a form itself is a rule that says the same."""

    def answers(rule):
        matcher = compile_rule(decode_rule(rule))
        return [matcher.matches(person(traits), NOW) for traits in PEOPLE]

    if form(one) == form(other):
        assert answers(one) == answers(other)
    assert answers(normal_form(one)) == answers(one)


def person(traits):
    return Subject(profile_id=1, traits=traits, fields={}, consents={}, segments=frozenset())
