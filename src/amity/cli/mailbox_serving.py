"""`amity mailbox serve`: the local mailbox that takes all mail.

`amity up` starts it when no mail server is set.
"""

import asyncio
import logging
import signal

import click

from amity.infra.config import settings
from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging


@click.command(hidden=True)
def serve() -> None:
    """Take every message on loopback, until told to stop."""
    die_with_parent(signal.SIGTERM)
    configure_logging()
    # It tells of every command of every message otherwise.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    asyncio.run(_serve())


async def _serve() -> None:
    from amity.broadcast import api

    serving = asyncio.ensure_future(api.serve_mailbox(port=settings().mailbox_port))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled():
        serving.result()
