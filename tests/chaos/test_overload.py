"""More than can be taken: memory stays bounded, nobody is starved, what was taken is there (T13).

Requests come at a fixed rate, whatever becomes of those before them, as they do from a shop.
"""

import asyncio
import random
import socket
import time
from pathlib import Path

import msgspec
import pytest

from amity.infra.database import transaction
from amity.store.logic.intake.sources import create_source
from amity.testing.chaos_record import Finding, chaos_number, percentile, record
from amity.testing.edge import basic, running_edge, send

SECONDS = chaos_number("OVERLOAD_SECONDS", 3)
EVENTS = 200
# Little, so that a short run is an overload too.
HELD_BYTES = 2_000_000
MOST_RSS_BYTES = 512 * 2**20
SLOW_SOCKETS = chaos_number("SLOW_SOCKETS", 200)
pytestmark = pytest.mark.timeout(360 + 6 * SECONDS)


@pytest.fixture
def sources(db):
    return [create_source(name=name, kind="server") for name in ("hot", "calm")]


@pytest.fixture
def edge(sources):
    with running_edge(max_inflight_bytes=HELD_BYTES, max_lag_seconds=100_000) as running:
        yield running


def body(name, size):
    events = [
        {"type": "track", "event": "Looked", "userId": f"u{n}", "messageId": f"{name}-{n}",
         "properties": {"words": "something that was looked at " * 3}}
        for n in range(size)
    ]  # fmt: skip
    return msgspec.json.encode({"batch": events})


class Load:
    """Requests of one source at a fixed rate, and what became of each."""

    def __init__(self, port, key, name, *, size):
        self.port, self.key, self.name, self.size = port, key, name, size
        self.answers = []
        self.taken = []
        self.wrong = []

    async def run(self, rate, seconds):
        began = time.monotonic()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self._ask(f"{self.name}-{began}-{number}")))
        await asyncio.gather(*tasks)

    async def _ask(self, name):
        content = body(name, self.size)
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
            + basic(self.key).encode()
            + f"\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        answer = await reader.read()
        writer.close()
        status = int(answer[9:12])
        self.answers.append((status, time.monotonic() - began))
        if status == 200:
            self.taken += [f"{name}-{n}" for n in range(self.size)]
        elif status == 429:
            head = answer.partition(b"\r\n\r\n")[0].decode().lower()
            wait = int(head.partition("retry-after: ")[2].partition("\r\n")[0])
            if not 1 <= wait <= 300:
                self.wrong.append(wait)
        else:
            self.wrong.append(answer)

    def p99(self):
        return percentile([seconds for status, seconds in self.answers if status == 200], 0.99)

    def count(self, status):
        return sum(1 for each, _ in self.answers if each == status)


def resident_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * 4096


def measure_capacity(port, key):
    """Return how many requests a second are taken when each of eight follows the one before."""
    load, began = Load(port, key, "measure", size=EVENTS), time.monotonic()

    async def run():
        async def follow(lane):
            number = 0
            while time.monotonic() < began + 1.0:
                await load._ask(f"measure-{began}-{lane}-{number}")
                number += 1

        await asyncio.gather(*(follow(lane) for lane in range(8)))

    asyncio.run(run())
    return load.count(200)


async def both(hot, calm, rate):
    await asyncio.gather(hot.run(rate, SECONDS), calm.run(20, SECONDS))


def stored_ids():
    with transaction() as connection:
        return [row[0] for row in connection.execute("SELECT message_id FROM store_event_log")]


def test_five_times_too_much_is_refused_in_bounds_and_starves_nobody(edge, sources):
    hot_source, calm_source = sources
    # What else the machine did in one of these seconds is not what can be taken.
    capacity = max(measure_capacity(edge.port, hot_source.write_key) for _ in range(3))
    rate = min(5 * capacity, 600)
    alone = Load(edge.port, calm_source.write_key, "alone", size=1)
    asyncio.run(alone.run(20, 1.5))
    hot = Load(edge.port, hot_source.write_key, "hot", size=EVENTS)
    calm = Load(edge.port, calm_source.write_key, "calm", size=1)
    (worker,) = edge.worker_pids()
    before = resident_bytes(worker)
    began = time.monotonic()
    asyncio.run(both(hot, calm, rate))
    after = resident_bytes(worker)
    assert hot.wrong == calm.wrong == []
    assert hot.count(200) > 0
    assert hot.count(429) > 0, "nothing was refused, so this was no overload"
    assert calm.count(429) == 0, "another's load shut this one out"
    assert after < MOST_RSS_BYTES
    ids = stored_ids()
    assert len(ids) == len(set(ids))
    acknowledged = set(hot.taken) | set(calm.taken) | set(alone.taken)
    assert acknowledged <= set(ids)
    record(
        Finding(
            card="T13",
            what=f"one source sends {rate} requests a second of {EVENTS} events, another 20 of one",
            seconds=time.monotonic() - began,
            acknowledged=len(acknowledged),
            lost=len(acknowledged - set(ids)),
            duplicated=len(ids) - len(set(ids)),
            more={
                "answers of the hot source": f"{hot.count(200)} taken, {hot.count(429)} refused "
                "with 429 and Retry-After from 1 to 300",
                "the calm source": f"{calm.count(200)} taken, none refused, p99 "
                f"{calm.p99() * 1000:.0f} ms ({alone.p99() * 1000:.0f} ms alone; the load is made "
                "on the same processors)",
                "accepted p99 of the hot source": f"{hot.p99() * 1000:.0f} ms",
                "memory of the collector": f"{before / 2**20:.0f} MiB before, "
                f"{after / 2**20:.0f} MiB after",
            },
        )
    )


def test_slow_and_idle_connections_keep_nobody_out(edge, sources):
    rng = random.Random(13)
    opened = []
    try:
        for _ in range(SLOW_SOCKETS):
            one = socket.create_connection(("127.0.0.1", edge.port), timeout=10)
            opened.append(one)
            if rng.random() < 0.5:
                one.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Le")
        status, answer, _ = send(
            f"{edge.url}/v1/batch", body("between", 5), key=sources[1].write_key
        )
        assert (status, answer["accepted"]) == (200, 5)
        (worker,) = edge.worker_pids()
        assert resident_bytes(worker) < MOST_RSS_BYTES
    finally:
        for one in opened:
            one.close()
