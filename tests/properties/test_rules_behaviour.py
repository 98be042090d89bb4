"""Random rules of every condition: memory and PostgreSQL agree whenever an answer may change."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.infra import database
from amity.kernel.errors import Invalid
from amity.rules import All, Any_, Not, Subject, Where, condition, decode_rule
from amity.rules.event_filter import Step
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.testing import rules_kit
from amity.testing.rules_kit import NOW
from amity.testing.rules_world import people_about

CONDITIONS = {name: condition.conditions[name] for name in condition.conditions.names()}
EXAMPLES = [example for kind in operators for example in kind.examples()]
NUMBERS = [op for op in EXAMPLES if "number" in type(op).accepts and op.shape() is not None]
INSTANTS = [op for op in EXAMPLES if "instant" in type(op).accepts]
ZONES = ("UTC", "Europe/Paris", "America/Havana", "Australia/Lord_Howe")
EVENTS, DAYS = ("A", "B"), (0.5, 7.0, 30.0)


def wheres(*names):
    test = st.builds(Where, st.sampled_from(names), st.sampled_from(EXAMPLES))
    return st.lists(test, max_size=1).map(tuple)


def events():
    """Which events a condition is about, by keyword."""
    units, zones = st.sampled_from(("day", "week", "month", "quarter", "year")), ZONES
    whole = st.builds(Period, units, st.just("last"), st.integers(1, 3), st.sampled_from(zones))
    periods = whole | st.builds(Period, units, zone=st.sampled_from(zones))
    windows = (
        st.just({})
        | st.sampled_from(DAYS).map(lambda days: {"within_days": days})
        | periods.map(lambda period: {"during": period})
    )
    named = st.fixed_dictionaries({"event": st.sampled_from(EVENTS), "where": wheres("p", "q")})
    return st.builds(lambda one, other: one | other, named, windows)


def build(names, **parts):
    """Generate one of some conditions from its own parts and the events it is about."""
    return st.builds(
        lambda name, own, about: CONDITIONS[name](**own, **about),
        st.sampled_from(names),
        st.fixed_dictionaries(parts),
        events(),
    )


def behaviours():
    """Every condition about events, put together at random."""
    steps = st.builds(Step, st.sampled_from(EVENTS), wheres("p", "q"))
    bounds = st.sampled_from([{}, {"at_least": 2}, {"at_most": 0}, {"at_least": 1, "at_most": 2}])
    counted = st.builds(
        lambda name, bound, about: CONDITIONS[name](**bound, **about),
        st.sampled_from(("did", "active_days")),
        bounds,
        events(),
    )
    number = {"is_": st.sampled_from(NUMBERS)}
    measures = st.sampled_from(("sum", "average", "smallest", "largest", "distinct"))
    return st.one_of(
        counted,
        build(("aggregate",), measure=measures, property_=st.just("p"), **number),
        build(
            ("bought",),
            measure=st.sampled_from(("units", "lines", "spend", "margin")),
            lines=wheres("category"),
            **number,
        ),
        build(("first_event", "last_event"), when=st.sampled_from(INSTANTS), has=wheres("p", "q")),
        st.builds(
            CONDITIONS["not_since"],
            st.sampled_from(EVENTS),
            steps,
            wheres("p"),
            st.sampled_from(("first", "last")),
        ),
        st.builds(
            CONDITIONS["sequence"],
            steps,
            steps,
            st.none() | st.sampled_from(DAYS),
            st.none() | steps,
            st.none() | st.sampled_from(DAYS),
        ),
    )


def rules():
    others = [example for kind in CONDITIONS.values() for example in kind.examples()]
    leaves = behaviours() | behaviours() | st.sampled_from(others)
    groups = st.lists(leaves, min_size=1, max_size=3).map(tuple)
    return leaves | groups.map(All) | groups.map(Any_) | groups.map(All).map(Not)


def test_random_rules_agree_at_every_change(module_db):
    @settings(
        max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(rules().flatmap(lambda rule: st.tuples(st.just(rule), people_of(rule))))
    def agree(found):
        rule, people = found
        rules_kit.assert_conditions_agree(rule, people, connection)

    def people_of(rule):
        return st.lists(people_about(rule, rules_kit.values(), NOW), min_size=2, max_size=4)

    with database.transaction("readonly") as connection:
        agree()


def test_a_rule_of_500_conditions_is_answered_alike(module_db):
    """At the bound, most of them about events, where one join for each would be far too many."""
    leaves = [
        {
            "node": "did",
            "event": "AB"[i % 2],
            "where": [{"property": "p", "is": {"op": "eq", "value": i}}],
            "at_most": i % 3,
        }
        for i in range(300)
    ]
    leaves += [leaves[0]] * 50 + [
        {"node": "check", "field": "trait.x", "is": {"op": "ne", "value": i}} for i in range(148)
    ]
    rule = decode_rule({"node": "not", "of": {"node": "all", "of": leaves}})
    history = [("AB"[i % 2], NOW - timedelta(days=i + 1), {"p": i}) for i in (0, 6, 299)]
    people = [
        Subject(
            traits={"x": x},
            history={name: [each[1:] for each in some if each[0] == name] for name in "AB"},
        )
        for x in (5, 500)
        for some in (history[:0], history[:1], history[1:2], history)
    ]
    assert {rule.matches(person, NOW) for person in people} == {True, False}
    with database.transaction("readonly") as connection:
        rules_kit.assert_conditions_agree(rule, people, connection)
    with pytest.raises(Invalid, match="more than 500 conditions"):
        decode_rule({"node": "all", "of": [*leaves, *leaves]})
