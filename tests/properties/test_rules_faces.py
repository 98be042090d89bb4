"""Whole rules: memory, compiled source, PostgreSQL and DuckDB agree on random histories."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from amity.analysis.logic.batch.catalogue import make_catalogue as make_batch_catalogue
from amity.analysis.logic.batch.engines import DUCKDB
from amity.analysis.logic.batch.translating import translate
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.rules import (
    PROFILE_FIELDS,
    All,
    Any_,
    Check,
    Did,
    HasConsent,
    InSegment,
    Not,
    SaidYes,
    Where,
    Window,
    compile_rule,
    decode_rule,
    encode_rule,
    join_looks,
    mentions,
    to_sql,
)
from amity.rules.operator import operators
from amity.store import api as store
from amity.store.logic.warehousing import warehouse_exports
from amity.testing.rules_kit import NOW, values
from amity.testing.warehouse import fill, open_memory

EXAMPLES = [example for kind in operators for example in kind.examples()]
SETTINGS = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TRAITS, EVENTS, PURPOSES, SEGMENTS = ("x", "y"), ("A", "B"), ("news", "sms"), (1, 2)
MARKS = ("~pause.sms", "~pause.email", "~restricted")
WINDOWS = (0.5, 7.0, 30.0)


def moments():
    """Around the ends of the windows, on them to the microsecond, and anywhere else."""
    edges = st.builds(
        lambda days, step: NOW - timedelta(days=days, microseconds=step),
        st.sampled_from((0.0, *WINDOWS)),
        st.integers(-1, 1),
    )
    anywhere = st.datetimes(datetime(2025, 11, 1), datetime(2026, 3, 20)).map(
        lambda at: at.replace(tzinfo=UTC)
    )
    return edges | anywhere


def checks():
    def for_field(name):
        fitting = [op for op in EXAMPLES if PROFILE_FIELDS[name] in type(op).accepts]
        return st.sampled_from(fitting).map(lambda op: Check(field=f"profile.{name}", is_=op))

    traits = st.builds(
        lambda name, op: Check(field=f"trait.{name}", is_=op),
        st.sampled_from((*TRAITS, "nobody's")),
        st.sampled_from(EXAMPLES),
    )
    return traits | st.sampled_from(sorted(PROFILE_FIELDS)).flatmap(for_field)


def counts():
    where = st.builds(Where, st.sampled_from(("p", "q")), st.sampled_from(EXAMPLES))
    bounds = st.sampled_from([(None, None), (1, None), (2, None), (None, 0), (None, 1), (1, 2)])
    return st.builds(
        lambda event, tests, bound, days: Did(
            event=event, where=tuple(tests), at_least=bound[0], at_most=bound[1], within_days=days
        ),
        st.sampled_from((*EVENTS, "never seen")),
        st.lists(where, max_size=2),
        bounds,
        st.none() | st.sampled_from(WINDOWS),
    )


def rules():
    leaves = (
        checks()
        | counts()
        | st.sampled_from(PURPOSES).map(lambda name: HasConsent(purpose=name))
        | st.sampled_from(PURPOSES).map(lambda name: SaidYes(purpose=name))
        | st.sampled_from((*SEGMENTS, 99)).map(lambda number: InSegment(segment_id=number))
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(Not, of=inner)
            | st.lists(inner, max_size=3).map(lambda of: All(of=tuple(of)))
            | st.lists(inner, max_size=3).map(lambda of: Any_(of=tuple(of)))
        ),
        max_leaves=6,
    )


def said():
    """What was said of a purpose, or set down as a mark, near the ends that matter."""
    return st.fixed_dictionaries(
        {"status": st.sampled_from(["granted", "granted", "denied", "withdrawn"]), "at": moments()},
        optional={"expires_at": moments()},
    )


def purposes():
    """What the company has described, or not: with an end of its own, or without need of a yes."""
    policy = st.builds(
        lambda needs, months, channels: (needs, months, channels),
        st.booleans(),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([[], ["sms"], ["email", "sms"]]),
    )
    return st.dictionaries(st.sampled_from(PURPOSES), policy)


def people():
    optional = st.none() | st.sampled_from(["", "a@b.fr", "+33", "FR", "2026-02-05"])
    return st.fixed_dictionaries(
        {
            "traits": st.dictionaries(st.sampled_from(TRAITS), values(), max_size=2),
            "consents": st.dictionaries(st.sampled_from(PURPOSES), said()),
            "marks": st.dictionaries(st.sampled_from(MARKS), said(), max_size=1),
            "history": st.lists(
                st.tuples(
                    st.sampled_from(EVENTS),
                    moments(),
                    st.dictionaries(st.sampled_from(("p", "q")), values(), max_size=2),
                ),
                max_size=5,
            ),
            "allowed": st.dictionaries(
                st.sampled_from(PURPOSES),
                st.builds(Window, st.none() | moments(), st.none() | moments()),
            ),
            "segments": st.sets(st.sampled_from(SEGMENTS)),
            "seen": st.tuples(moments(), moments()),
            "ordered": st.none() | st.tuples(moments(), moments()),
            "order_count": st.integers(0, 6),
            "revenue_minor": st.integers(-5_000, 1_000_000),
            "names": st.tuples(optional, optional, optional, optional),
        }
    )


def insert(connection, found):
    """Write people as the fold would leave them; ids from 1, each with a merged twin."""
    position = 0
    for profile_id, person in enumerate(found, start=1):
        consents = {
            purpose: {
                name: format_instant(value) if isinstance(value, datetime) else value
                for name, value in {**word, "source_id": 100, "event_id": 1}.items()
            }
            for purpose, word in (person["consents"] | person["marks"]).items()
        }
        for row_id, merged_into in ((profile_id, None), (profile_id + 1000, profile_id)):
            connection.execute(
                "INSERT INTO store_profile (id, merged_into, user_id, name, email, phone, traits, "
                "consents, first_seen_at, last_seen_at, event_count, order_count, revenue_minor, "
                "first_order_at, last_order_at, version) VALUES "
                "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0)",
                [
                    row_id,
                    merged_into,
                    *person["names"],
                    Jsonb(person["traits"]),
                    Jsonb(consents),
                    min(person["seen"]),
                    max(person["seen"]),
                    len(person["history"]),
                    person["order_count"],
                    person["revenue_minor"],
                    *(person["ordered"] or (None, None)),
                ],
            )
        for name, at, properties in person["history"]:
            position += 1
            connection.execute(
                "INSERT INTO store_activity (position, profile_id, origin_id, event_id, xid, "
                "source_id, occurred_at, received_at, type, name, properties) VALUES "
                "(%s, %s, %s, %s, '1', 100, %s, %s, 'track', %s, %s)",
                [position, profile_id, profile_id, position, at, NOW, name, Jsonb(properties)],
            )
        for segment_id in person["segments"]:
            connection.execute(
                "INSERT INTO analysis_membership (segment_id, profile_id, entered_at, left_at) "
                "VALUES (%s, %s, %s, NULL)",
                [segment_id, profile_id, NOW],
            )
        connection.execute(
            "INSERT INTO analysis_membership (segment_id, profile_id, entered_at, left_at) "
            "VALUES (1, %s, %s, %s)",
            [profile_id, NOW - timedelta(days=2), NOW - timedelta(days=1)],
        )


def describe_purposes(connection, described):
    for key, (needs, months, channels) in described.items():
        connection.execute(
            "INSERT INTO store_purpose (key, title, basis, needs_consent, expiry_months, channels) "
            "VALUES (%s, 'x', 'contract', %s, %s, %s)",
            [key, needs, months, channels],
        )


def load(connection, found, some_rules, policies):
    ids = list(range(1, len(found) + 1))
    profiles = store.load_profiles(connection=connection, profile_ids=ids)
    # As the follower does: no more of the histories than the rules ask for.
    looks = join_looks(mentions(rule).looks for rule in some_rules)
    wishes = store.make_wishes(looks, NOW)
    histories = store.load_histories(connection=connection, profile_ids=ids, wishes=wishes)
    return {
        profile.profile_id: store.make_subject(
            profile,
            segments=found[profile.profile_id - 1]["segments"],
            history=histories.get(profile.profile_id, {}),
            policies=policies,
        )
        for profile in profiles
    }


def ask_warehouse(duck, rules_, policies):
    """Ask DuckDB over what the exports give; segments are in the store's keeping here."""
    for rule in rules_:
        query = to_sql(rule, make_batch_catalogue(policies), NOW)
        yield {row[0] for row in duck.execute(translate(query, DUCKDB)).fetchall()}


