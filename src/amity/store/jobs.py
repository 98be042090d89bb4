"""The store's standing jobs, run by the worker."""

from procrastinate.contrib.django import app

from amity.store import api


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="store.keep_house", pass_context=False)
def keep_house(timestamp: int) -> None:
    """Make the log's next partitions and forget what need not be kept, each hour."""
    api.keep_house()
    api.forget_deliveries()
