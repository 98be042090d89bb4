"""Identity: no two users are ever one, the joined are the connected, and undoing undoes."""

import copy
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from amity.infra import database
from amity.store import api
from amity.store.logic.identity.resolving import _Case, resolve
from amity.store.logic.identity.rules import (
    Block,
    Evidence,
    Graph,
    Key,
    Limits,
    is_blocked_value,
    normalize_email,
    normalize_phone,
)

NOW = datetime.now(UTC).replace(microsecond=0)
KINDS = ["user_id", "email", "phone", "anonymous_id"]
evidence = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["u1", "u2", "u3"]),
        "email": st.sampled_from(["e1@x.y", "e2@x.y"]),
        "phone": st.sampled_from(["111111", "222222"]),
        "anonymous_id": st.sampled_from(["a1", "a2", "a3", "a4"]),
    },
).filter(bool)


def as_evidence(found):
    return [Evidence(KINDS.index(kind), Key(kind, found[kind])) for kind in KINDS if kind in found]


def run(events):
    graph = Graph()
    results = [resolve(graph, as_evidence(found), number) for number, found in enumerate(events, 1)]
    return graph, results


@given(st.lists(evidence, min_size=1, max_size=14))
@settings(max_examples=150, deadline=None)
def test_two_users_are_never_one(events):
    graph, results = run(events)
    users = {}
    for key, owner in graph.owners.items():
        if key.kind == "user_id":
            root = graph.root(owner.profile_id)
            assert users.setdefault(root, key.value) == key.value
    for found, result in zip(events, results, strict=True):
        if "user_id" in found:
            root = graph.root(result.profile_id)
            assert graph.members[root].user_id == found["user_id"]
    for member in graph.members.values():
        assert member.identifier_count <= 100


