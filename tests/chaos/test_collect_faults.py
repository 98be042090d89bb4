"""The collector when things fail: what was acknowledged is there, once."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from amity.infra.database import transaction
from amity.store.contracts import Source
from amity.store.logic.intake.quarantine import count_quarantine
from amity.store.logic.intake.sources import count_by_source, create_source
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.edge import LiveEdge, running_edge, send, wait_until_ready
from amity.testing.installation import wait_for
from amity.testing.proxy import FaultProxy, fault_proxy

KILLS = 3
COMMITS = chaos_number("COMMITS", 30)


@pytest.fixture
def source(db: str) -> Source:
    return create_source(name="shop", kind="server")


@pytest.fixture
def proxied(source: Source) -> Iterator[tuple[LiveEdge, FaultProxy]]:
    with fault_proxy() as (proxy, url), running_edge(database_url=url) as edge:
        yield edge, proxy


def batch(name: str, size: int = 10) -> bytes:
    events = [
        {"type": "track", "event": "Bought", "userId": "u1", "messageId": f"{name}-{number}"}
        for number in range(size)
    ]
    return json.dumps({"batch": events}).encode()


def stored_ids() -> list[str]:
    with transaction() as connection:
        return [row[0] for row in connection.execute("SELECT message_id FROM store_event_log")]


def test_without_the_database_senders_wait_and_it_recovers_by_itself(
    proxied: tuple[LiveEdge, FaultProxy], source: Source
) -> None:
    edge, proxy = proxied
    url, key = f"{edge.url}/v1/batch", source.write_key
    assert send(url, batch("before"), key=key)[1]["accepted"] == 10
    proxy.go_down()
    for number in range(3):
        status, answer, headers = send(url, batch(f"down-{number}"), key=key)
        assert (status, answer["code"]) == (429, "database_down")
        assert 1 <= int(headers["retry-after"]) <= 300
    wait_until_ready(edge, status=503)
    assert send(f"{edge.url}/health/live")[0] == 200
    assert send(url, batch("down"), key="key-nobody-has-seen")[0] == 429
    proxy.come_back()
    wait_until_ready(edge)
    assert send(url, batch("before"), key=key)[1]["duplicate"] == 10
    assert send(url, batch("down-1"), key=key)[1]["accepted"] == 10
    assert len(stored_ids()) == 20
    assert count_quarantine() == {}


@pytest.mark.timeout(360 + COMMITS)
def test_a_connection_lost_around_the_commit_makes_no_second_copy(
    proxied: tuple[LiveEdge, FaultProxy], source: Source
) -> None:
    """Lost after the commit has happened, but before its answer; each third before it happens."""
    edge, proxy = proxied
    url, key = f"{edge.url}/v1/batch", source.write_key
    began = time.monotonic()
    before, back = 0, []
    for number in range(COMMITS):
        wait_until_ready(edge)
        early = number % 3 == 2
        proxy.cut_early, proxy.cuts_left = early, 1
        body = batch(f"cut-{number}")
        assert send(url, body, key=key)[0] == 429
        lost = time.monotonic()
        answer = retry(url, body, key)
        back.append(time.monotonic() - lost)
        before += early
        assert answer["accepted"] + answer["duplicate"] == 10
        assert (answer["duplicate"] == 10) != early, "the cut fell on the wrong side of the commit"
    assert proxy.cuts == COMMITS
    assert 0 < before < COMMITS
    ids = stored_ids()
    wanted = {f"cut-{number}-{each}" for number in range(COMMITS) for each in range(10)}
    assert len(ids) == len(set(ids))
    assert set(ids) == wanted
    counts = count_by_source()[source.source_id]
    assert (counts.stored, counts.duplicate) == (10 * COMMITS, 10 * (COMMITS - before))
    record(
        Finding(
            card="T6",
            what="connection cut between COMMIT and its answer, or just before it",
            seconds=time.monotonic() - began,
            cuts=COMMITS,
            acknowledged=10 * COMMITS,
            lost=len(wanted - set(ids)),
            duplicated=len(ids) - len(set(ids)),
            recovered_seconds=back,
        )
    )


def retry(url: str, body: bytes, key: str) -> dict[str, Any]:
    """Send until it is taken, as an SDK does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            status, answer, _ = send(url, body, key=key)
        except OSError:
            status, answer = 0, {}
        if status == 200:
            return answer
        time.sleep(0.05)
    raise TimeoutError


def test_a_killed_collector_loses_nothing_it_acknowledged(source: Source) -> None:
    acknowledged: list[str] = []
    stop = threading.Event()

    def sender(number: int, url: str) -> None:
        round_ = 0
        while not stop.is_set():
            name = f"{number}-{round_}"
            retry(url, batch(name), source.write_key)
            acknowledged.extend(f"{name}-{each}" for each in range(10))
            round_ += 1

    kills = 0
    with running_edge() as edge:
        threads = [
            threading.Thread(target=sender, args=(number, f"{edge.url}/v1/batch"))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        while kills < KILLS:
            time.sleep(0.5)
            edge.kill_and_restart()
            kills += 1
        stop.set()
        for thread in threads:
            thread.join()
    ids = stored_ids()
    assert len(acknowledged) > 100
    assert len(ids) == len(set(ids))
    assert set(acknowledged) <= set(ids)
    assert count_by_source()[source.source_id].stored == len(ids)


def test_the_collector_goes_when_it_is_told_and_when_its_starter_is_gone(source: Source) -> None:
    with running_edge() as edge:
        (worker,) = edge.worker_pids()
        os.kill(edge.process.pid, signal.SIGKILL)
        edge.process.wait()
        deadline = time.monotonic() + 60
        while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not os.path.exists(f"/proc/{worker}")
    with running_edge() as edge:
        (first,) = edge.worker_pids()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: set(edge.worker_pids()) - {first}, what="a worker that is being loaded")
        (early,) = set(edge.worker_pids()) - {first}
        edge.process.kill()
        edge.process.wait()
        wait_for(lambda: not os.path.exists(f"/proc/{early}"), what="the worker's end")
    with running_edge() as edge:
        edge.process.send_signal(signal.SIGINT)
        assert edge.process.wait(60) == 0
