"""One process of `bench/mail_chain.py`: does what it is told, and tells seconds and memory.

`amity` sends what is due, as `amity sender` does. `floor` makes and signs the same messages and
writes them to ten connections, without a ledger, a gate or a record. `peer` is Jinja2,
email.message, dkimpy and smtplib.
"""

import asyncio
import json
import smtplib
import sys
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from uuid import uuid4

import uvloop

from amity.broadcast.channel import GateToken, Parcel
from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.mail import dkim
from amity.broadcast.logic.sending.process import relay_of
from amity.broadcast.logic.sending.sender import Sender
from amity.broadcast.logic.templates import making
from amity.infra.config import settings
from bench.mail_chain import HTML, PRODUCTS, SUBJECT, TEXT
from bench.rules import add_peers


def now():
    return datetime.now(UTC)


def send_due():
    using = settings()
    return uvloop.run(Sender(EmailChannel(relay_of(using)), using, clock=now).run(until_idle=True))


def recipients(count):
    return [
        making.Recipient(
            send_id=uuid4(),
            profile_id=number,
            address=f"p{number}@x.example",
            address_key="k" * 32,
            purpose="marketing.email",
            stream="c1",
            data={
                "customer": {"first_name": "Maria", "order_count": 3},
                "event": {"products": PRODUCTS},
            },
            now=now(),
        )
        for number in range(count)
    ]


def floor(count):
    content = making.Content(
        content_id=1,
        message_class="marketing",
        subject=SUBJECT,
        preheader="",
        html=HTML,
        text=TEXT,
    )
    maker, channel = making.get_maker(content, settings()), EmailChannel(relay_of(settings()))
    left = iter(recipients(count))

    async def task():
        for who in left:
            made = maker.make(who)
            parcel = Parcel(
                send_id=who.send_id,
                sender=made.envelope_from,
                recipient=made.recipient,
                content=made.head + made.body,
            )

            async def gate(send_id=who.send_id):
                return GateToken(send_id)

            assert (await channel.send(parcel, gate)).kind == "sent"

    async def go():
        await asyncio.gather(*(task() for _ in range(10)))
        await channel.close()

    uvloop.run(go())
    return count


def peer(count):
    add_peers()
    import dkim as dkimpy
    from jinja2 import Environment

    using = settings()
    environment = Environment(autoescape=True)
    html, text = environment.from_string(HTML), Environment().from_string(TEXT)
    subject = Environment().from_string(SUBJECT)
    pem = (using.data / "dkim" / f"{using.dkim_selector}.pem").read_bytes()
    names = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
    port = relay_of(using).port
    with smtplib.SMTP("127.0.0.1", port) as client:
        for who in recipients(count):
            links = {"unsubscribe": "https://x.example/u/" + "a" * 150}
            data = {**who.data, "links": links, "brand": {"name": "The shop", "address": "1 St"}}
            message = EmailMessage(policy=SMTP)
            message["From"], message["To"] = "The shop <news@shop.example>", who.address
            message["Subject"] = subject.render(data)
            message["Date"], message["Message-ID"] = formatdate(), f"<{who.send_id}@shop.example>"
            message.set_content(text.render(data))
            message.add_alternative(html.render(data), subtype="html")
            raw = message.as_bytes()
            signed = dkimpy.sign(raw, b"amity1", b"shop.example", pem, include_headers=names)
            client.sendmail("b@shop.example", [who.address], signed + raw)
    return count


def memory():
    """Return the most memory this process ever had, in bytes."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main():
    dkim.cached_key(settings().data, settings().dkim_selector)
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        cpu, began = time.process_time(), time.perf_counter()
        done = {"amity": lambda _: send_due(), "floor": floor, "peer": peer}[word](int(number))
        answer = {
            "done": done,
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "memory": memory(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
