"""What every operator and every condition must satisfy: its faces agree, and it can be written.

For the author of an operator: `check_operator(MyOperator, connection)` raises AssertionError with
the first value on which memory, compiled source and SQL differ. For the author of a condition:
`check_condition(MyCondition, connection)` does the same over random people and histories, follows
`next_change`, and holds what the condition mentions against what changes its answer.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from amity.kernel.clock import format_instant
from amity.rules import (
    ActivityTable,
    Catalogue,
    Check,
    Condition,
    Did,
    Fragment,
    Matcher,
    Mentions,
    Not,
    Operator,
    RuleIndex,
    Subject,
    Where,
    compile_rule,
    decode_rule,
    encode_rule,
    mentions,
    to_sql,
    walk,
)
from amity.testing.rules_world import iter_without_one, people_about, select_passing, trim

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_INT64: Final = 2**63

AWKWARD: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, 0.1, 0.3, 0.5, 5, 5.0, 10.5, 1e-9, 1e15,
    2**53, 2**53 + 1, _INT64 - 1, -_INT64, "", " ", "a", "A", "ab", "ba", "%", "_", "\\", "é",
    "e\u0301", "😀", "FR", "FR ", "fr", "5", "1", "true", "null", "0", [], ["a"], ["FR", 1], [True],
    [["a"]], {}, {"a": 1}, {"FR": None}, "2026-01-31", "2026-01-30T22:30:00Z", "2026-13-01",
    "2026-02-30", "2026-02-01 00:30:00.5+02:00", "2026-01-31T00:00", "2026", "31.1.2026",
    "9999-12-31T23:59:59-14:00", "1000-01-01T00:00:00+14:00", 2026, "2026-01-31\n", "infinity",
    "now", "２０２６-01-31",
]  # fmt: skip
"""Values that have told faces apart; every run of the kit includes them."""


def edges(days: float) -> list[str]:
    """Return instants at, before and after the ends of a window of so many days around `NOW`."""
    window = timedelta(days=days)
    step = timedelta(microseconds=1)
    return [
        format_instant(at + shift)
        for at in (NOW, NOW - window, NOW + window)
        for shift in (-step, step * 0, step)
    ]


def values() -> st.SearchStrategy[Any]:
    """Generate what a trait or property can hold after decoding, types of every kind."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4) | st.text(
        alphabet="abFR%_\\é ", max_size=4
    )
    numbers = (
        st.integers(-_INT64, _INT64 - 1)
        | st.integers(-6, 12)
        | st.floats(-(2.0**53) + 1, 2.0**53 - 1, allow_nan=False)
    )
    moments = st.datetimes(
        NOW.replace(tzinfo=None) - timedelta(days=80),
        NOW.replace(tzinfo=None) + timedelta(days=80),
    ).map(lambda at: format_instant(at.replace(tzinfo=UTC)))
    scalars = st.none() | st.booleans() | text | numbers | moments
    return scalars | st.lists(scalars, max_size=2) | st.dictionaries(text, scalars, max_size=2)


def _catalogue(values_of_x: list[Any]) -> Catalogue:
    rows = [Jsonb({} if value is None else {"x": value}) for value in values_of_x]
    nowhere = Fragment("NULL")
    return Catalogue(
        profiles=Fragment(
            "unnest(%s::bigint[], %s::jsonb[]) AS p(id, traits)", (list(range(len(rows))), rows)
        ),
        profile_id=Fragment("p.id"),
        condition=Fragment("true"),
        traits=Fragment("p.traits"),
        consents=nowhere,
        may_use=lambda purpose, now: nowhere,
        fields={},
        activity=ActivityTable(
            relation=nowhere,
            profile_id=nowhere,
            name=nowhere,
            occurred_at=nowhere,
            properties=nowhere,
        ),
        members="SELECT {}",
    )


def assert_faces_agree(
    operator: Operator, found: list[Any], connection: psycopg.Connection[Any]
) -> None:
    """Ask every face about every value, plainly and negated; raise when two differ."""
    check = Check(field="trait.x", is_=operator)
    subjects = [Subject(traits={} if value is None else {"x": value}) for value in found]
    for rule in (check, Not(of=check)):
        plain = [rule.matches(subject, NOW) for subject in subjects]
        matcher = compile_rule(rule)
        compiled = [matcher.matches(subject, NOW) for subject in subjects]
        query = to_sql(rule, _catalogue(found), NOW)
        passing = {row[0] for row in connection.execute(query.encode(), query.params)}
        answers = zip(
            found, plain, compiled, [i in passing for i in range(len(found))], strict=True
        )
        for value, *faces in answers:
            assert all(face is faces[0] for face in faces), (
                f"{operator} on {value!r}: memory, compiled, SQL = {faces}"
            )
    _assert_index_agrees(operator, found)
    _assert_missing(operator)


