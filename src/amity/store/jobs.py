"""The store's standing jobs, run by the worker."""

from procrastinate.contrib.django import app

from amity.infra.clock import house_now
from amity.store import api, api_identity, api_plans, api_requests


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="store.keep_house", pass_context=False)
def keep_house(timestamp: int) -> None:
    """Make the log's next partitions and delete copies whose time is over, each hour."""
    api.keep_house()
    api_requests.forget_copies(now=house_now())


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="store.gather_links", pass_context=False)
def gather_links(timestamp: int) -> None:
    """Offer doubtful pairs for review, and make households and companies anew, each hour."""
    now = house_now()
    api_identity.gather_candidates(now=now)
    api_identity.gather_links(now=now)


@app.periodic(cron="27 * * * *")
@app.task(queueing_lock="store.propose_links", pass_context=False)
def propose_links(timestamp: int) -> None:
    """Offer customers that are alike for review: those heard of since, all with all at three."""
    now = house_now()
    api_identity.propose_links(now=now, is_whole=now.hour == 3)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="store.judge_sources", pass_context=False)
def judge_sources(timestamp: int) -> None:
    """Look at what each source sends, every five minutes, and raise alerts."""
    now = house_now()
    api_plans.judge_sources(now=now)
