"""`amity worker`: follows the log, runs imports and jobs. `amity up` starts and watches it."""

import asyncio
import logging
import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

import click
import psycopg

from amity.infra.clock import house_now
from amity.infra.config import settings
from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging
from amity.kernel.errors import Unavailable
from amity.kernel.structs import settle_types

if TYPE_CHECKING:
    from amity.analysis.contracts_work import WorkKind

_IDLE_SECONDS: Final = 0.05
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_IMPORT_POLL_SECONDS: Final = 0.5
_PULL_POLL_SECONDS: Final = 1.0
_SITE_POLL_SECONDS: Final = 2.0
_PLAN_POLL_SECONDS: Final = 0.25
_ERASURE_POLL_SECONDS: Final = 5.0
_RETENTION_POLL_SECONDS: Final = 20.0
_TICK_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 5.0
_LOW_PRIORITY: Final = 10
_BESIDE_PRIORITY: Final = 5
_log = logging.getLogger("amity.worker")

Turn = Callable[[], int]


@click.command(hidden=True)
@click.option("--part", type=click.Choice(["consumers", "projections", "all"]), default="all")
def worker(*, part: str) -> None:
    """Follow the log, run imports and jobs, until told to stop.

    `amity up` runs the two parts as processes of their own: what customers wait for, and what is
    kept beside it. In one process they would take turns at a single processor.
    """
    # At once: what is not committed is done again, and nobody is left to start another worker.
    die_with_parent(signal.SIGKILL)
    configure_logging()
    from amity.site.migrate import setup_django

    setup_django()
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    if part == "projections":
        with suppress(OSError):  # before its threads begin, which inherit it
            os.nice(_BESIDE_PRIORITY)
    _load()
    threads: list[threading.Thread] = []
    if part != "projections":
        threads += _start(_waited_for(), stopping)
    if part != "consumers":
        threads += _start(_kept_beside(), stopping)
        threads += _start_warehouse(stopping)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if part == "projections":
        while not stopping.wait(_TICK_SECONDS):
            pass
    else:
        asyncio.new_event_loop().run_until_complete(_run_jobs(stopping))
    for thread in threads:
        thread.join(timeout=_STOP_SECONDS)
    logging.shutdown()
    # A turn that waits for a database that is away would keep the process: its transaction is
    # whole or it is not, so it may end here.
    os._exit(0)


def _load() -> None:
    """Import what the turns call before there are threads, which would trip over each other."""
    from amity.analysis import api, api_reports, api_segment_tools, api_work  # noqa: F401
    from amity.broadcast import api as broadcast  # noqa: F401
    from amity.broadcast import api_campaigns, api_journeys  # noqa: F401
    from amity.personalization import api as personalization  # noqa: F401
    from amity.store import api as store  # noqa: F401
    from amity.store import api_fetching, api_identity, api_outbound, api_plans  # noqa: F401
    from amity.web import erasing  # noqa: F401
    from amity.web.reports import mailing  # noqa: F401
    from amity.web.requests import copying  # noqa: F401
    from amity.web.retention import sweeping  # noqa: F401

    settle_types()


def _waited_for() -> list[tuple[str, Turn, float]]:
    """Return what customers and staff wait for: by name, each turn and its pause."""
    return [
        ("consumers", _follow, _IDLE_SECONDS),
        ("imports", _import, _IMPORT_POLL_SECONDS),
        ("pulls", _pull, _PULL_POLL_SECONDS),
        ("enrichments", _enrich, _PULL_POLL_SECONDS),
        ("mailboxes", _read_mail, _PULL_POLL_SECONDS),
        ("exports", _export, _IMPORT_POLL_SECONDS),
        ("copies", _copy, _PULL_POLL_SECONDS),
        ("site", _read_site, _SITE_POLL_SECONDS),
        ("plans", _plan, _PLAN_POLL_SECONDS),
        ("erasures", _erase, _ERASURE_POLL_SECONDS),
        ("retention", _forget, _RETENTION_POLL_SECONDS),
    ]


def _kept_beside() -> list[tuple[str, Turn, float]]:
    """Return what follows what the consumers wrote: by name, each turn and its pause."""
    from amity.analysis.api_work import LANES

    return [
        ("projections", _project, _IDLE_SECONDS),
        ("scores", _follow_scores, _PULL_POLL_SECONDS),
        ("linkage", _learn, _RETENTION_POLL_SECONDS),
        ("outbound", _Outbound().turn, _PLAN_POLL_SECONDS),
        *((lane, partial(_work, kinds), _IMPORT_POLL_SECONDS) for lane, kinds in LANES.items()),
        ("reports by mail", _mail_reports, _RETENTION_POLL_SECONDS),
    ]


def _start(
    turns: list[tuple[str, Turn, float]], stopping: threading.Event
) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=_repeat, args=(turn, pause, stopping), name=name, daemon=True)
        for name, turn, pause in turns
    ]
    for thread in threads:
        thread.start()
    return threads


def _start_warehouse(stopping: threading.Event) -> list[threading.Thread]:
    if settings().warehouse != "on":
        return []
    thread = threading.Thread(
        target=_keep_warehouse, args=(stopping,), name="warehouse", daemon=True
    )
    thread.start()
    return [thread]


def _follow() -> int:
    """One turn of all consumers, in the order of their layers; how many events it handled."""
    from amity.analysis import api as analysis
    from amity.broadcast import api as broadcast
    from amity.broadcast import api_journeys
    from amity.personalization import api as personalization
    from amity.store import api as store

    # Each looks at the clock itself: what it waits for may be minutes after the one before it.
    handled = store.fold_batch().events
    handled += analysis.follow_batch(now=house_now()).events
    handled += personalization.reward_batch(now=house_now()).events
    handled += broadcast.follow_batch(now=house_now()).events
    handled += api_journeys.step_batch(now=house_now()).events
    return handled


