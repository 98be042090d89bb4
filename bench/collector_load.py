"""The load: many connections, each sending its next request when the last was answered.

A process of its own that is told what to do by lines of JSON, so that it costs no start-up time:
`{"port", "path", "key", "size", "connections", "seconds"}` → what happened. With a `rate` the
connections together send that many events a second, or fewer when the answers do not keep up. With
`people` they ask for decisions about so many people, one after the other.
"""

import asyncio
import base64
import itertools
import json
import os
import sys
import time

import uvloop

_RUN = os.urandom(6).hex()
_numbers = itertools.count()
_EVENT = (
    '{"type":"track","event":"Order Completed","userId":"u%d","messageId":"' + _RUN + '-%d",'
    '"timestamp":"2026-11-21T20:48:41.260Z","properties":{"order_id":"o1","revenue":12.5,'
    '"currency":"EUR","products":[{"product_id":"p1","quantity":2,"price":5}]},'
    '"context":{"library":{"name":"bench","version":"1"},"ip":"10.0.0.1"}}'
)


def _event() -> bytes:
    number = next(_numbers)
    return (_EVENT % (number % 5000, number)).encode()


def _body(size: int) -> bytes:
    if size == 1:
        return _event()
    return b'{"batch":[' + b",".join(_event() for _ in range(size)) + b"]}"


def _question(people: int) -> bytes:
    # A step that goes round all of them, so that neighbours in the table are not neighbours here.
    who = next(_numbers) * 7919 % people
    return b'{"placement":"bench","userId":"u%d","context":{"page":"/"}}' % who


class _Sender(asyncio.Protocol):
    def __init__(self, task, state):
        self.head = state["head"]
        self.size = task["size"]
        self.people = task.get("people", 0)
        self.state = state
        self.buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.next_at = time.perf_counter()
        self.send()

    def send_in_time(self):
        """Send when this connection's next turn has come."""
        pause = self.state["interval"]
        self.next_at = max(self.next_at + pause, time.perf_counter() - 5 * pause)
        wait = self.next_at - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.send)
        else:
            self.send()

    def send(self):
        body = _question(self.people) if self.people else _body(self.size)
        self.sent_at = time.perf_counter()
        self.transport.write(self.head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        if length < 0:
            self.state["statuses"]["unreadable"] = 1
            self.transport.close()
            return
        if len(self.buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        status = self.buffer[9:12].decode()
        self.buffer = b""
        self.state["statuses"][status] = self.state["statuses"].get(status, 0) + 1
        self.state["waits"].append(now - self.sent_at)
        if now < self.state["end"]:
            self.send_in_time()
        else:
            self.transport.close()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_result(None)


async def run(task):
    auth = base64.b64encode(f"{task['key']}:".encode()).decode()
    head = (
        f"POST {task['path']} HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {auth}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    rate = task.get("rate")
    interval = task["connections"] * task["size"] / rate if rate else 0.0
    state = {"head": head.encode(), "statuses": {}, "waits": [], "interval": interval}
    started = time.perf_counter()
    state["end"] = started + task["seconds"]
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: _Sender(task, state), "127.0.0.1", task["port"]))[1]
        for _ in range(task["connections"])
    ]
    await asyncio.gather(*(sender.done for sender in senders))
    waits = sorted(state["waits"])
    return {
        "seconds": time.perf_counter() - started,
        "statuses": state["statuses"],
        "accepted": state["statuses"].get("200", 0) * task["size"],
        "p50": waits[len(waits) // 2] if waits else None,
        "p99": waits[int(len(waits) * 0.99)] if waits else None,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(uvloop.run(run(json.loads(line)))), flush=True)
