"""The addresses of other vendors' dialects over HTTP: pictures, pages, refusals, what is kept."""

import gzip
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from amity.store import api
from amity.store.contracts import Source
from amity.testing.edge import LiveEdge, running_edge, send

POSTHOG = {"event": "Bought", "distinct_id": "u1", "uuid": "01a201cb-6a56-7eee-9c07-9d77d2b8bf1c"}
PIXEL = "e=se&se_ac=Bought&uid=u1&eid=e-1&dtm=1772359200250"


@pytest.fixture
def source(db: str) -> Source:
    return api.create_source(name="shop", kind="server")


@pytest.fixture
def edge(source: Source) -> Iterator[LiveEdge]:
    with running_edge(max_batch_bytes=20_000, max_inflated_bytes=200_000) as running:
        yield running


def counts(source: Source) -> tuple[int, int, int, int]:
    found = api.count_by_source()[source.source_id]
    return found.stored, found.duplicate, found.quarantined, found.refused


def batch(key: str, *events: Any) -> bytes:
    return json.dumps({"api_key": key, "batch": events}).encode()


def test_a_picture_is_answered_with_a_picture(edge: LiveEdge, source: Source) -> None:
    address = f"{edge.url}/i?{PIXEL}&aid={source.write_key}"
    for _ in range(2):
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "image/gif"
            assert answer.read()[:6] == b"GIF89a"
    looking = urllib.request.Request(address.replace("e-1", "e-2"), method="HEAD")
    with urllib.request.urlopen(looking) as answer:
        assert (answer.status, answer.read()) == (200, b"")
    assert counts(source) == (1, 1, 0, 0)
    assert send(f"{edge.url}/i?{PIXEL}&aid=nobody")[0] == 401
    assert send(f"{edge.url}/i?uid=u1&writeKey={source.write_key}")[0] == 400
    assert counts(source) == (1, 1, 1, 0)


def test_a_page_may_send_from_anywhere(edge: LiveEdge, source: Source) -> None:
    asked = {
        "Origin": "http://shop.local",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, sp-anonymous",
    }
    status, _, headers = send(f"{edge.url}/batch/", method="OPTIONS", headers=asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == "http://shop.local"
    assert headers["access-control-allow-headers"] == "content-type, sp-anonymous"
    assert "POST" in headers["access-control-allow-methods"]
    body = batch(source.write_key, POSTHOG)
    status, answer, headers = send(f"{edge.url}/batch/", body, headers={"Origin": "http://a.local"})
    assert (status, answer) == (200, {"status": 1})
    assert headers["access-control-allow-origin"] == "http://a.local"
    sender = {"WebHook-Request-Origin": "sender.example"}
    for path in ("/cloudevents", f"/hooks/cloudevents/{source.write_key}"):
        status, _, headers = send(edge.url + path, method="OPTIONS", headers=sender)
        assert (status, headers["webhook-allowed-origin"]) == (200, "sender.example")


def test_what_cannot_be_read_is_kept_whole_and_can_be_read_later(
    edge: LiveEdge, source: Source
) -> None:
    key = source.write_key
    assert send(f"{edge.url}/batch/", b'{"batch":7}')[0] == 401, "nobody knows whose it is"
    status, answer, _ = send(f"{edge.url}/batch/?writeKey={key}", b'{"batch":7}')
    assert (status, answer["code"], answer["attr"]) == (400, "not_json", None)
    (kept,) = api.list_quarantine().items
    assert (kept.type, kept.reason) == ("call", "not_json")
    said = json.loads(kept.raw)
    assert (said["dialect"], said["body"], said["path"]) == ("posthog", '{"batch":7}', "/batch/")
    assert key not in kept.raw.decode()
    assert api.replay_quarantine(quarantine_ids=None).quarantined == 1
    assert send(f"{edge.url}/batch/", batch(key, POSTHOG)[:-1] + b',"batch":7}')[0] == 400
    odd = {**POSTHOG, "properties": [1]}
    status, answer, _ = send(f"{edge.url}/batch/", batch(key, odd, POSTHOG))
    assert (status, answer) == (200, {"status": 1})
    assert counts(source) == (1, 0, 3, 0)


def test_a_request_is_refused_in_the_words_of_its_vendor(edge: LiveEdge, source: Source) -> None:
    key = source.write_key
    status, answer, _ = send(f"{edge.url}/batch/", batch("nobody", POSTHOG))
    assert (status, answer["type"], answer["code"]) == (
        401,
        "validation_error",
        "unknown_write_key",
    )
    address = f"{edge.url}/api/v1/customers/u1"
    status, answer, _ = send(address, b"{}", method="PUT")
    assert (status, answer["meta"]["code"]) == (401, "missing_write_key")
    status, answer, headers = send(address, b"{}", method="PATCH", key=key)
    assert (status, headers["allow"]) == (405, "DELETE, OPTIONS, PUT")
    status, answer, _ = send(f"{edge.url}/batch/", batch(key, {**POSTHOG, "pad": "x" * 30_000}))
    assert (status, answer["code"]) == (413, "too_large")
    bomb = gzip.compress(batch(key, {**POSTHOG, "pad": "x" * 3_000_000}))
    packed = {"Content-Encoding": "gzip"}
    status, answer, _ = send(f"{edge.url}/batch/", bomb, headers=packed)
    assert (status, answer["code"]) == (413, "too_large")
    many = batch(key, *[1] * 5_001)
    assert len(many) < 20_000
    status, answer, _ = send(f"{edge.url}/batch/", many)
    assert (status, answer["code"]) == (413, "too_many_events")
    api.update_source(source_id=source.source_id, is_enabled=False)
    assert send(f"{edge.url}/sourceConfig?writeKey={key}")[1]["source"]["writeKey"] == key


def test_flags_are_answered_as_none_in_every_version(edge: LiveEdge, source: Source) -> None:
    body = json.dumps({"api_key": source.write_key, "distinct_id": "u1"}).encode()
    for path, shape in (
        ("/flags/?v=2", "flags"),
        ("/flags/?v=4", "flags"),
        ("/decide/?v=4", "flags"),
        ("/decide/?v=3", "featureFlags"),
    ):
        status, answer, _ = send(edge.url + path, body)
        assert (status, answer[shape], answer["errorsWhileComputingFlags"]) == (200, {}, False)
    assert source.source_id not in api.count_by_source()