def test_memory_compiled_and_sql_agree(db):
    duck = open_memory()

    @SETTINGS
    @given(
        st.lists(people(), min_size=1, max_size=5),
        st.lists(rules(), min_size=4, max_size=8),
        purposes(),
    )
    def agree(found, some_rules, described):
        with database.transaction() as connection, connection.transaction(force_rollback=True):
            insert(connection, found)
            describe_purposes(connection, described)
            policies = store.list_policies(connection=connection)
            subjects = load(connection, found, some_rules, policies)
            for rule in some_rules:
                plain = {i for i, subject in subjects.items() if rule.matches(subject, NOW)}
                matcher = compile_rule(rule)
                fast = {i for i, subject in subjects.items() if matcher.matches(subject, NOW)}
                query = to_sql(rule, make_catalogue(policies), NOW)
                rows = connection.execute(query.encode(), query.params).fetchall()
                listed = [row[0] for row in rows]
                assert plain == fast == set(listed), (rule, subjects)
                assert len(listed) == len(set(listed))
            fill(duck, connection, *warehouse_exports())
            duck.execute("CREATE OR REPLACE TABLE batch_members (segment_id INT, profile_id INT)")
            duck.executemany(
                "INSERT INTO batch_members VALUES (?, ?)",
                [(each, i) for i, person in enumerate(found, 1) for each in person["segments"]]
                or [(None, None)],
            )
            some = some_rules[:2]
            for rule, passing in zip(some, ask_warehouse(duck, some, policies), strict=True):
                wanted = {i for i, subject in subjects.items() if rule.matches(subject, NOW)}
                assert passing == wanted, (rule, subjects)

    agree()
    duck.close()


