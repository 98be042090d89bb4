"""The analysis engine's standing jobs, run by the worker."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from procrastinate.contrib.django import app

from amity.analysis import api, api_models, api_reports, api_segment_tools
from amity.infra.clock import house_now
from amity.kernel.errors import Unavailable

_log = logging.getLogger(__name__)


@contextmanager
def _waiting_for_warehouse(what: str) -> Iterator[None]:
    """Let work wait for its next turn while nothing is exported yet, or somebody else reads."""
    try:
        yield
    except Unavailable as error:
        _log.info("%s wait: %s", what, error.message)


@app.periodic(cron="22 * * * *")
@app.task(queueing_lock="analysis.note_links", pass_context=False)
def note_links(timestamp: int) -> None:
    """Ask rules about households and companies again, after the store has found these anew."""
    api.note_links()


@app.periodic(cron="20 3 * * *")
@app.task(queueing_lock="analysis.refresh_scores", pass_context=False)
def refresh_scores(timestamp: int) -> None:
    """Fit the estimators and score every customer, each night (UTC)."""
    api.refresh_scores(now=house_now())


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="analysis.learn_new_models", pass_context=False)
def learn_new_models(timestamp: int) -> None:
    """Learn the models somebody has just made."""
    with _waiting_for_warehouse("new models"):
        api_models.learn_new_models(now=house_now())


@app.periodic(cron="35 3 * * *")
@app.task(queueing_lock="analysis.refresh_models", pass_context=False)
def refresh_models(timestamp: int) -> None:
    """Learn the models of what customers will do anew and score everyone, each night (UTC)."""
    with _waiting_for_warehouse("models"):
        api_models.refresh_models(now=house_now())


@app.periodic(cron="5 4 * * *")
@app.task(queueing_lock="analysis.refresh_store_estimates", pass_context=False)
def refresh_store_estimates(timestamp: int) -> None:
    """Make the scores of send time, reductions, satisfaction and referrals, each night (UTC)."""
    with _waiting_for_warehouse("scores of the warehouse"):
        api_models.refresh_store_estimates(now=house_now())


@app.periodic(cron="50 3 * * *")
@app.task(queueing_lock="analysis.keep_reports_warm", pass_context=False)
def keep_reports_warm(timestamp: int) -> None:
    """Have the reports people look at answered anew before they come, each night (UTC)."""
    api_reports.keep_reports_warm(now=house_now())


@app.periodic(cron="5 4 * * *")
@app.task(queueing_lock="analysis.renew_found_segments", pass_context=False)
def renew_found_segments(timestamp: int) -> None:
    """Bring segments of lookalikes and of groups up to date, each night (UTC)."""
    # Each night the same draw of that night, so that a run can be done again.
    api_segment_tools.renew_found_segments(now=house_now(), rng=np.random.default_rng(timestamp))