@given(st.lists(evidence, min_size=1, max_size=14), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_without_conflict_the_joined_are_the_connected_in_any_order(events, rng):
    events = [{**found, "user_id": "u1"} if "user_id" in found else found for found in events]
    expected = connected(events)
    for _ in range(2):
        graph, _ = run(events)
        groups = {}
        for key, owner in graph.owners.items():
            groups.setdefault(graph.root(owner.profile_id), set()).add(tuple(key))
        assert sorted(map(sorted, groups.values())) == expected
        rng.shuffle(events)


def case(rng):
    """An event's evidence as `list_evidence` orders it, with an alias now and then."""
    is_proof = rng.random() < 0.6
    kinds = KINDS if is_proof else ["user_id", "anonymous_id", "email", "phone"]
    chosen = rng.sample(kinds, rng.choice([1, 1, 2, 2, 3, 4]))
    found = [
        Evidence(KINDS.index(kind), Key(kind, f"{kind}{rng.randrange(4)}"), is_proof)
        for kind in kinds
        if kind in chosen
    ]
    if rng.random() < 0.05:
        found.append(Evidence(4, Key("anonymous_id", f"user_id{rng.randrange(4)}"), is_proof))
    return found


def dealt(rng):
    """A graph in which something may be cut, at a place, undone, or without room."""
    room = rng.choice([0, 1, 2, 3, 4, 6, 100, 100])
    blocks = [Block(one, other, 9) for one in range(1, 5) for other in range(one + 1, 7)]
    graph = Graph(blocks if rng.random() < 0.3 else [], Limits(room, rng.randint(1, 3), 2))
    keys = [Key(kind, f"{kind}{number}") for kind in KINDS for number in range(4)]
    if rng.random() < 0.3:
        graph.cuts = {(rng.choice(keys), rng.choice(keys)): "undone" for _ in range(6)}
    if rng.random() < 0.2:
        graph.places = {rng.choice(keys[-4:])}
    graph.is_settled = rng.random() < 0.2
    return graph


def test_the_short_way_comes_to_the_same_as_the_long_way():
    rng = random.Random(4)
    short_ways = 0
    for _ in range(1_500):
        short = dealt(rng)
        long = copy.deepcopy(short)
        for number in range(1, 12):
            found = case(rng)
            one = resolve(short, found, number)
            other = _Case(long, found, number, by_hand=False).decide()
            assert plain(one) == plain(other)
            assert short.owners == long.owners
            assert short.members == long.members
            short_ways += isinstance(one.raised, tuple)
    assert short_ways > 5_000  # of 16,500: else little was compared


def plain(resolution):
    lists = {
        name: list(getattr(resolution, name)) for name in ("joins", "attached", "ties", "raised")
    }
    return msgspec.structs.replace(resolution, **lists)


def connected(events):
    """The connected components of the identifiers, found by brute force."""
    groups = []
    for found in events:
        together = set(found.items())
        apart = []
        for group in groups:
            if group & together:
                together |= group
            else:
                apart.append(group)
        groups = [*apart, together]
    return sorted(map(sorted, groups))


@pytest.mark.parametrize(
    "value",
    [
        "null",
        "Undefined",
        "0",
        "000",
        "00000000-0000-0000-0000-000000000000",
        "-1",
        "anonymous",
        "None",
        "nil",
        "test@example.com",
        "[object Object]",
    ],
)
def test_placeholders_are_blocked(value):
    assert is_blocked_value(value)


def test_addresses_and_numbers_are_compared_in_one_form():
    assert normalize_email("  Ann@Example.COM ") == "ann@example.com"
    assert normalize_email("nobody") is None
    assert normalize_email(7) is None
    assert normalize_phone(" +43 (1) 234-567") == "+431234567"
    assert normalize_phone("0043 1 234567") == "00431234567"
    assert normalize_phone(431234567) == "431234567"
    assert normalize_phone("12") is None
    assert normalize_phone(True) is None
    assert not is_blocked_value("10")


def test_a_profile_has_at_most_a_hundred_identifiers():
    graph = Graph()
    for number in range(1, 150):
        found = {"user_id": "u", "anonymous_id": f"a{number}"}
        resolve(graph, as_evidence(found), number)
    assert graph.members[1].identifier_count == 100
    other = resolve(graph, as_evidence({"anonymous_id": "a149"}), 200)
    assert other.is_new
    again = resolve(graph, as_evidence({"user_id": "u", "anonymous_id": "a149"}), 201)
    assert [join.refusal for join in again.joins] == ["too_many_identifiers"]


# A merge undone through the whole machine, against an oracle that never made it.


def wire(found, number):
    at = (NOW - timedelta(days=2) + timedelta(minutes=number)).isoformat()
    traits = {kind: found[kind] for kind in ("email", "phone") if kind in found}
    ids = {"user_id": "userId", "anonymous_id": "anonymousId"}
    body = {ids[kind]: found[kind] for kind in ids if kind in found}
    if not body:
        body = {"anonymousId": f"only-{number}"}
    body["messageId"] = f"m{number}"
    if traits or number % 3 == 0:
        return {**body, "type": "identify", "timestamp": at, "traits": {**traits, "n": number % 4}}
    name = ("Order Completed", "Product Viewed")[number % 2]
    properties = {"order_id": f"o{number % 5}", "total": number}
    return {**body, "type": "track", "event": name, "timestamp": at, "properties": properties}


def send(source, events):
    raw = [msgspec.json.encode(event) for event in events]
    assert api.append_events(source_id=source, events=raw, now=NOW).accepted == len(raw)
    while api.fold_batch(limit=5).events:
        pass


def profiles():
    """All profiles without their version, by id; and whose each event is."""
    with database.transaction() as connection:
        states = connection.execute(
            "SELECT to_jsonb(p) - 'version' FROM store_profile p ORDER BY id"
        ).fetchall()
        owned = connection.execute(
            "SELECT event_id, profile_id, origin_id FROM store_activity "
            "WHERE type <> 'system' ORDER BY event_id"
        ).fetchall()
        identifiers = connection.execute(
            "SELECT * FROM store_identifier ORDER BY kind, value"
        ).fetchall()
        orders = connection.execute(
            "SELECT * FROM store_order ORDER BY profile_id, order_id"
        ).fetchall()
        totals = connection.execute(
            "SELECT name, amount FROM store_tally WHERE kind = 'total' AND amount <> 0 "
            "ORDER BY name"
        ).fetchall()
    return states, owned, identifiers, orders, totals


def wipe():
    tables = "profile, identifier, merge, activity, order, tally, event_key".replace(" ", "")
    names = ", ".join(f"store_{name}" for name in tables.split(","))
    with database.transaction("owner") as connection:
        connection.execute(f"TRUNCATE store_event_log, {names}")
        connection.execute(
            "UPDATE store_consumer SET xid = '0', event_id = 0, position = 0, epoch = epoch + 1"
        )
        connection.execute("ALTER SEQUENCE store_event_id RESTART")


@given(st.lists(evidence, min_size=2, max_size=10), st.lists(evidence, max_size=5), st.integers(0))
@settings(
    max_examples=20,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_merge_undone_is_a_merge_never_made(source, before, after, choice):
    # One user only: what the events of others decided meanwhile is theirs and stays.
    before = [{**found, "user_id": "u1"} if "user_id" in found else found for found in before]
    after = [{**found, "user_id": "u1"} if "user_id" in found else found for found in after]
    wipe()
    first = [wire(found, number) for number, found in enumerate(before, 1)]
    send(source, first)
    merges = api.list_merges(refused=False).items
    if not merges:
        return
    merge = merges[choice % len(merges)]
    api.unmerge(merge_id=merge.merge_id, by="me", now=NOW)
    send(source, [])
    [(undone_by,)] = query("SELECT undone_by FROM store_merge WHERE undone_by IS NOT NULL")
    undone = profiles()
    last = [wire(found, number) for number, found in enumerate(after, 100)]
    send(source, last)
    later = profiles()
    wipe()
    block(merge, undone_by)
    send(source, first)
    assert undone == profiles()
    query(f"SELECT nextval('store_event_id') WHERE {undone_by} > 0")  # its event's id
    send(source, last)
    assert later == profiles()


def query(text):
    with database.transaction() as connection:
        return connection.execute(text).fetchall()


def block(merge, undone_by):
    """The pair is known to be two from the beginning, by the record the fold reads."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO store_merge (id, event_id, winner_id, loser_id, kind, value, occurred_at,"
            " source_id, undone_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(merge.merge_id, merge.event_id, merge.winner_id, merge.loser_id, merge.kind),
                *(merge.value, merge.occurred_at, merge.source_id, undone_by),
            ],
        )


@pytest.fixture
def source(db):
    return api.create_source(name="Shop", kind="server").source_id


def test_a_rebuild_of_random_histories_gives_the_same_bytes(source):
    rng = random.Random(7)
    values = {
        "user_id": ["u1", "u2", "u3"],
        "email": ["e1@x.y", "e2@x.y"],
        "phone": ["111111", "222222"],
        "anonymous_id": [f"a{number}" for number in range(8)],
    }
    for number in range(0, 300, 20):
        events = [
            wire({kind: rng.choice(values[kind]) for kind in rng.sample(KINDS, 2)}, number + index)
            for index in range(20)
        ]
        send(source, events)
        merges = [merge for merge in api.list_merges(refused=False).items if not merge.undone_by]
        if merges and number % 60 == 40:
            api.unmerge(merge_id=rng.choice(merges).merge_id, by="me", now=NOW)
            send(source, [])
    before = everything()
    assert query("SELECT count(*) FROM store_merge WHERE undone_by IS NOT NULL")[0][0] > 0
    api.rebuild()
    assert everything() == before


def everything():
    tables = {
        "profile": "id",
        "identifier": "kind, value",
        "merge": "id",
        "activity": "position",
        "order": "profile_id, order_id",
        "tally": "kind, name",
    }
    return {
        name: query(f"SELECT t::text FROM store_{name} t ORDER BY {key}")
        for name, key in tables.items()
    }
