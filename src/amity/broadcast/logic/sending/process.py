"""A sender as a process, or for one go: which channel it uses is a setting."""

import asyncio
import signal
from typing import Final

import uvloop

from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.mail.smtp_relay import Relay, parse_relay
from amity.broadcast.logic.sending.fence import arm_new_installation
from amity.broadcast.logic.sending.sender import Clock, Sender
from amity.infra.config import Settings, settings

_LOOPBACK: Final = "127.0.0.1"


def relay_of(using: Settings) -> Relay:
    """Return the mail server messages go to: the local mailbox while none is set."""
    if using.smtp_url is None:
        return Relay(host=_LOOPBACK, port=using.mailbox_port, greeting="[127.0.0.1]")
    return parse_relay(using.smtp_url)


def send_due(*, clock: Clock) -> int:
    """Send all that is due now; see `api.send_due`."""

    async def go() -> int:
        sender = Sender(EmailChannel(relay_of(settings())), settings(), clock=clock)
        return await sender.run(until_idle=True)

    return asyncio.run(go())


def run_sender(*, clock: Clock) -> None:
    """Send until told to stop by SIGTERM or SIGINT; see `api.run_sender`."""

    async def go() -> None:
        using = settings()
        sender = Sender(EmailChannel(relay_of(using)), using, clock=clock)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, sender.stop)
        await sender.run()

    arm_new_installation(now=clock())
    uvloop.run(go())