@settings(max_examples=150, deadline=None, database=None)
@given(rules())
def test_rules_travel_as_json(rule):
    read = decode_rule(encode_rule(rule))
    assert read == rule
    wire = msgspec.json.encode(encode_rule(read))
    assert msgspec.json.encode(encode_rule(decode_rule(wire))) == wire
    assert rule.describe({1: "One"})


@settings(max_examples=300, deadline=None, database=None)
@given(rules(), people(), moments())
def test_nothing_changes_before_the_next_change(rule, person, at):
    history = {}
    for name, happened, properties in person["history"]:
        history.setdefault(name, []).append((happened, properties))
    first, last = person["ordered"] or (None, None)
    profile = {
        "first_seen_at": min(person["seen"]),
        "last_seen_at": max(person["seen"]),
        "first_order_at": first,
        "last_order_at": last,
    }
    from amity.rules import Subject

    subject = Subject(
        traits=person["traits"],
        fields=profile,
        consents={"news"},
        allowed=person["allowed"],
        segments=person["segments"],
        history=history,
    )
    matcher = compile_rule(rule)
    holds = matcher.matches(subject, at)
    change = matcher.next_change(subject, at)
    assert change is None or (change > at and mentions(rule).is_timed) or history
    end = change or at + timedelta(days=400)
    ends = [
        at
        for window in person["allowed"].values()
        for at in (window.since, window.until)
        if at is not None
    ]
    known = [*ends, *person["seen"], *(happened for _, happened, _ in person["history"])]
    edges = [moment + timedelta(days=days) for moment in known for days in (0, *WINDOWS)]
    probes = [edge + step for edge in edges for step in (timedelta(0), timedelta(microseconds=1))]
    probes += [at + (end - at) / 2, end - timedelta(microseconds=1)]
    for probe in probes:
        if at <= probe < end:
            assert matcher.matches(subject, probe) == holds, (probe, change)
