"""Rules over the warehouse: DuckDB answers as memory does, for every operator and condition.

That memory and PostgreSQL agree is shown beside this, of the same people (`test_rules_faces`,
`test_operators`, `test_conditions`); the whole of rules over all three is in `test_rules_faces`.
"""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from amity.analysis.logic.batch.catalogue import make_catalogue
from amity.analysis.logic.batch.engines import DUCKDB
from amity.analysis.logic.batch.translating import translate
from amity.kernel.errors import Invalid
from amity.rules import PROFILE_FIELDS, Check, Fragment, Subject, conditions, mentions, sql, to_sql
from amity.rules.operator import operators
from amity.testing.rules_kit import AWKWARD, NOW, edges, values
from amity.testing.rules_world import people_about
from amity.testing.warehouse import open_memory, put_people
from amity.testing.warehouse_ties import FIRST_OTHER, put_ties

EXAMPLES = [example for kind in operators for example in kind.examples()]
SETTINGS = settings(
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KEYS = ["x", "a b", 'a"b', "a'b", "a/b", "a~b", "~1", "$.x", "*", "0", "é", "😀", "%s", "\\"]


@pytest.fixture(scope="module")
def duck():
    connection = open_memory()
    yield connection
    connection.close()


QUERIES = {}


def put_world(duck, people):
    put_people(duck, people)
    put_ties(duck, people)


def ask(duck, rule, now):
    # By text: to Python the constants 1 and true are equal.
    asked = repr((rule, now))
    if asked not in QUERIES:
        members = "WITH batch_members AS (SELECT m.segment_id, m.profile_id FROM members AS m) {}"
        query = sql(members, to_sql(rule, make_catalogue({}), now))
        QUERIES[asked] = translate(query, DUCKDB)
    found = duck.execute(QUERIES[asked]).fetchall()
    return sorted(row[0] for row in found if row[0] < FIRST_OTHER)


def assert_same(duck, rule, people, now):
    known = [msgspec.structs.replace(each, profile_id=i) for i, each in enumerate(people)]
    wanted = [i for i, person in enumerate(known) if rule.matches(person, now)]
    found = ask(duck, rule, now)
    differing = [people[i] for i in set(wanted) ^ set(found)]
    assert found == wanted, (rule, now, differing)


def test_operators_on_awkward_values(duck):
    people = [
        Subject(traits={} if value is None else {"x": value})
        for value in AWKWARD + edges(30) + edges(0.5)
    ]
    put_world(duck, people)
    for operator in EXAMPLES:
        assert_same(duck, Check("trait.x", operator), people, NOW)


def test_operators_on_any_values(duck):
    @SETTINGS
    @given(st.lists(values(), min_size=30, max_size=60))
    def agree(found):
        people = [Subject(traits={} if value is None else {"x": value}) for value in found]
        put_world(duck, people)
        for operator in EXAMPLES:
            assert_same(duck, Check("trait.x", operator), people, NOW)

    agree()


def test_fields_of_a_profile_with_every_operator(duck):
    people = [Subject(), Subject(fields={"name": "2026-02-05", "order_count": 5})]
    put_world(duck, people)
    for name in ("name", "order_count", "last_order_at"):
        for kind in operators:
            if PROFILE_FIELDS[name] in kind.accepts:
                example = next(iter(kind.examples()))
                assert_same(duck, Check(f"profile.{name}", example), people, NOW)


def test_properties_of_any_name(duck):
    people = [Subject(traits={key: "yes"}) for key in KEYS]
    put_world(duck, people)
    for key in KEYS:
        assert_same(duck, Check(f"trait.{key}", operators["eq"]("yes")), people, NOW)


def addable():
    """Values whose numbers engines add without loss: up to nine decimals, below a thousand million.

    What is compared and not added may be any number (`test_operators_on_any_values`).
    """
    numbers = st.integers(-(10**9), 10**9) | st.decimals(-(10**6), 10**6, places=6).map(float)
    others = values().filter(lambda value: isinstance(value, (str, bool, type(None))))
    return numbers | others | st.lists(numbers | others, max_size=2)


@pytest.mark.parametrize("kind", sorted(conditions, key=lambda kind: kind.__name__))
def test_conditions_at_every_change(duck, kind):
    for rule in kind.examples():
        # What may be used for a purpose is more than a column: `test_rules_faces` asks for it.
        if not mentions(rule).purposes:
            _hold(duck, rule)


def _hold(duck, rule):
    @SETTINGS
    @given(st.lists(people_about(rule, addable(), NOW), min_size=3, max_size=8))
    def agree(people):
        put_world(duck, people)
        instants = {NOW}
        changes = sorted(
            at for at in (rule.next_change(person, NOW) for person in people) if at is not None
        )
        for at in changes[:1]:
            instants |= {at, at - timedelta(microseconds=1)}
        for now in sorted(instants):
            assert_same(duck, rule, people, now)

    agree()


def test_what_has_no_equal_is_refused():
    odd = sql("SELECT pg_sleep({}) FROM profiles", 1)
    with pytest.raises(Invalid, match="pg_sleep"):
        translate(odd, DUCKDB)
    with pytest.raises(Invalid, match="cannot be said"):
        translate(Fragment("SELECT %s", (msgspec.UNSET,)), DUCKDB)
