"""The collector over HTTP: verdicts, refusals, bad input, limits."""

import gzip
import importlib.util
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from amity.infra.database import transaction
from amity.store.contracts import Source
from amity.store.logic.intake.quarantine import count_quarantine, list_quarantine
from amity.store.logic.intake.sources import count_by_source, create_source, update_source
from amity.testing.edge import LiveEdge, basic, running_edge, send

_spec = importlib.util.spec_from_file_location(
    "collect_poison", Path(__file__).parents[1] / "fixtures" / "collect_poison.py"
)
assert _spec is not None
assert _spec.loader is not None
poison = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(poison)


@pytest.fixture
def source(db: str) -> Source:
    return create_source(name="shop", kind="server")


@pytest.fixture
def edge(source: Source) -> Iterator[LiveEdge]:
    with running_edge() as running:
        yield running


def track(message_id: str, **more: Any) -> bytes:
    event = {"type": "track", "event": "Bought", "userId": "u1", "messageId": message_id, **more}
    return json.dumps(event).encode()


def batch(*events: bytes) -> bytes:
    return b'{"batch":[' + b",".join(events) + b"]}"


def stored() -> list[tuple[str, bytes]]:
    with transaction() as connection:
        return connection.execute("SELECT message_id, body FROM store_event_log").fetchall()


def until(happened: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counts(source: Source) -> tuple[int, int, int, int]:
    each = count_by_source()[source.source_id]
    assert each.received == each.stored + each.duplicate + each.quarantined + each.refused
    with transaction() as connection:
        found = connection.execute(
            "SELECT count(*) FROM store_event_log WHERE source_id = %s", [source.source_id]
        ).fetchone()
    assert found == (each.stored,)
    return each.stored, each.duplicate, each.quarantined, each.refused


def test_good_events_are_stored_beside_bad_ones(edge: LiveEdge, source: Source) -> None:
    # What has no matching brackets cannot be told from its neighbours inside a batch.
    names = [
        name
        for name in poison.POISON
        if name not in {"empty", "cut off", "garbage", "byte order mark"}
    ]
    for start in range(0, len(names), 5):
        bad = [poison.POISON[name] for name in names[start : start + 5]]
        good = [track(f"{start}-{number}") for number in range(10)]
        events = [*good[:5], *(raw for raw, _ in bad), *good[5:]]
        status, answer, _ = send(f"{edge.url}/v1/batch", batch(*events), key=source.write_key)
        assert (status, answer["success"]) == (200, True)
        assert (answer["accepted"], answer["quarantined"]) == (10, len(bad))
        for place, (error, (raw, reason)) in enumerate(zip(answer["errors"], bad, strict=True)):
            too_large = len(raw) > 32_768
            assert error["code"] == ("too_large" if too_large else reason)
            assert error["index"] == 5 + place
    kept = [each.raw for each in list_quarantine(limit=500).items]
    assert sorted(kept) == sorted(poison.POISON[name][0] for name in names)
    assert counts(source)[0] == 10 * len(range(0, len(names), 5))


def test_odd_events_are_stored_as_they_came(edge: LiveEdge, source: Source) -> None:
    body = batch(*poison.ODD.values())
    answer = send(f"{edge.url}/v1/batch", body, key=source.write_key)[1]
    assert (answer["accepted"], answer["quarantined"]) == (len(poison.ODD), 0)
    assert {raw for _, raw in stored()} == {raw.strip() for raw in poison.ODD.values()}


def test_a_body_that_cannot_be_split_is_400_and_kept(edge: LiveEdge, source: Source) -> None:
    bodies = [b"", b"hello", b"[]", b"{}", b'{"batch":7}', b'{"batch":[{', b"\xff\xfe", b"\0" * 99]
    for body in bodies:
        status, answer, _ = send(f"{edge.url}/v1/batch", body, key=source.write_key)
        assert (status, answer["code"]) in {(400, "not_json"), (400, "no_batch")}
        assert answer["message"]
        assert send(f"{edge.url}/v1/batch", body)[0] == 401
    kept = list_quarantine().items
    assert sorted((each.raw, each.type) for each in kept) == sorted((b, "batch") for b in bodies)


def test_who_is_not_let_in(edge: LiveEdge, source: Source) -> None:
    body = batch(track("a"))
    for key, code in ((None, "missing_write_key"), ("x" * 43, "unknown_write_key")):
        status, answer, _ = send(f"{edge.url}/v1/batch", body, key=key)
        assert (status, answer["code"]) == (401, code)
    assert send(f"{edge.url}/v1/batch", body, key="-")[0] == 401  # Amity's own source
    assert send(f"{edge.url}/v1/batch", body, key=source.write_key)[0] == 200
    update_source(source_id=source.source_id, is_enabled=False)
    until(lambda: send(f"{edge.url}/v1/batch", body, key=source.write_key)[0] == 404, seconds=60)
    assert send(f"{edge.url}/v1/batch", body, key=source.write_key)[1]["code"] == "source_disabled"
    update_source(source_id=source.source_id, is_enabled=True)
    fresh = create_source(name="made just now")
    assert send(f"{edge.url}/v1/batch", batch(track("b")), key=fresh.write_key)[0] == 200
    until(lambda: counts(source)[3] >= 2, seconds=60)
    assert counts(fresh)[0] == 1


def test_other_methods_and_addresses_get_json(edge: LiveEdge, source: Source) -> None:
    for method, path, expected in (
        ("GET", "/v1/batch", 405),
        ("PUT", "/v1/track", 405),
        ("POST", "/health/live", 405),
        ("POST", "/v1/buy", 404),
        ("GET", "/", 404),
        ("GET", "/v1/projects/unknown/settings", 404),
        ("GET", "/sourceConfig", 200),
        ("GET", "/health/live", 200),
        ("GET", "/health/ready", 200),
        ("POST", "//v1/batch/", 200),
    ):
        body = batch() if method == "POST" else None
        status, answer, _ = send(edge.url + path, body, key=source.write_key, method=method)
        assert status == expected, (method, path)
        if status >= 400:
            assert answer["code"]
            assert answer["message"]


def test_sizes_are_bounded(edge: LiveEdge, source: Source) -> None:
    url, key = f"{edge.url}/v1/batch", source.write_key
    assert send(url, b"x" * 512_001, key=key)[:2][0] == 413
    bomb = gzip.compress(b" " * 100_000_000)
    status, answer, _ = send(url, bomb, key=key, headers={"Content-Encoding": "gzip"})
    assert (status, answer["code"]) == (413, "too_large")
    big = track("big", properties={"x": "y" * 40_000})
    answer = send(url, batch(big, track("small")), key=key)[1]
    assert (answer["accepted"], answer["errors"][0]["code"]) == (1, "too_large")
    assert send(url, b"nonsense", key=key, headers={"Content-Encoding": "gzip"})[0] == 400
    until(lambda: counts(source) == (1, 0, 1, 3), seconds=60)


def test_identical_batches_at_once_are_stored_once(edge: LiveEdge, source: Source) -> None:
    body = batch(*(track(f"m{number}") for number in range(200)))
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: send(f"{edge.url}/v1/batch", body, key=source.write_key), range(32))
        )
    assert {status for status, _, _ in answers} == {200}
    assert sum(answer["accepted"] for _, answer, _ in answers) == 200
    assert sum(answer["duplicate"] for _, answer, _ in answers) == 31 * 200
    assert counts(source) == (200, 31 * 200, 0, 0)


