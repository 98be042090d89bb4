"""The SDKs of Segment and RudderStack, unmodified, against a live collector, with exact counts."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from amity.infra.database import transaction
from amity.store.contracts import Source
from amity.store.logic.intake.quarantine import list_quarantine
from amity.store.logic.intake.sources import count_by_source, create_source
from amity.testing.edge import LiveEdge, running_edge, send

ROUNDS = 60
TYPES = ("alias", "group", "identify", "page", "screen", "track")


@pytest.fixture
def source(db: str) -> Source:
    return create_source(name="shop", kind="server")


@pytest.fixture
def edge(source: Source) -> Iterator[LiveEdge]:
    with running_edge() as running:
        yield running


def send_one_of_each(client: Any, number: int) -> None:
    user = f"user-{number}"
    client.identify(user, {"email": f"u{number}@example.com", "plan": None})
    client.track(user, "Order Completed", {"order_id": str(number), "revenue": 12.5})
    client.page(user, "Shop", "Home", {"url": "https://shop.example/"})
    client.screen(user, "Shop", "Home", {})
    client.group(user, "acme", {"name": "Acme"})
    client.alias(f"anon-{number}", user)


def stored_types() -> dict[str, int]:
    with transaction() as connection:
        rows = connection.execute("SELECT type, count(*) FROM store_event_log GROUP BY type")
        return dict(rows.fetchall())


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("client_class", [SegmentClient, RudderClient])
def test_a_python_sdk_delivers_everything_once(
    edge: LiveEdge, source: Source, client_class: Any, *, compressed: bool
) -> None:
    failures: list[Any] = []
    client = client_class(
        source.write_key,
        host=edge.url,
        gzip=compressed,
        upload_interval=0.05,
        upload_size=50,
        max_retries=2,
        on_error=lambda error, _: failures.append(error),
    )
    for number in range(ROUNDS):
        send_one_of_each(client, number)
    client.flush()
    client.join()
    assert failures == []
    assert stored_types() == dict.fromkeys(TYPES, ROUNDS)
    counts = count_by_source()[source.source_id]
    assert (counts.stored, counts.duplicate, counts.quarantined, counts.refused) == (
        ROUNDS * len(TYPES),
        0,
        0,
        0,
    )


@pytest.mark.parametrize("client_class", [SegmentClient, RudderClient])
def test_a_python_sdk_understands_a_refusal(
    edge: LiveEdge, source: Source, client_class: Any
) -> None:
    failures: list[Any] = []
    client = client_class(
        "no-such-key",
        host=edge.url,
        upload_interval=0.05,
        max_retries=0,
        on_error=lambda error, _: failures.append(error),
    )
    client.track("u1", "Order Completed")
    client.flush()
    client.join()
    (failure,) = failures
    assert "unknown_write_key" in str(failure)
    assert stored_types() == {}


def event(kind: str, **more: Any) -> dict[str, Any]:
    """An event as the browser and Node SDKs write it."""
    return {
        "type": kind,
        "integrations": {"Segment.io": True},
        "anonymousId": "bb7ea094-45cc-4c15-ba6a-550681459bb1",
        "timestamp": "2026-11-21T20:52:30.113Z",
        "context": {
            "page": {"path": "/products", "url": "http://shop.local/products?utm_source=news"},
            "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
            "campaign": {"source": "news", "name": "spring"},
        },
        **more,
    }


NODE_BATCH = [
    event("identify", userId="u1", traits={"email": "a@example.com"}, messageId="n-1"),
    event("track", userId="u1", event="Order Completed", messageId="n-2", properties={"total": 5}),
    event("page", userId="u1", name="Home", category="Shop", messageId="n-3"),
    event("screen", userId="u1", name=None, messageId="n-4"),
    event("group", userId="u1", groupId="acme", traits={"name": "Acme"}, messageId="n-5"),
    event("alias", userId="u1", previousId="anon-1", messageId="n-6"),
]


def test_the_browser_sdk_of_segment(edge: LiveEdge, source: Source) -> None:
    key = source.write_key
    status, answer, _ = send(f"{edge.url}/v1/projects/{key}/settings")
    assert status == 200
    assert answer["integrations"]["Segment.io"]["apiKey"] == key
    assert answer["plan"]["track"]["__default"] == {"enabled": True}
    plain = {"Content-Type": "text/plain"}
    for each in NODE_BATCH:
        body = json.dumps({**each, "sentAt": "2026-11-21T20:52:31.000Z", "writeKey": key}).encode()
        status, answer, headers = send(
            f"{edge.url}/v1/{each['type'][0]}", body, key=key, headers=plain
        )
        assert (status, answer["accepted"]) == (200, 1)
        assert headers["access-control-allow-origin"] == "*"
    batch = json.dumps({"writeKey": key, "batch": NODE_BATCH}).encode()
    assert send(f"{edge.url}/v1/b", batch, headers=plain)[1]["duplicate"] == 6
    assert send(f"{edge.url}/v1/m", b'{"series":[]}', headers=plain)[0] == 200
    assert stored_types() == dict.fromkeys(TYPES, 1)


def test_the_node_sdk_of_rudderstack_sends_gzip_as_a_form(edge: LiveEdge, source: Source) -> None:
    body = gzip.compress(json.dumps({"batch": NODE_BATCH, "sentAt": "2026-11-21T20:49Z"}).encode())
    for type_ in ("application/x-www-form-urlencoded", "application/octet-stream"):
        headers = {"Content-Type": type_, "Content-Encoding": "gzip"}
        status, answer, _ = send(
            f"{edge.url}/v1/batch", body, key=source.write_key, headers=headers
        )
        assert (status, answer["accepted"] + answer["duplicate"]) == (200, 6)
    assert stored_types() == dict.fromkeys(TYPES, 1)


def test_the_browser_sdk_of_rudderstack(edge: LiveEdge, source: Source) -> None:
    key = source.write_key
    status, _, headers = send(
        f"{edge.url}/v1/track",
        method="OPTIONS",
        headers={
            "Origin": "http://shop.local",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "AnonymousId, SentAt, Authorization",
        },
    )
    assert status == 204
    allowed = headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert {"authorization", "content-type", "anonymousid", "sentat", "x-retry-count"} <= {*allowed}
    for path in ("/sourceConfig/", "/sourceConfig"):
        status, config, _ = send(f"{edge.url}{path}?p=npm&v=3.34.1&writeKey={key}", key=key)
        assert status == 200
        assert config["source"]["id"]
        assert isinstance(config["source"]["config"], dict)
        assert config["source"]["destinations"] == []
    nobody = {**event("track", event="Product Viewed", messageId="r-1"), "anonymousId": None}
    ours = {"AnonymousId": "YmNmZDZiZDI=", "SentAt": "2026-11-21T20:54:03.050Z"}
    sent = send(f"{edge.url}/v1/track", json.dumps(nobody).encode(), key=key, headers=ours)
    assert sent[1]["accepted"] == 1
    with transaction() as connection:
        row = connection.execute("SELECT body, sent_at::text FROM store_event_log").fetchone()
    assert row is not None
    assert json.loads(row[0])["anonymousId"] == "bcfd6bd2"
    assert row[1] == "2026-11-21 20:54:03.05+00"
    beacon = json.dumps({"batch": [event("page", messageId="r-2")]}).encode()
    assert send(f"{edge.url}/beacon/v1/batch?writeKey={key}", beacon)[1]["accepted"] == 1
    assert send(f"{edge.url}/rsaMetrics", b"{}")[0] == 200


def test_a_retry_after_an_unseen_answer_is_a_duplicate(edge: LiveEdge, source: Source) -> None:
    body = {"batch": NODE_BATCH, "sentAt": "2026-11-21T20:49:00Z"}
    again = {"batch": NODE_BATCH, "sentAt": "2026-11-21T20:49:09Z"}
    for number, each in enumerate((body, again)):
        answer = send(
            f"{edge.url}/v1/batch",
            json.dumps(each).encode(),
            key=source.write_key,
            headers={"X-Retry-Count": str(number)},
        )[1]
        assert answer["accepted" if number == 0 else "duplicate"] == 6
    assert list_quarantine().items == []
