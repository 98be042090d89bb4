"""E-mail keeps what every channel must; and a channel that does not is found out."""

import asyncio
import random

import pytest
import uvloop

from amity.broadcast.channel import Capabilities, Channel, Outcome, Parcel, load_channels
from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.mail.circuit import Circuit
from amity.broadcast.logic.mail.smtp_relay import Relay
from amity.testing.channels_kit import Rig, check_channel
from amity.testing.smtp_sink import Sink

MODES = {
    "accept": "accept",
    "defer": "defer_rcpt",
    "refuse": "refuse_rcpt",
    "drop_before": "drop_before",
    "drop_after": "drop_after",
    "silent": "silent",
    "busy": "defer_mail",
    "gone": "drop_rcpt",
}


class MailRig(Rig):
    bad_addresses = ("", "nobody", "a@x.example\r\nRCPT TO:<b@x>", "a b@x.example", "<a@x.example>")

    def __init__(self, sink, channel):
        self.sink = sink
        self.channel = channel

    def make_parcel(self, send_id, behaviour):
        content = f"X-Send-Id: {send_id}\r\nSubject: hi\r\n\r\n.one\r\n"
        return Parcel(
            send_id=send_id,
            sender="b@x.example",
            recipient=f"{MODES[behaviour]}.me@x.example",
            content=content.encode(),
        )

    def list_taken(self):
        return [send_id for send_id, _, _ in self.sink.accepted]


async def run(make_channel, **sink_options):
    sink = Sink(**sink_options)
    port = await sink.start()
    relay = Relay(host="127.0.0.1", port=port, patience=0.003)
    try:
        await check_channel(MailRig(sink, make_channel(relay)))
    finally:
        await sink.stop()


def patient(relay):
    # Six kinds of trouble in a row are no reason to leave this server alone.
    return EmailChannel(relay, circuit=Circuit(random.Random(1), failures=100))


@pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME", "SIZE 99999"), ("8BITMIME",)])
@pytest.mark.parametrize("begin", [asyncio.run, uvloop.run])
def test_email_keeps_what_channels_promise(extensions, begin):
    begin(run(patient, extensions=extensions))


class Reckless(Channel):
    """Hands over first and asks afterwards."""

    capabilities = Capabilities(
        title="Reckless", address_kind="email", has_idempotency_key=False, has_receipts=False
    )

    def __init__(self, relay):
        self._real = patient(relay)

    def validate(self, address):
        return self._real.validate(address)

    async def send(self, parcel, gate):
        from amity.broadcast.channel import GateToken

        async def open_gate():
            return GateToken(parcel.send_id)

        outcome = await self._real.send(parcel, open_gate)
        return outcome if await gate() else Outcome(kind="withheld")

    async def close(self):
        await self._real.close()


def test_a_channel_that_asks_too_late_is_found_out():
    with pytest.raises(AssertionError):
        asyncio.run(run(Reckless))


def test_the_folder_is_the_list():
    assert "email" in load_channels().names()
    assert load_channels()["email"] is EmailChannel
