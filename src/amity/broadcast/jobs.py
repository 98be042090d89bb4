"""The broadcast engine's standing jobs, run by the worker."""

from datetime import UTC, datetime

from procrastinate.contrib.django import app

from amity.broadcast import api


@app.periodic(cron="30 4 * * *")
@app.task(queueing_lock="broadcast.keep_house", pass_context=False)
def keep_house(timestamp: int) -> None:
    """Forget messages and local mail that are too old, each night (UTC)."""
    api.keep_house(now=datetime.now(UTC))
