"""`amity sender`: sends what is due. `amity up` starts as many of them as AMITY_SENDERS says."""

import logging
import os
import signal
from datetime import UTC, datetime

import click

from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging


@click.command(hidden=True)
def sender() -> None:
    """Send what is due, until told to stop."""
    die_with_parent(signal.SIGTERM)
    configure_logging()
    from amity.broadcast import api

    api.run_sender(clock=lambda: datetime.now(UTC))
    logging.shutdown()
    # A thread that waits for a database that is away would keep the process; what it knows is in
    # the ledger, or will be found there as unknown.
    os._exit(0)
