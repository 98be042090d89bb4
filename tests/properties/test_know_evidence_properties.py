"""Identity out of conflicting evidence: the same people in any order, and never a guess."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import networkx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from amity.infra import config, database
from amity.store import api
from amity.store.logic.identity.rules import Key

NOW = datetime.now(UTC).replace(microsecond=0)
T0 = NOW - timedelta(days=30)
TABLES = "profile, identifier, merge, activity, order, tally, event_key, evidence, place, event_log"


def told(kinds):
    return st.fixed_dictionaries(
        {"at": st.integers(0, 30), "by": st.sampled_from(["server", "browser"])},
        optional={kind: st.sampled_from(values) for kind, values in kinds.items()},
    ).filter(lambda event: len(event) > 2)


EVENTS = told(
    {
        "user_id": ["u1", "u2", "u3"],
        "email": ["e1@x.y", "e2@x.y"],
        "anonymous_id": ["a1", "a2", "a3"],
    }
)
LOGINS = told({"user_id": ["u1", "u2", "u3", "u4"], "anonymous_id": ["a1", "a2"]})


@pytest.fixture
def store(db):
    return {
        "server": api.create_source(name="Shop", kind="server").source_id,
        "browser": api.create_source(name="Site", kind="browser").source_id,
    }


def wire(event, number):
    body = {"messageId": f"m{number}", "timestamp": (T0 + timedelta(hours=event["at"])).isoformat()}
    ids = {"user_id": "userId", "anonymous_id": "anonymousId"}
    body |= {ids[kind]: event[kind] for kind in ids if kind in event}
    if "email" in event:
        return body | {"type": "identify", "traits": {"email": event["email"]}}
    return body | {"type": "track", "event": "Seen"}


def people(store, events, order):
    """Fold events in an order; return who is who: identifiers and messages by person."""
    wipe()
    for number in order:
        event = events[number]
        if set(event) == {"at", "by", "email"} and event["by"] == "browser":
            continue  # a browser always has an anonymous id
        raw = msgspec.json.encode(wire(event, number))
        api.append_events(source_id=store[event["by"]], events=[raw], now=NOW)
    while api.fold_batch(limit=4).events:
        pass
    check_components()
    rows = query(
        "SELECT array_agg(i.kind || ' ' || i.value ORDER BY 1) FROM store_identifier i"
        " GROUP BY i.profile_id"
    )
    messages = query(
        "SELECT array_agg(l.message_id ORDER BY l.message_id) FROM store_activity a"
        " JOIN store_event_log l ON l.xid = a.xid AND l.id = a.event_id"
        " WHERE a.type <> 'system' GROUP BY a.profile_id"
    )
    return sorted(sorted(row[0]) for row in rows), sorted(row[0] for row in messages)


def check_components():
    """A profile is a connected component of accepted edges."""
    graph = networkx.Graph()
    owners = {Key(row[0], row[1]): row[2] for row in query("SELECT * FROM store_identifier")}
    graph.add_nodes_from(owners)
    edges = query("SELECT hub_kind, hub_value, kind, value, cut FROM store_evidence")
    for hub_kind, hub_value, kind, value, cut in edges:
        if not cut:
            graph.add_edge(Key(hub_kind, hub_value), Key(kind, value))
    expected = sorted(sorted(part) for part in networkx.connected_components(graph))
    found = {}
    for key, owner in owners.items():
        found.setdefault(owner, []).append(key)
    assert sorted(sorted(part) for part in found.values()) == expected
    for part in found.values():
        assert sum(key.kind == "user_id" for key in part) <= 1


def wipe():
    names = ", ".join(f"store_{name}" for name in TABLES.replace(" ", "").split(","))
    with database.transaction("owner") as connection:
        connection.execute(f"TRUNCATE {names}")
        connection.execute(
            "UPDATE store_consumer SET xid = '0', event_id = 0, position = 0, epoch = epoch + 1"
        )


def query(text, *arguments):
    with database.transaction() as connection:
        return connection.execute(text, arguments).fetchall()


def shuffled(events, seed):
    order = list(range(len(events)))
    random.Random(seed).shuffle(order)
    return order


@given(st.lists(EVENTS, min_size=2, max_size=9), st.integers(0, 99))
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_order_of_arrival_does_not_matter(store, events, seed):
    first = people(store, events, range(len(events)))
    assert people(store, events, shuffled(events, seed)) == first


@given(st.lists(LOGINS, min_size=4, max_size=10), st.integers(0, 99))
@settings(
    max_examples=20,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nor_does_it_when_devices_become_places(store, events, seed):
    with config.override(identity_place_logins=3):
        first = people(store, events, range(len(events)))
        assert people(store, events, shuffled(events, seed)) == first
        logins = {}
        for event in events:
            if {"user_id", "anonymous_id"} <= set(event):
                logins.setdefault(event["anonymous_id"], set()).add(event["user_id"])
        places = {row[0] for row in query("SELECT value FROM store_place")}
        assert places == {device for device, users in logins.items() if len(users) >= 3}
        for identifiers in first[0]:
            held = {value.split()[1] for value in identifiers}
            assert len(held) == 1 or not held & places