def test_two_collectors_store_an_event_once(edge: LiveEdge, source: Source) -> None:
    bodies = [batch(*(track(f"{b}-{n}") for n in range(20))) for b in range(10)]
    with running_edge() as second, ThreadPoolExecutor(8) as pool:
        jobs = [(each.url, body) for body in bodies * 3 for each in (edge, second)]
        answers = list(
            pool.map(lambda job: send(f"{job[0]}/v1/batch", job[1], key=source.write_key), jobs)
        )
    assert {status for status, _, _ in answers} == {200}
    assert sum(answer["accepted"] for _, answer, _ in answers) == 200
    assert counts(source) == (200, 1000, 0, 0)


def test_a_used_message_id_with_another_content_is_put_aside(
    edge: LiveEdge, source: Source
) -> None:
    url, key = f"{edge.url}/v1/batch", source.write_key
    answer = send(url, batch(track("a"), track("a", userId="other")), key=key)[1]
    assert answer["errors"][0]["code"] == "id_conflict"
    answer = send(url, batch(track("a", userId="third"), track("a")), key=key)[1]
    assert (answer["duplicate"], answer["quarantined"]) == (1, 1)
    assert count_quarantine() == {"id_conflict": 2}
    assert counts(source) == (1, 1, 2, 0)


def test_one_senders_share_is_bounded(source: Source) -> None:
    with running_edge(key_events_per_second=50) as edge:
        url, key = f"{edge.url}/v1/batch", source.write_key
        body = batch(*(track(f"m{n}") for n in range(200)))
        assert send(url, body, key=key)[0] == 200
        status, answer, headers = send(url, body, key=key)
        assert (status, answer["code"]) == (429, "too_many_events")
        assert 1 <= int(headers["retry-after"]) <= 300
        other = create_source(name="other")
        assert send(url, body, key=other.write_key)[0] == 200


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"disk_reserve_bytes": 2**60}, "disk_full"),
        ({"max_inflight_bytes": 10}, "busy"),
    ],
)
def test_what_cannot_be_taken_now_is_429(
    source: Source, setting: dict[str, Any], code: str
) -> None:
    with running_edge(wait=code == "busy", **setting) as edge:
        status, answer, headers = send(
            f"{edge.url}/v1/batch", batch(track("a")), key=source.write_key
        )
        assert (status, answer["code"]) == (429, code)
        assert 1 <= int(headers["retry-after"]) <= 300
        ready, health, _ = send(f"{edge.url}/health/ready")
        assert ready == (200 if code == "busy" else 503)
        assert health["troubles"] == ([] if code == "busy" else [code])
        assert send(f"{edge.url}/health/live")[0] == 200
    assert stored() == []


def test_when_the_fold_is_far_behind_senders_wait(source: Source) -> None:
    with running_edge(max_lag_seconds=1) as edge:
        url, key = f"{edge.url}/v1/batch", source.write_key
        assert send(url, batch(track("a")), key=key)[0] == 200
        until(lambda: send(url, batch(track("b")), key=key)[0] == 429, seconds=60)
        assert send(url, batch(track("c")), key=key)[1]["code"] == "behind"
        with transaction() as connection:  # as if the fold had caught up
            connection.execute(
                "UPDATE store_consumer SET xid = '9223372036854775807' WHERE name = 'profiles'"
            )
        until(lambda: send(url, batch(track("d")), key=key)[0] == 200, seconds=60)


def test_half_a_request_harms_nobody(edge: LiveEdge, source: Source) -> None:
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", edge.port)) as half:
            half.sendall(head)
    whole = batch(track("left"))
    for number in range(20):  # gone before the answer: stored all the same
        with socket.create_connection(("127.0.0.1", edge.port)) as gone:
            body = batch(track(f"gone-{number}"))
            gone.sendall(
                f"POST /v1/batch HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: {basic(source.write_key)}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
    assert send(f"{edge.url}/v1/batch", whole, key=source.write_key)[1]["accepted"] == 1
    until(lambda: len(stored()) > 10, seconds=60)
