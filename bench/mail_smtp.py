"""Handing messages to a mail server (PERFORMANCE row 18): 9 kB each, over loopback.

Run with `python -m bench mail_smtp`. The server is another process that takes everything. Ours
asks the gate for each message before the final dot; here the gate says yes at once. The floor is
raw pipelining: bytes written to ten connections, replies only counted. Every message that was said
to be taken is counted at the server. Goals: 4 times aiosmtplib with ten connections, and 1.5 times
smtplib with one.
"""

import asyncio
import contextlib
import smtplib
import subprocess
import sys
import time
from uuid import UUID

import uvloop

from amity.broadcast.channel import GateToken, Parcel
from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.mail.smtp_relay import Relay
from amity.testing.installation import wait_for
from amity.testing.ports import free_port
from bench.harness import Goal, Sample, interleave, show, summary
from bench.rules import add_peers

HOST = "127.0.0.1"
CONNECTIONS = 10
COUNTS = {"amity ×10": 4000, "amity ×1": 2000, "aiosmtplib ×10": 1000, "smtplib ×1": 2000}
COUNTS["floor ×10"] = 8000
HEAD = (
    b"From: The shop <news@shop.example>\r\nTo: ann@x.example\r\nSubject: What is new\r\n"
    b"X-Send-Id: 0195aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee\r\n\r\n"
)
CONTENT = HEAD + b"A linen shirt for long summer evenings, light and airy.\r\n" * 155


@contextlib.contextmanager
def sink_process():
    """Run the mail server; gives its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.mail_sink", str(port)])
    try:
        _wait(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait(port):
    def answers():
        with contextlib.suppress(OSError):
            taken(port)
            return True
        return False

    wait_for(answers, what="the sink")


def taken(port):
    """Ask the server how many messages it took."""
    with smtplib.SMTP(HOST, port) as client:
        return int(client.noop()[1])


async def _shared(work, tasks, count):
    """Let tasks share a count of messages."""
    left = iter(range(count))

    async def task():
        for _ in left:
            await work()

    await asyncio.gather(*(task() for _ in range(tasks)))


async def send_ours(port, tasks, count):
    channel = EmailChannel(Relay(host=HOST, port=port, greeting="bench.example"))
    send_id = UUID(int=1)
    parcel = Parcel(
        send_id=send_id, sender="b@shop.example", recipient="ann@x.example", content=CONTENT
    )

    async def gate():
        return GateToken(send_id)

    async def one():
        outcome = await channel.send(parcel, gate)
        assert outcome.kind == "sent", outcome

    await _shared(one, tasks, count)
    await channel.close()


async def send_aiosmtplib(port, tasks, count):
    import aiosmtplib

    clients = [aiosmtplib.SMTP(hostname=HOST, port=port) for _ in range(tasks)]
    for client in clients:
        await client.connect()
    free = list(clients)

    async def one():
        client = free.pop()
        await client.sendmail("b@shop.example", ["ann@x.example"], CONTENT)
        free.append(client)

    await _shared(one, tasks, count)
    for client in clients:
        await client.quit()


def send_smtplib(port, count):
    with smtplib.SMTP(HOST, port) as client:
        for _ in range(count):
            client.sendmail("b@shop.example", ["ann@x.example"], CONTENT)


class Raw(asyncio.Protocol):
    """Writes the next message as soon as the last is taken; understands nothing but numbers."""

    WORDS = b"MAIL FROM:<b@shop.example>\r\nRCPT TO:<ann@x.example>\r\nDATA\r\n"

    def __init__(self, left, ended):
        self.left, self.ended = left, ended
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"EHLO x\r\n")

    def data_received(self, data):
        if data.endswith(b"354 go\r\n"):
            self.transport.write(CONTENT + b".\r\n")
        elif data.endswith((b"SIZE 10000000\r\n", b"250 taken\r\n")):
            if next(self.left, None) is None:
                self.transport.close()
            else:
                self.transport.write(self.WORDS)

    def connection_lost(self, exc):
        self.ended.release()


async def send_raw(port, tasks, count):
    loop, left, ended = asyncio.get_running_loop(), iter(range(count)), asyncio.Semaphore(0)
    for _ in range(tasks):
        await loop.create_connection(lambda: Raw(left, ended), HOST, port)
    for _ in range(tasks):
        await ended.acquire()


def contender(port, name, send):
    """Return a turn: so many messages, all of which must have arrived."""
    count = COUNTS[name]

    def turn():
        before = taken(port)
        cpu, began = time.process_time(), time.perf_counter()
        send(count)
        spent, used = time.perf_counter() - began, time.process_time() - cpu
        assert taken(port) - before == count, f"{name}: not all of them arrived"
        return Sample(count, spent, used)

    return turn


def run(rounds):
    """Send with each in turns."""
    add_peers()
    with sink_process() as port:
        sends = {
            "amity ×10": lambda n: uvloop.run(send_ours(port, CONNECTIONS, n)),
            "amity ×1": lambda n: uvloop.run(send_ours(port, 1, n)),
            "aiosmtplib ×10": lambda n: uvloop.run(send_aiosmtplib(port, CONNECTIONS, n)),
            "smtplib ×1": lambda n: send_smtplib(port, n),
            "floor ×10": lambda n: uvloop.run(send_raw(port, CONNECTIONS, n)),
        }
        measured = interleave(
            {name: contender(port, name, send) for name, send in sends.items()}, rounds
        )

    def ratio(other):
        return measured.ratio("amity ×10", other, lambda sample: sample.rate)["median"]

    goals = [
        Goal("hand-off: amity / aiosmtplib, ten connections", ratio("aiosmtplib ×10"), 4.0),
        Goal("hand-off: amity / smtplib, one connection", ratio("smtplib ×1"), 1.5),
    ]
    show(f"handing over {len(CONTENT) / 1000:.1f} kB", measured, goals)
    print(f"  of raw pipelining                      {ratio('floor ×10'):.2f}")
    return summary("mail_smtp", measured, goals, of_floor=ratio("floor ×10"))
