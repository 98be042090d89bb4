"""Random rules of every condition: memory and PostgreSQL agree whenever an answer may change."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
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
        max_examples=30,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(rules().flatmap(lambda rule: st.tuples(st.just(rule), people_of(rule))))
    def agree(found):
        rule, people = found
        rules_kit.assert_conditions_agree(rule, people, connection)

    def people_of(rule):
        return st.lists(people_about(rule, rules_kit.values(), NOW), min_size=2, max_size=4)

    with database.transaction("readonly") as connection:
        agree()


def did(name, days_ago, **properties):
    return name, NOW - timedelta(days=days_ago), properties


def order(days_ago, *lines, **properties):
    return did("Order Completed", days_ago, products=list(lines), **properties)


SEQUENCE = {"node": "sequence", "first": {"event": "A"}, "then": {"event": "B"}}
UNBROKEN = {**SEQUENCE, "apart_days": 7, "without": {"event": "C"}, "within_days": 30}
AVERAGE = {"node": "aggregate", "measure": "average", "property": "p", "event": "A"}
DIFFERENT = {**AVERAGE, "measure": "distinct", "is": {"op": "eq", "value": 2}}
SPEND = {"node": "bought", "measure": "spend", "is": {"op": "eq", "value": 0.3}}
TEA, CUP = {"category": "Tea", "price": 0.1}, {"category": "Cup", "price": 9, "cost": 4}
LAST = {"node": "last_event", "event": "A", "has": [{"property": "p", "is": {"op": "exists"}}]}
SINCE = {"node": "not_since", "event": "A", "since": {"event": "B"}}
COUNTED = {
    "node": "did",
    "event": "A",
    "where": [{"property": "p", "is": {"op": "gte", "value": 5}}],
}
IS_NINE = {"property": "p", "is": {"op": "eq", "value": "9"}}
TOTAL = {**AVERAGE, "measure": "sum", "property": "total", "event": "Order Completed"}
TOTAL |= {"is": {"op": "lt", "value": 0}}
EDGES = [
    (UNBROKEN, [did("A", 36.9), did("B", 29.9)], True),  # it may begin before the window
    (UNBROKEN, [did("A", 37), did("B", 30)], False),  # the window is open at its start
    (UNBROKEN, [did("A", 8), did("B", 1)], True),
    (UNBROKEN, [did("A", 8.001), did("B", 1)], False),
    (UNBROKEN, [did("A", 3), did("C", 2), did("B", 1)], False),
    (UNBROKEN, [did("A", 3), did("C", 3), did("B", 3), did("B", 1)], True),  # C is not between
    (UNBROKEN, [did("A", 3), did("C", 1), did("B", 1)], True),
    (UNBROKEN, [did("A", 3), did("C", 2.5), did("A", 2), did("B", 1)], True),
    (SEQUENCE, [did("A", 3), did("B", 3)], False),  # at one moment neither is first
    (SEQUENCE, [did("B", 3), did("A", 2)], False),
    (SINCE, [did("B", 3), did("A", 3)], True),
    (SINCE, [did("B", 3), did("A", 2)], False),
    (SINCE, [did("A", 3)], False),  # there is no since
    ({**SINCE, "which": "first"}, [did("B", 3), did("A", 2), did("B", 1)], False),
    (LAST, [did("A", 2, p=1), did("A", 1)], False),
    (LAST, [did("A", 1, p=1), did("A", 1)], True),
    ({**AVERAGE, "is": {"op": "gte", "value": 2}}, [did("A", 1, p=1), did("A", 1, p=2)], False),
    ({**AVERAGE, "is": {"op": "lte", "value": 2}}, [did("A", 1, p="1"), did("A", 2)], False),
    ({**AVERAGE, "is": {"op": "eq", "value": 1}}, [did("A", 1, p="9"), did("A", 2, p=1)], True),
    (DIFFERENT, [did("A", 1, p=True), did("A", 1, p=False)], True),
    (DIFFERENT, [did("A", 1, p=1), did("A", 1, p=1.0), did("A", 1, p="1")], True),
    (DIFFERENT, [did("A", 1, p=True), did("A", 1, p=1), did("A", 1, p=[1])], True),
    (SPEND, [order(1, TEA, {**TEA, "quantity": 2}, {**TEA, "price": "5"})], True),
    (SPEND, [order(1, TEA, {**TEA, "quantity": 2}, {**TEA, "quantity": -9})], True),
    (SPEND, [order(1, TEA, currency="EUR"), order(2, TEA, TEA, currency="EUR")], True),
    (SPEND, [order(1, TEA, currency="EUR"), order(2, TEA, TEA, currency="USD")], False),
    (SPEND, [order(1, TEA), order(2, TEA, TEA, currency="USD")], False),
    ({**SPEND, "is": {"op": "lte", "value": 1}}, [], True),
    ({**SPEND, "measure": "margin", "is": {"op": "eq", "value": 5}}, [order(1, TEA, CUP)], True),
    ({**SPEND, "measure": "margin", "is": {"op": "lte", "value": 1}}, [order(1, TEA)], False),
    ({**SPEND, "measure": "lines", "is": {"op": "eq", "value": 1}}, [order(1, TEA, "x")], True),
    # A property that is now a text, now a number: each counts as what it is.
    (COUNTED, [did("A", 1, p="9")], False),
    (COUNTED, [did("A", 1, p="9"), did("A", 2, p=9)], True),
    ({**COUNTED, "where": [IS_NINE]}, [did("A", 1, p=9)], False),
    ({**COUNTED, "where": [IS_NINE]}, [did("A", 1, p="9")], True),
    # Orders below nothing are added as they stand; the average of nothing is not known.
    (TOTAL, [order(1, total=50), order(2, total=-80)], True),
    ({**TOTAL, "measure": "average", "is": {"op": "lte", "value": 9}}, [], False),
    ({**TOTAL, "measure": "average", "is": {"op": "gt", "value": 9}}, [order(1)], False),
    (TOTAL, [order(1, total=-5, currency="EUR"), order(2, total=-5, currency="USD")], False),
]


def test_what_is_said_of_edges_holds(module_db):
    """The cases the documentation speaks of, each answered so by every face."""
    with database.transaction("readonly") as connection:
        for raw, happened, wanted in EDGES:
            history = {}
            for name, moment, properties in happened:
                history.setdefault(name, []).append((moment, properties))
            rule, person = decode_rule(raw), Subject(history=history)
            assert rule.matches(person, NOW) is wanted, (rule.describe(), happened)
            rules_kit.assert_conditions_agree(rule, [person], connection)


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
