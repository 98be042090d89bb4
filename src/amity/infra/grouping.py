"""Grouping: what several requests ask of the database at the same time is asked at once.

Of writes this is group commit (rule D1): one transaction for all of them, and each is answered
after the commit that holds its work, never before. Two lanes, each with a connection of its own,
take turns: while one waits for the database the other gathers. Requests do not touch connections,
so one that is cancelled cannot harm any (rule D10).
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import psycopg

from amity.kernel.errors import Unavailable

AsyncConnection = psycopg.AsyncConnection[Any]
Work = TypeVar("Work")
Outcome = TypeVar("Outcome")

_log = logging.getLogger(__name__)
LANES: Final = 2
_WORK_SECONDS: Final = 15.0
# Requests are answered by then, though it may still be done: clients give up at about 15.
_ANSWER_SECONDS: Final = 8.0
_CLOSE_SECONDS: Final = 4.0
_RECONNECT_SECONDS: Final = 0.2
_RECONNECT_MOST_SECONDS: Final = 2.0


async def connect(conninfo: str) -> AsyncConnection:
    """Open a connection as the edge uses it: each statement is a transaction."""
    connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    await connection.execute("SET statement_timeout = '10s'")
    return connection


class _Submission(msgspec.Struct, Generic[Work, Outcome], gc=False):
    """The work of one request, waiting for its outcome."""

    work: Work
    done: "asyncio.Future[Outcome]"


class _Lane:
    """One connection's turn."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_stuck = False


class Grouping(ABC, Generic[Work, Outcome]):
    """Takes work from many requests and carries it out together.

    ``who`` names it in the log; ``most`` is how much is carried out at once, as `_weigh` counts it.
    """

    def __init__(self, conninfo: str, *, who: str, most: int) -> None:
        self._conninfo = conninfo
        self._who = who
        self._most = most
        # By whose work it is, in the order of their turns: nobody waits behind all of another's.
        self._waiting: dict[int, deque[_Submission[Work, Outcome]]] = {}
        self._wake = asyncio.Event()
        self._lanes = [_Lane(number) for number in range(LANES)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        # How many lanes have a connection that answers: with none, nothing can be done.
        self.lanes_up = 0

    @abstractmethod
    async def _carry_out(
        self, connection: AsyncConnection, lane: int, works: Sequence[Work]
    ) -> Sequence[Outcome]:
        """Do it, and commit; return an outcome for each piece of work, in their order."""

    def _weigh(self, work: Work) -> int:  # for those whose works differ
        """Say how much of what is carried out at once a piece of work is."""
        return 1

    def _owner(self, work: Work) -> int:  # for those whose works are of several
        """Say whose work it is; owners take turns."""
        return 0

    async def _opened(self, connection: AsyncConnection) -> None:
        """Get to know the database behind a new connection."""

    def _landed(self, lane: int) -> None:
        """Let go of what a lane held for its works, whether it went well or not."""

    def start(self) -> None:
        """Start the lanes; they connect, and connect again, by themselves."""
        self._tasks = [asyncio.create_task(self._run(lane)) for lane in self._lanes]

    async def close(self) -> None:
        """Carry out what is waiting, then stop."""
        self._closing = True
        self._wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
        self._fail_waiting()

    def submit(self, work: Work) -> "asyncio.Future[Outcome]":
        """Carry out one request's work together with that of others; its outcome is to be awaited.

        Raises Unavailable, at once or when awaited, when that is not known to have happened.
        """
        if self._closing or not self.lanes_up:
            raise Unavailable("the database cannot be reached now", code="database_down")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(self._owner(work), deque()).append(_Submission(work, done))
        self._wake.set()
        return done

    def _take(self) -> list[_Submission[Work, Outcome]]:
        """Take what is waiting, as much as is carried out at once.

        Also work whose sender has gone meanwhile: it may have gone on purpose.
        """
        taken: list[_Submission[Work, Outcome]] = []
        weight = 0
        while self._waiting and weight < self._most:
            owner = next(iter(self._waiting))
            theirs = self._waiting.pop(owner)
            taken.append(theirs.popleft())
            weight += self._weigh(taken[-1].work)
            if theirs:
                self._waiting[owner] = theirs  # at the end: the others' turn comes first
        if not self._waiting and not self._closing:
            self._wake.clear()
        return taken

    async def _run(self, lane: _Lane) -> None:
        pause = _RECONNECT_SECONDS
        while not self._closing:
            try:
                connection = await connect(self._conninfo)
            except (psycopg.Error, OSError) as error:
                _log.warning("%s cannot reach the database: %s", self._who, type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RECONNECT_MOST_SECONDS)
                continue
            pause = _RECONNECT_SECONDS
            self.lanes_up += 1
            try:
                await self._opened(connection)
                await self._serve(connection, lane)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("%s lost a connection: %s", self._who, type(error).__name__)
            finally:
                self.lanes_up -= 1
                if not self.lanes_up:
                    self._fail_waiting()
                with contextlib.suppress(psycopg.Error, OSError):
                    await connection.close()

    async def _serve(self, connection: AsyncConnection, lane: _Lane) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # let the requests that are ready now come along
            taken = self._take()
            if not taken:
                if self._closing:
                    return
                continue
            give_up = asyncio.get_running_loop().call_later(
                _ANSWER_SECONDS, self._give_up, lane, taken
            )
            try:
                async with asyncio.timeout(_WORK_SECONDS):
                    works = [submission.work for submission in taken]
                    outcomes = await self._carry_out(connection, lane.number, works)
            except BaseException as error:
                _fail(taken, _code_of(error))
                if not isinstance(error, Unavailable | psycopg.Error) or connection.broken:
                    raise
                _log.warning("%s: the database refused: %s", self._who, type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                for submission, outcome in zip(taken, outcomes, strict=True):
                    if not submission.done.done():
                        submission.done.set_result(outcome)
            finally:
                give_up.cancel()
                if lane.is_stuck:
                    lane.is_stuck = False
                    self.lanes_up += 1
                self._landed(lane.number)

    def _give_up(self, lane: _Lane, taken: list[_Submission[Work, Outcome]]) -> None:
        """Answer those whose work takes too long, though it may still be done."""
        lane.is_stuck = True
        self.lanes_up -= 1
        _fail(taken)
        if not self.lanes_up:
            self._fail_waiting()

    def _fail_waiting(self) -> None:
        while self._waiting:
            _fail(self._take())


def _code_of(error: BaseException) -> str:
    return "disk_full" if isinstance(error, psycopg.errors.DiskFull) else "database_down"


def _fail(taken: Sequence[_Submission[Any, Any]], code: str = "database_down") -> None:
    for submission in taken:
        if not submission.done.done():
            submission.done.set_exception(
                Unavailable("the database cannot do it now; try again", code=code)
            )