def _assert_index_agrees(operator: Operator, found: list[Any]) -> None:
    index: RuleIndex[int] = RuleIndex()
    index.add(1, Did(event="e", where=(Where("x", operator),)))
    for value in [*found, None]:
        listed = index.list_counting("e", {} if value is None else {"x": value})
        passes = Where("x", operator).matches({"x": value}, NOW)
        assert operator.is_timed or bool(listed) == passes, f"index: {operator} on {value!r}"


def _assert_missing(operator: Operator) -> None:
    for subject in (Subject(), Subject(traits={"x": None})):
        rule = Check(field="trait.x", is_=operator)
        assert rule.matches(subject, NOW) is type(operator).matches_missing
        assert compile_rule(rule).matches(subject, NOW) is type(operator).matches_missing


def assert_changes_on_time(operator: Operator, value: Any) -> None:
    """Follow `next_change` from `NOW`: between two changes the answer must not move."""
    if value is None:
        return
    at = NOW
    for _ in range(4):
        later = operator.next_change(value, at)
        probe = (
            (at + timedelta(days=40_000)) if later is None else later - timedelta(microseconds=1)
        )
        assert operator.matches(value, at) == operator.matches(value, probe), (operator, value, at)
        if later is None:
            return
        assert later > at
        at = later


def check_operator(kind: type[Operator], connection: psycopg.Connection[Any]) -> None:
    """Hold one operator to all of the kit; ``connection`` is to a migrated database."""
    assert kind.__doc__
    assert kind.label
    examples = list(kind.examples())
    assert examples, "an operator needs examples"
    assert {parameter.name for parameter in kind.parameters} == {
        field.name for field in msgspec.structs.fields(kind)
    }, "the parameters are the fields"
    for operator in examples:
        rule = Check(field="trait.x", is_=operator)
        assert decode_rule(msgspec.json.encode(encode_rule(rule))) == rule
        assert "x" in rule.describe({})
        fixed = [value for value in AWKWARD + edges(30) + edges(0.5) if value is not None]
        assert_faces_agree(operator, fixed, connection)

        _hold_to_generated_values(operator, connection)
        for value in fixed:
            assert_changes_on_time(operator, value)


def _hold_to_generated_values(operator: Operator, connection: psycopg.Connection[Any]) -> None:
    @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(values(), min_size=10, max_size=40))
    def agree(found: list[Any]) -> None:
        assert_faces_agree(operator, found, connection)
        for value in found:
            assert_changes_on_time(operator, value)

    agree()


_STEP: Final = timedelta(microseconds=1)
_MOST_INSTANTS: Final = 6
_OTHER_TIMES: Final = (NOW - timedelta(days=3, hours=11), NOW + timedelta(days=29, hours=12))


def check_condition(kind: type[Condition], connection: psycopg.Connection[Any]) -> None:
    """Hold one condition to all of the kit; ``connection`` is to a migrated database."""
    assert kind.__doc__
    examples = list(kind.examples())
    assert examples, "a condition needs examples"
    for rule in examples:
        assert decode_rule(msgspec.json.encode(encode_rule(rule))) == rule
        assert rule.describe().strip()
        assert_counts_are_mentioned(rule)
        _hold_to_generated_people(rule, connection)


def assert_counts_are_mentioned(rule: Condition) -> None:
    """What is counted is what is looked at: the index takes rules out by their looks."""
    for part in walk(rule):
        counted = {event for event, _ in part.counts()}
        assert counted == part.mentions().events, f"{part}: counts {counted}"
    index: RuleIndex[int] = RuleIndex()
    index.add(1, rule)
    index.remove(1)
    assert not len(index)


def _hold_to_generated_people(rule: Condition, connection: psycopg.Connection[Any]) -> None:
    # A history is composed from a seed, so that making the case smaller would make another.
    @settings(
        max_examples=5,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(people_about(rule, values(), NOW), min_size=3, max_size=6))
    def agree(people: list[Subject]) -> None:
        assert_conditions_agree(rule, people, connection)

    agree()


def assert_conditions_agree(
    rule: Condition, people: list[Subject], connection: psycopg.Connection[Any]
) -> None:
    """Ask every face about every person now, at other times, and when an answer may change."""
    people = [msgspec.structs.replace(each, profile_id=i) for i, each in enumerate(people)]
    found = mentions(rule)
    matcher = compile_rule(rule)
    instants = {NOW, *_OTHER_TIMES}
    for person in people:
        changes = _assert_changes(matcher, found, person)
        instants.update(at + shift for at in changes[:2] for shift in (-_STEP, _STEP * 0))
        _assert_indexed(rule, person)
        _assert_foreseen(rule, person)
    for now in sorted(instants)[: _MOST_INSTANTS + len(_OTHER_TIMES)]:
        plain = [rule.matches(person, now) for person in people]
        compiled = [matcher.matches(person, now) for person in people]
        loaded = [matcher.matches(trim(person, found.looks, now), now) for person in people]
        listed = select_passing(rule, people, now, connection)
        assert len(listed) == len(set(listed)), f"{rule}: SQL names a person twice"
        selected = [place in set(listed) for place in range(len(people))]
        for person, *faces in zip(people, plain, compiled, loaded, selected, strict=True):
            assert all(face is faces[0] for face in faces), (
                f"{rule} on {person} at {now}: memory, compiled, loaded, SQL = {faces}"
            )


