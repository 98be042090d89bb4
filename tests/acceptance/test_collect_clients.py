"""Clients of other vendors, unmodified, against a live collector: counts, people, times, traits."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.tls_front import make_certificate, tls_front
from tests.fixtures.vendor_clients import AT, SENDERS

from amity.store import api
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, Profile, Source
from amity.testing.edge import LiveEdge, running_edge

NODE = Path(__file__).parents[1] / "node"
TOLD = {"Identify": 1, "Order Completed": 1, "Page Viewed": 1, "Screen Viewed": 1}
SEGMENT = {**TOLD, "Group": 1, "Alias": 1}
GOLD = {"email": "{who}@example.com", "plan": "gold"}
# Of each client: what happened to its customer by name, and her traits.
EXPECTED: dict[str, tuple[dict[str, int], dict[str, Any]]] = {
    "segment": (SEGMENT, GOLD),
    "rudderstack": (SEGMENT, GOLD),
    "posthog": (
        {
            "Page Viewed": 1,
            "Order Completed": 1,
            "Identify": 2,
            "Alias": 1,
            "$feature_flag_called": 1,
        },
        GOLD,
    ),
    "snowplow-post": ({"Page Viewed": 1, "Basket Opened": 1, "coupon_used": 1}, {}),
    "snowplow-get": ({"Page Viewed": 1, "Basket Opened": 1, "coupon_used": 1}, {}),
    "customerio": (
        {
            "Identify": 2,
            "Order Completed": 1,
            "Basket Opened": 1,
            "Coupon Used": 1,
            "Page Viewed": 1,
            "Device Added": 1,
            "Device Removed": 1,
            "Alias": 1,
            "Called": 1,
            "Unsubscribed": 1,
        },
        {**GOLD, "unsubscribed": True},
    ),
    "cloudevents": ({"Order Completed": 1, "Identify": 1, "Called": 1}, GOLD),
    "node-segment": (SEGMENT, GOLD),
    "node-rudderstack": (SEGMENT, GOLD),
    "node-posthog": (
        {"Page Viewed": 1, "Order Completed": 1, "Identify": 3, "Alias": 1},
        {**GOLD, "city": "Riga"},
    ),
    **{
        f"node-snowplow-{method}": (
            {
                "Page Viewed": 1,
                "Basket Opened": 1,
                "coupon_used": 1,
                "Product Added": 1,
                "Order Completed": 1,
                "Transaction Item": 1,
                "Screen Viewed": 1,
                "Page Pinged": 1,
            },
            {},
        )
        for method in ("post", "get")
    },
}
# What these say of when it happened: the clients give no way to say it of the others.
TIMED = {"Order Completed", "Page Viewed", "Basket Opened", "coupon_used", "Coupon Used", "Called"}
NOW_IN = {("customerio", "Page Viewed")}


@pytest.fixture
def edge(db: str) -> Iterator[LiveEdge]:
    with running_edge() as running:
        yield running


def fold() -> None:
    while api.fold_batch().events:
        pass


def story(who: str) -> tuple[Profile, list[Activity]]:
    profile = api.find_profile(kind="user_id", value=f"{who}-u1")
    assert profile is not None, f"{who} is not known"
    activities = api.list_activity(profile_id=profile.profile_id, limit=100).items
    return profile, [each for each in activities if each.source_id != SYSTEM_SOURCE_ID]


def check(who: str, source: Source) -> None:
    """Look at all that is known of the one customer a client told of."""
    counts, traits = EXPECTED[who]
    profile, activities = story(who)
    assert profile.event_counts == counts, who
    assert profile.traits == json.loads(json.dumps(traits).replace("{who}", who))
    assert {each.source_id for each in activities} == {source.source_id}
    for each in activities:
        if each.name in TIMED and (who, each.name) not in NOW_IN:
            assert abs(each.occurred_at - AT) < timedelta(seconds=2), (who, each.name)
    visitor = api.find_profile(kind="anonymous_id", value=f"{who}-a1")
    if visitor is not None:
        assert visitor.profile_id == profile.profile_id, who
    (order,) = [each for each in activities if each.name == "Order Completed"] or [None]
    if order is not None:
        assert order.properties["order_id"] == f"{who}-o1"
        assert (profile.order_count, profile.revenue_minor) == (1, 1250), who
    received = api.count_by_source()[source.source_id]
    assert (received.quarantined, received.refused) == (0, 0), who


def test_the_python_clients_tell_their_story(
    edge: LiveEdge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    sources = {who: api.create_source(name=who, kind="server") for who in SENDERS}
    with tls_front(certificate, edge.port) as https:
        for who, send in SENDERS.items():
            send(https if who == "customerio" else edge.url, sources[who].write_key, who)
    fold()
    for who, source in sources.items():
        check(who, source)
    assert api.count_by_source()[sources["cloudevents"].source_id].duplicate == 1
    gone, _ = story_of_the_deleted()
    assert gone.event_counts == {
        "Customer Suppressed": 1,
        "Unsubscribed": 2,
        "Customer Unsuppressed": 1,
        "Customer Deleted": 1,
    }
    assert gone.consents["marketing.email"].status == "withdrawn"


def story_of_the_deleted() -> tuple[Profile, list[Activity]]:
    """Her id has a slash and a blank in it: it arrives as it is."""
    profile = api.find_profile(kind="user_id", value="customerio/u 2")
    assert profile is not None
    return profile, api.list_activity(profile_id=profile.profile_id).items


def need_node() -> str:
    """Return Node with the clients beside it; without them skip, which in CI is a failure."""
    node = Path(os.environ.get("VIRTUAL_ENV") or Path(sys.executable).parents[1]) / "bin/node"
    if not node.exists() or not (NODE / "node_modules/.installed").exists():
        words = "the JavaScript clients are not installed (scripts/node.sh)"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return str(node)


def test_the_node_clients_tell_their_story(edge: LiveEdge) -> None:
    node = need_node()
    running: dict[str, subprocess.Popen[str]] = {}
    sources = {}
    for who in (each for each in EXPECTED if each.startswith("node-")):
        sources[who] = api.create_source(name=who, kind="server")
        _, name, *method = who.split("-")
        arguments = [node, f"clients/{name}.cjs", edge.url, sources[who].write_key, who, *method]
        running[who] = subprocess.Popen(
            arguments, cwd=NODE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    said = {}
    for who, process in running.items():
        said[who], errors = process.communicate(timeout=60)
        assert process.returncode == 0, (who, errors)
    assert json.loads(said["node-posthog"]) == {"flag": None, "all": {}}
    fold()
    for who, source in sources.items():
        check(who, source)
