"""The personalization engine's standing jobs, run by the worker."""

from datetime import UTC, datetime

from procrastinate.contrib.django import app

from amity.personalization import api


@app.periodic(cron="40 3 * * *")
@app.task(queueing_lock="personalization.refresh_recommenders", pass_context=False)
def refresh_recommenders(timestamp: int) -> None:
    """Learn products and what goes with what, each night (UTC)."""
    api.refresh_recommenders(now=datetime.now(UTC))


@app.periodic(cron="10 4 * * *")
@app.task(queueing_lock="personalization.keep_house", pass_context=False)
def keep_house(timestamp: int) -> None:
    """Forget decisions that are too old and what only they needed, each night (UTC)."""
    api.keep_house(now=datetime.now(UTC))