def _assert_changes(matcher: Matcher, found: Mentions, person: Subject) -> list[datetime]:
    """Follow `next_change` from what the follower loads; return the moments it names."""
    at, named = NOW, []
    times = sorted(
        [at for happened in person.history.values() for at, _ in happened]
        + [order.placed_at for order in person.orders]
    )
    for _ in range(4):
        known = trim(person, found.looks, at)
        later = matcher.rule.next_change(known, at)
        holds = matcher.matches(known, at)
        end = at + timedelta(days=3_000) if later is None else later
        assert end > at, f"{matcher.rule}: the next change is not after {at}"
        probes = [at + (end - at) * part for part in (0.01, 0.2, 0.5, 0.8)] + [end - _STEP]
        for probe in (moment for moment in probes + times if at < moment < end):
            assert matcher.matches(person, probe) is holds, (
                f"{matcher.rule} on {person}: from {at} nothing was to change before {later}, "
                f"but at {probe} it has"
            )
        assert matcher.next_change(known, at) == later, (
            f"{matcher.rule}: the fast form says another time than {later} for {person} at {at}"
        )
        if later is None:
            break
        _assert_timed(found, known, at)
        named.append(later)
        at = later
    return named


def _assert_timed(found: Mentions, person: Subject, now: datetime) -> None:
    """Whoever time alone may change is among those a new segment sets timers for."""
    future = any(at > now for happened in person.history.values() for at, _ in happened)
    future = future or any(order.placed_at > now for order in person.orders)
    assert found.is_timed or future, "a condition that time changes must say so"
    if future or not found.looks:
        return
    for name, look in found.looks.items():
        since = None if look.timed_days is None else now - timedelta(days=look.timed_days)
        if any(since is None or at > since for at, _ in person.history.get(name, ())):
            return
    assert not all(look.timed_days == 0.0 for look in found.looks.values()) or _has_timed_facts(
        found
    ), f"nothing that {found.looks} names sets a timer for {person}"


def _has_timed_facts(found: Mentions) -> bool:
    return bool(found.traits or found.fields or found.purposes or found.segments)


def _assert_indexed(rule: Condition, person: Subject) -> None:
    """An event that changes the answer is one the index names for the rule."""
    index: RuleIndex[int] = RuleIndex()
    index.add(1, rule)
    holds = rule.matches(person, NOW)
    for name, properties, without in iter_without_one(person):
        if rule.matches(without, NOW) is not holds:
            assert index.list_counting(name, properties), (
                f"{rule}: {name} {properties} changes the answer and is not counted"
            )


def _assert_foreseen(rule: Condition, person: Subject) -> None:
    """One more event moves the answer as is said, and what some of them decide is decided."""
    index: RuleIndex[int] = RuleIndex()
    index.add(1, rule)
    for name, properties, without in iter_without_one(person):
        ways = {way for _, way in index.list_swayed(name, properties)}
        for now in (NOW, *_OTHER_TIMES):
            before, after = rule.matches(without, now), rule.matches(person, now)
            assert before is after or ways != {-1 if after else 1}, (
                f"{rule}: {name} {properties} moved the answer to {after}, against {ways}"
            )
        _assert_decided(rule, Subject(history=without.history), person)
        _assert_decided(rule, Subject(history={name: person.history[name][:1]}), person)
    _assert_decided(rule, Subject(), person)


def _assert_decided(rule: Condition, known: Subject, person: Subject) -> None:
    """What is foreseen from some of a history is so of all of it, until what is known changes."""
    holds = rule.foresee(known, NOW)
    assert rule.foresight()(known, NOW) is holds, f"{rule}: the fast form foresees another answer"
    if holds is None:
        return
    later = rule.next_change(known, NOW)
    end = NOW + timedelta(days=3_000) if later is None else later
    for part in (0.0, 0.01, 0.2, 0.5, 0.8, 0.999):
        # Of a microsecond most is all of it.
        moment = min(NOW + (end - NOW) * part, end - _STEP)
        assert rule.matches(person, moment) is holds, (
            f"{rule}: of {known} {holds} was foreseen until {end}, "
            f"but of {person} it is not so at {moment}"
        )