def _plan() -> int:
    """One turn of what follows the clock: campaigns that begin, snapshots, doubtful sends."""
    from amity.broadcast import api_campaigns
    from amity.personalization import api as personalization

    now = house_now()
    handled = int(personalization.publish_snapshot(now=now) is not None)
    return handled + api_campaigns.run_campaigns(now=now)


def _learn() -> int:
    """Learn anew how records are linked, when somebody asked for it."""
    from amity.store import api_identity

    return api_identity.learn_asked(now=house_now())


def _work(kinds: "tuple[WorkKind, ...]") -> int:
    """Do the long work of some kinds that waits longest."""
    import numpy as np

    from amity.analysis import api_work

    return api_work.run_waiting_work(kinds=kinds, now=house_now(), rng=np.random.default_rng())


def _mail_reports() -> int:
    """Mail the saved view that is due longest to those of the staff who want it."""
    from amity.web.reports.mailing import mail_due

    return mail_due(now=house_now())


def _project() -> int:
    """One turn of the store's followers, beside the consumers that customers wait for."""
    from amity.store import api as store
    from amity.store import api_plans

    handled = store.follow(now=house_now())
    handled += api_plans.watch_quality(now=house_now())
    return handled + store.write_consents(now=house_now())


def _follow_scores() -> int:
    """One turn of the scores of those who did something."""
    from amity.analysis import api as analysis

    return analysis.follow_scores(now=house_now()).events


def _erase() -> int:
    """One turn of what erasures leave to do: engines that do not know yet, space to write anew."""
    from amity.web.erasing import work_off_erasures

    return work_off_erasures(now=house_now())


def _forget() -> int:
    """One step of the rules of retention that are due."""
    from amity.web.retention.sweeping import run_due

    return run_due(now=house_now())


class _Outbound:
    """Tells others what they asked to be told; its requests are under way between the turns."""

    def __init__(self) -> None:
        from amity.store import api_outbound

        self._queue_deliveries = api_outbound.queue_deliveries
        self._deliverer = api_outbound.Deliverer(rng=random.Random())  # noqa: S311  # spreads retries

    def turn(self) -> int:
        """Queue what is new and send what is due; how much there was to do."""
        now = house_now()
        queued = self._queue_deliveries(now=now)
        done = self._deliverer.turn(now=now)
        return queued + done.claimed + int(self._deliverer.is_busy)


def _import() -> int:
    from amity.store import api as store

    return store.run_waiting_imports()


def _export() -> int:
    from amity.analysis import api as analysis

    return analysis.run_exports(now=house_now())


def _copy() -> int:
    """One turn of the copies of their data that customers asked for."""
    from amity.web.requests.copying import make_copies

    return make_copies(now=house_now())


def _keep_warehouse(stopping: threading.Event) -> None:
    """Export to the warehouse from time to time, behind everybody else."""
    from amity.web.warehousing import Exporter

    with suppress(OSError):  # Linux has priorities of threads; elsewhere it goes without
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
    pause = settings().warehouse_seconds
    # Not at once: who starts up has better to do.
    stopping.wait(pause)
    _repeat(Exporter().turn, pause, stopping)


def _pull() -> int:
    """One turn of the databases that are due; some pages of each."""
    from amity.store import api_fetching

    return api_fetching.run_due_pulls(now=house_now())


def _enrich() -> int:
    """One turn of those who are asked about customers."""
    from amity.store import api_fetching

    return api_fetching.run_enrichments(now=house_now())


def _read_site() -> int:
    """Read the own site when that is asked for or due; it is slow on purpose."""
    from amity.store import api_fetching

    return api_fetching.read_site(now=house_now())


def _read_mail() -> int:
    """One turn of the mailboxes that are due."""
    from amity.store import api_fetching

    return api_fetching.run_mailboxes(now=house_now())


def _repeat(turn: Turn, idle_seconds: float, stopping: threading.Event) -> None:
    """Call ``turn`` again and again: at once while there is work, with a pause when there is none.

    A database that is away is waited for; any other error is logged and tried again, since a
    consumer puts an event it cannot handle aside by itself.
    """
    pause = _FIRST_PAUSE_SECONDS
    while not stopping.is_set():
        try:
            handled = turn()
        except (Unavailable, psycopg.OperationalError):
            _log.warning("the database is away; trying again")
        except Exception:
            _log.exception("a turn failed; trying again")
        else:
            pause = _FIRST_PAUSE_SECONDS
            if not handled:
                stopping.wait(idle_seconds)
            continue
        stopping.wait(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def _run_jobs(stopping: threading.Event) -> None:
    """Run the job queue until told to stop, whatever it is waiting for at that moment."""
    queue = asyncio.create_task(_keep_jobs_running())
    while not stopping.is_set():
        await asyncio.sleep(_TICK_SECONDS)
    queue.cancel()
    await asyncio.wait([queue], timeout=_STOP_SECONDS)


async def _keep_jobs_running() -> None:
    """Run the job queue; start it again when the database was away."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    assert isinstance(app.connector, DjangoConnector)
    while True:
        jobs = app.with_connector(app.connector.get_worker_connector())
        try:
            async with jobs.open_async():
                await jobs.run_worker_async(
                    install_signal_handlers=False, delete_jobs="successful", concurrency=1
                )
        except Exception:
            _log.warning("the job queue stopped; starting it again")
        await asyncio.sleep(_LONGEST_PAUSE_SECONDS)
