"""`amity worker`: follows the log, runs imports and jobs. `amity up` starts and watches it."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Final

import click
import psycopg

from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging
from amity.kernel.errors import Unavailable

_IDLE_SECONDS: Final = 0.05
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_IMPORT_POLL_SECONDS: Final = 0.5
_log = logging.getLogger("amity.worker")

Turn = Callable[[], int]


@click.command(hidden=True)
def worker() -> None:
    """Follow the log, run imports and jobs, until told to stop."""
    die_with_parent()
    configure_logging()
    from amity.site.migrate import setup_django

    setup_django()
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    threads = [
        threading.Thread(target=_repeat, args=(turn, pause, stopping), name=name, daemon=True)
        for name, turn, pause in (
            ("consumers", _follow, _IDLE_SECONDS),
            ("imports", _import, _IMPORT_POLL_SECONDS),
        )
    ]
    for thread in threads:
        thread.start()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    asyncio.run(_run_jobs(stopping))
    for thread in threads:
        thread.join(timeout=10)


def _follow() -> int:
    """One turn of all consumers, in the order of their layers; how many events it handled."""
    from amity.analysis import api as analysis
    from amity.store import api as store

    folded = store.fold_batch()
    followed = analysis.follow_batch(now=datetime.now(UTC))
    return folded.events + followed.events


def _import() -> int:
    from amity.store import api as store

    return store.run_waiting_imports()


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
    """Run the job queue until told to stop; start again when the database was away."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    assert isinstance(app.connector, DjangoConnector)
    while not stopping.is_set():
        with_worker = app.with_connector(app.connector.get_worker_connector())
        try:
            async with with_worker.open_async():
                running = asyncio.create_task(
                    with_worker.run_worker_async(
                        install_signal_handlers=False, delete_jobs="successful", concurrency=1
                    )
                )
                while not stopping.is_set() and not running.done():
                    await asyncio.sleep(0.1)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        except Exception:
            _log.exception("the job queue stopped; starting it again")
        for _ in range(20):
            if stopping.is_set():
                return
            await asyncio.sleep(0.1)
