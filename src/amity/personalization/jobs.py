"""The personalization engine's standing jobs, run by the worker."""

from procrastinate.contrib.django import app

from amity.infra.clock import house_now
from amity.personalization import api


@app.periodic(cron="40 3 * * *")
@app.task(queueing_lock="personalization.refresh_recommenders", pass_context=False)
def refresh_recommenders(timestamp: int) -> None:
    """Learn products and what goes with what, each night (UTC)."""
    api.refresh_recommenders(now=house_now())
