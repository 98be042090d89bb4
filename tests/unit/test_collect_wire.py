"""Requests and admission: what is split, merged, inflated and let in."""

import base64
import gzip
import json
import random
import zlib

import pytest

from amity.edge import http
from amity.store.logic.intake.admission import TokenBucket, retry_after_seconds
from amity.store.logic.intake.parsing import BadEvent
from amity.store.logic.intake.wire import BATCH, MAX_EVENTS, add_anonymous_id, split_request


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"batch":{}}',
        b'{"batch":null}',
        b'{"batch":[{}]',
        b'{"batch":[{]}}',
        b'{"batch":[{"a":"}]}',
        b'{"batch":[]} x',
        b'{"batch":[],"batch":[{}]}',
        b'{"events":[]}',
        b"\x00\x01\x02",
    ],
)
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        split_request(body, BATCH)


def test_an_empty_batch_has_no_events() -> None:
    assert split_request(b'{"batch":[ ]}', BATCH).events == []


def test_a_batch_has_a_largest_number_of_events() -> None:
    body = b'{"batch":[' + b",".join([b"{}"] * (MAX_EVENTS + 1)) + b"]}"
    with pytest.raises(BadEvent) as caught:
        split_request(body, BATCH)
    assert caught.value.reason == "too_many_events"


@pytest.mark.parametrize(
    ("event", "is_json"), [(b'{"a":"\\n"}', True), (b'{"a":NaN}', False), (b"{} {}", False)]
)
def test_a_batch_says_when_all_its_events_are_json(event: bytes, is_json: bool) -> None:
    assert split_request(b'{"batch":[{},' + event + b"]}", BATCH).is_json is is_json


def test_a_batchs_context_goes_under_each_events_own() -> None:
    body = b"""{"context":{"ip":"1.2.3.4","app":{"name":"x"}},"batch":[
        {"type":"page","userId":"u","n":12345678901234567890,"context":{"ip":"5.6.7.8"}},
        {"type":"page","userId":"u"}, {"a":1,"a":2}, {"x":NaN}]}"""
    first, second, third, fourth = split_request(body, BATCH).events
    assert json.loads(first)["context"] == {"ip": "5.6.7.8", "app": {"name": "x"}}
    assert b"12345678901234567890" in first
    assert json.loads(second)["context"]["ip"] == "1.2.3.4"
    assert (third, fourth) == (b'{"a":1,"a":2}', b'{"x":NaN}')


def test_an_anonymous_id_from_a_header_replaces_a_null() -> None:
    named = json.loads(add_anonymous_id(b'{"anonymousId":null,"event":"x"}', "anon"))
    assert named == {"anonymousId": "anon", "event": "x"}


def test_the_write_key_is_found_where_it_is_sent() -> None:
    assert http.basic_key("Basic " + base64.b64encode(b"key:").decode()) == "key"
    assert http.basic_key("basic " + base64.b64encode(b"key").decode()) == "key"
    assert http.basic_key("Basic ????") == ""
    assert http.basic_key("Basic /w==") == ""
    assert http.basic_key("Bearer x") == ""
    assert http.basic_key(None) == ""
    assert http.query_value("a=1&writeKey=a%2Bb", "writeKey") == "a+b"
    assert split_request(b'{"writeKey":"k","event":NaN}', "track").write_key == "k"


def test_gzip_is_undone_within_bounds() -> None:
    body = json.dumps({"batch": ["x" * 1000] * 100}).encode()
    for packed in (gzip.compress(body), gzip.compress(body[:50]) + gzip.compress(body[50:])):
        assert http.inflate(packed, "gzip", 2_000_000) == body
        assert http.inflate(packed, None, 2_000_000) == body
    assert http.inflate(body, "identity", 10) == body
    small = gzip.compress(b"a" * 100_000)
    assert len(small) * http.RATIO < 100_000
    assert len(http.inflate(small, "gzip", 2_000_000)) == 100_000


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b"a" * 3_000_000, mtime=0), "gzip", 413),
        (gzip.compress(b"a" * 1_900_000, mtime=0), "gzip", 413),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400),
        (b"\x1f\x8b nonsense", None, 400),
        (b"{}", "gzip", 400),
        (zlib.compress(b"{}"), "deflate", 415),
        (b"{}", "br", 415),
    ],
)
def test_a_bad_or_huge_compressed_body_is_refused(
    body: bytes, encoding: str | None, status: int
) -> None:
    with pytest.raises(http.Refusal) as caught:
        http.inflate(body, encoding, 2_000_000)
    assert caught.value.status == status


def test_a_bucket_lets_in_its_rate_and_no_more() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    bucket.take(300)
    assert bucket.wait_seconds(0.0) == pytest.approx(2.01)
    assert bucket.wait_seconds(1.0) > 1
    assert bucket.wait_seconds(2.02) == 0
    assert bucket.wait_seconds(1000.0) == 0
    bucket.take(100)
    assert bucket.wait_seconds(1000.0) > 0


def test_waiting_times_are_whole_spread_and_bounded() -> None:
    rng = random.Random(1)
    short = {retry_after_seconds(0.5, rng) for _ in range(200)}
    assert short == {1, 2}
    longer = {retry_after_seconds(20, rng) for _ in range(500)}
    assert min(longer) >= 20
    assert len(longer) > 10
    assert {retry_after_seconds(1e9, rng)} == {300}
