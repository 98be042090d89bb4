"""Doing long work: it tells how far it is, and ends when nobody wants it any more.

While it is done a thread says every few seconds that it still is, hears when somebody stops it, and
ends the query of the database that runs then. What computes here ends at its next step.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

import psycopg

from amity.analysis.logic.working import queue
from amity.infra.database import Connection
from amity.kernel.errors import AmityError, Conflict, Unavailable

T = TypeVar("T")
Tell = Callable[[int, int, str], None]
"""Told at each step: how many are done, of how many, and what comes now."""
_LOOK_SECONDS: Final = 0.5
_JOIN_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 3600.0
_LONGEST_IDLE: Final = "60min"
_CANCEL_SECONDS: Final = 2.0


class Doing:
    """What work is given to tell how far it is; this one tells nobody and is never stopped."""

    def tell(self, step: int, steps: int, what: str = "") -> None:
        """Say that a step begins; raise Conflict when somebody stopped the work."""

    def is_ended(self) -> bool:
        """Say whether nobody wants the result any more."""
        return False

    @contextmanager
    def over(self, connection: Connection) -> Iterator[Connection]:
        """Let queries of a connection take as long as they need, and end when the work does."""
        yield connection


class Watched(Doing):
    """Work that others see and can stop, while the block lasts."""

    def __init__(self, work_id: int, tell: Tell | None = None) -> None:
        self._work_id = work_id
        self._tell = tell
        self._stopped: str | None = None
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._watch, name=f"work {work_id}", daemon=True)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def tell(self, step: int, steps: int, what: str = "") -> None:
        """Write down that a step begins; raise Conflict when somebody stopped the work."""
        said = queue.note_step(self._work_id, step=step, steps=steps, doing=what)
        self._stopped = self._stopped or said
        if self._stopped:
            raise Conflict(self._stopped, code="cancelled")
        if self._tell is not None:
            self._tell(step, steps, what)

    def is_ended(self) -> bool:
        """Say whether nobody wants the result any more, as of half a second ago."""
        return self._stopped is not None

    @property
    def stopped(self) -> str | None:
        """Who stopped it, in words."""
        return self._stopped

    @contextmanager
    def over(self, connection: Connection) -> Iterator[Connection]:
        """Let queries of a connection take as long as they need, and end when the work does.

        Between two queries, too: models are learnt there.
        """
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_LONGEST_IDLE}'")
        with self._lock:
            self._connection = connection
        try:
            yield connection
        finally:
            with self._lock:
                self._connection = None

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            # A database that is away is the work's to hear of.
            with suppress(psycopg.Error, AmityError):
                if said := queue.note_seen(self._work_id):
                    self._stopped = said
                    self._end_query()

    def _end_query(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)


class Task(queue.Wanted, Generic[T], frozen=True, kw_only=True):
    """Work that can be done: what it does, and where its result is."""

    act: Callable[[Doing], T]
    find: Callable[[], T | None]
    """Returns what was found last, as another who did it left it."""


def ask(task: Task[Any], *, by: str, now: datetime) -> int:
    """Have work done by the worker; return its number."""
    return queue.want(task, by=by, now=now)


def do_now(task: Task[T], *, by: str = "", now: datetime, tell: Tell | None = None) -> T:
    """Do work here, seen by all, or wait for whoever is at it; return what was found.

    Raises Conflict when somebody stops it, and what it raises itself.
    """
    work_id = ask(task, by=by, now=now)
    given_up_at = time.monotonic() + _LONGEST_SECONDS
    while queue.take([task.kind], now=now, work_id=work_id) is None:
        state = queue.find(task.kind, task.key)
        if state.wanted_at is None:
            found = task.find()
            if state.error or found is None:
                raise Conflict(state.error or queue.INTERRUPTED, code="not_computed")
            return found
        if time.monotonic() > given_up_at:
            raise Unavailable("somebody else is at it for an hour", code="query_too_long")
        if tell is not None:
            tell(state.step, state.steps, state.doing)
        time.sleep(_JOIN_SECONDS)
    return perform(work_id, task.act, tell)


def perform(work_id: int, act: Callable[[Doing], T], tell: Tell | None = None) -> T:
    """Do work that was begun; what it raises is said to who waits, and raised."""
    doing = Watched(work_id, tell)
    try:
        with doing:
            found = act(doing)
    except (AmityError, psycopg.errors.QueryCanceled) as error:
        refusal = _say(error, stopped=doing.stopped)
        queue.give_up(work_id, error=refusal.message)
        raise refusal from None
    except BaseException as error:
        # Said to who waits, and raised for the log: it is a mistake here, not theirs.
        with suppress(psycopg.Error, AmityError):
            queue.give_up(work_id, error=f"it failed: {type(error).__name__}")
        raise
    queue.finish(work_id)
    return found


def _say(error: AmityError | psycopg.errors.QueryCanceled, *, stopped: str | None) -> AmityError:
    if stopped:
        return Conflict(stopped, code="cancelled")
    if isinstance(error, AmityError):
        return error
    return Unavailable("a query of the database took too long", code="query_too_long")
