"""Whatever is sent to the control API, it answers in its own form and never with a 500."""

import json
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHEAP = settings(
    max_examples=120,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "\0",
            "a\0b",
            "\ud800",
            "%00",
            "' OR 1=1 --",
            "${7*7}",
            "../../etc/passwd",
            "NaN",
            "Infinity",
            "1e400",
            "-0",
            "null",
            "٣",
            "\u202e",
            "a" * 3000,
            "W10",
            "WzFd",
            "WyIyMDI2LTAxLTAxIiwgMV0",
            "WzksOTldCg==",
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 100, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**40]),
    st.floats(allow_nan=False, allow_infinity=False),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
TESTS = st.fixed_dictionaries(
    {"op": st.sampled_from(["eq", "in", "between", "contains", "within_last", "after", "x"])},
    optional={
        "value": LEAVES,
        "values": st.lists(LEAVES, max_size=3),
        "low": NUMBERS,
        "high": NUMBERS,
        "days": NUMBERS,
    },
)
FIELDS = st.one_of(
    TEXTS,
    TEXTS.map(lambda text: f"trait.{text}"),
    st.sampled_from(["trait.age", "profile.revenue", "profile.last_seen_at", "profile.email"]),
)
NODES = st.one_of(
    st.fixed_dictionaries({"node": st.just("check"), "field": FIELDS, "is": TESTS}),
    st.fixed_dictionaries(
        {"node": st.just("did"), "event": TEXTS},
        optional={
            "where": st.lists(st.fixed_dictionaries({"property": TEXTS, "is": TESTS}), max_size=2),
            "at_least": NUMBERS,
            "at_most": NUMBERS,
            "within_days": NUMBERS,
        },
    ),
    st.fixed_dictionaries({"node": st.just("in_segment"), "segment_id": NUMBERS}),
    st.fixed_dictionaries({"node": st.just("consent"), "purpose": TEXTS}),
)
RULES = st.recursive(
    st.one_of(NODES, NODES, JSON),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"node": st.sampled_from(["all", "any"]), "of": st.lists(inner, max_size=3)}
        ),
        st.fixed_dictionaries({"node": st.just("not"), "of": inner}),
    ),
    max_leaves=5,
)
FIELD_VALUES = {
    "rule": RULES,
    "quarantine_ids": st.lists(NUMBERS, max_size=3),
    "kind": st.sampled_from(["browser", "server", "system", 1]),
}


def encode(value) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


def bodies(route):
    if route.body_type is None:
        return st.just(b"")
    fields = {
        name: st.one_of(FIELD_VALUES.get(name, TEXTS), JSON)
        for name in route.body_type.__struct_fields__
    }
    shaped = st.fixed_dictionaries({}, optional=fields)
    return st.one_of(
        shaped.map(encode), shaped.map(encode), JSON.map(encode), st.binary(max_size=30)
    )


@st.composite
def requests(draw, routes, ids):
    route = draw(st.sampled_from(routes))
    path = route.path
    for name in route.path_types:
        choices = st.one_of(st.sampled_from([str(it) for it in ids.get(name, [1])]), TEXTS)
        if name == "kind":
            choices = st.one_of(st.sampled_from(["email", "user_id"]), TEXTS)
        path = path.replace(f"{{{name}}}", quote(draw(choices), safe="", errors="replace"))
    names = list(route.query_type.__struct_fields__) if route.query_type else []
    name = st.one_of(st.sampled_from(names), TEXTS) if names else TEXTS
    value = st.one_of(TEXTS, NUMBERS.map(str), st.sampled_from(["true", "50"]))
    query = draw(st.one_of(st.just([]), st.lists(st.tuples(name, value), max_size=3)))
    headers = {"If-Match": draw(st.sampled_from(["*", '"x"', "", "é"]))}
    body = draw(bodies(route))
    return route, f"/api/v1{path}", urlencode(query, errors="replace"), body, headers


@pytest.fixture
def world(db):
    """A client with a key that opens everything, and the ids there are to ask for."""
    from datetime import UTC, datetime

    from amity.analysis import api as analysis
    from amity.store import api as store
    from amity.web.staff.api_keys import create_api_key

    source = store.create_source(name="shop", kind="server")
    events = [
        {
            "type": "identify",
            "userId": "u1",
            "messageId": "1",
            "traits": {"age": 30, "email": "a@b.example"},
        },
        {
            "type": "track",
            "userId": "u1",
            "messageId": "2",
            "event": "Order Completed",
            "properties": {"total": 9},
        },
        {"type": "track", "messageId": "3"},
    ]
    now = datetime.now(UTC)
    store.append_events(
        source_id=source.source_id, events=[encode(event) for event in events], now=now
    )
    while store.fold_batch(limit=100).events:
        pass
    rule = {"node": "check", "field": "trait.age", "is": {"op": "eq", "value": 30}}
    segment = analysis.create_segment(name="thirty", rule=rule, by="test", now=now)
    profile = store.find_profile(kind="user_id", value="u1")
    ids = {
        "source_id": [source.source_id],
        "segment_id": [segment.segment_id],
        "profile_id": [profile.profile_id],
    }
    key = create_api_key(name="all", scopes=["*"], by="test")
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"}), ids


def test_no_input_makes_the_api_fail(world):
    from amity.web.api.openapi import describe_api
    from amity.web.api.table import TABLE

    client, ids = world
    described = describe_api()["paths"]

    @CHEAP
    @given(requests(list(TABLE), ids))
    def ask(request):
        route, path, query, body, headers = request
        answer = client.generic(
            route.method,
            path,
            data=body,
            content_type="application/json",
            headers=headers,
            query_string=query,
        )
        check_form(answer)
        if answer.status_code not in (404, 405):  # a hostile path may be another address
            documented = described[route.path][route.method.lower()]["responses"]
            assert str(answer.status_code) in documented

    ask()


def test_no_rule_makes_a_preview_fail(world):
    client, _ = world

    @CHEAP
    @given(RULES)
    def ask(rule):
        body = encode({"rule": rule})
        answer = client.post("/api/v1/segments/preview", body, content_type="application/json")
        check_form(answer)

    ask()


def check_form(answer):
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        problem = json.loads(answer.content)
        assert problem["status"] == answer.status_code
        assert problem["code"]
