"""Group commit: what several requests bring at the same time becomes one transaction (rule D1).

Two lanes, each with a connection of its own, take turns: while one waits for its commit the
other gathers. A request is answered after the commit that holds its events, never before.
Requests do not touch connections, so one that is cancelled cannot harm any (rule D10).
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.kernel.errors import Unavailable
from amity.store.logic.appending_rows import (
    Key,
    Rejected,
    Row,
    Sorted,
    count_arguments,
    count_rest,
    key_arguments,
    pack_rows,
    quarantine_arguments,
    sort_rows,
)

AsyncConnection = psycopg.AsyncConnection[Any]

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger(__name__)
_LANES: Final = 2
_MOST_ROWS: Final = 10_000
_RECENT_KEYS: Final = 200_000
_LOOK_FIRST: Final = 8
_ATTEMPTS: Final = 8
_WRITE_SECONDS: Final = 15.0
# Senders are answered by then, though the write may still go through: clients give up at about 15.
_ANSWER_SECONDS: Final = 8.0
_CLOSE_SECONDS: Final = 4.0
_RECONNECT_SECONDS: Final = 0.2
_RECONNECT_MOST_SECONDS: Final = 2.0


async def connect(conninfo: str) -> AsyncConnection:
    """Open a connection as the collector uses it: each statement is a transaction."""
    connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    await connection.execute("SET statement_timeout = '10s'")
    return connection


class DatabaseClock:
    """The database's time without asking it each time, whatever this machine's clock says."""

    def __init__(self) -> None:
        self._zero: datetime | None = None

    async def set(self, connection: AsyncConnection) -> None:
        """Read the database's time."""
        row = await (await connection.execute(_SQL["database_time"])).fetchone()
        assert row is not None
        self._zero = row[0].astimezone(UTC) - timedelta(seconds=time.monotonic())

    def now(self) -> datetime:
        """Return the time in the database."""
        assert self._zero is not None
        return self._zero + timedelta(seconds=time.monotonic())


class RecentKeys:
    """The keys written last, so that most repetitions are told without asking the database.

    Two generations: the older one is forgotten whole when the newer is full.
    """

    def __init__(self, most: int = _RECENT_KEYS) -> None:
        self._most = most // 2
        self._new: dict[Key, int] = {}
        self._old: dict[Key, int] = {}

    def get(self, key: Key) -> int | None:
        """Return the payload hash of a key written lately."""
        found = self._new.get(key)
        return self._old.get(key) if found is None else found

    def has_none_of(self, keys: Mapping[Key, int]) -> bool:
        """Say whether all keys are new."""
        return self._new.keys().isdisjoint(keys) and self._old.keys().isdisjoint(keys)

    def update(self, keys: Mapping[Key, int]) -> None:
        """Remember keys that are in the log."""
        if len(self._new) > self._most:
            self._old, self._new = self._new, {}
        self._new.update(keys)


class _Submission(msgspec.Struct, gc=False):
    """The events of one request, waiting for their commit."""

    rows: Sequence[Row]
    rejected: Sequence[Rejected]
    done: "asyncio.Future[Sorted]"


class _Lane:
    """One connection's turn: the keys it is writing, and the moment it has."""

    def __init__(self) -> None:
        self.keys: dict[Key, int] = {}
        self.landed = asyncio.Event()
        self.is_stuck = False

    def is_writing(self, keys: Mapping[Key, int]) -> bool:
        """Say whether one of these keys is being written."""
        return not self.keys.keys().isdisjoint(keys)

    def land(self) -> None:
        """Let go of the keys and wake who waits for them."""
        self.keys = {}
        self.landed.set()


class GroupCommitter:
    """Takes events from many requests and writes them in few transactions."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._waiting: deque[_Submission] = deque()
        self._wake = asyncio.Event()
        self._recent = RecentKeys()
        self._lanes = [_Lane() for _ in range(_LANES)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._look_first = 0
        self._clock = DatabaseClock()
        # How many lanes have a connection that answers: with none, nothing can be written.
        self.lanes_up = 0

    def start(self) -> None:
        """Start the lanes; they connect, and connect again, by themselves."""
        self._tasks = [asyncio.create_task(self._run(lane)) for lane in self._lanes]

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._closing = True
        self._wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
        _fail(self._take())

    async def write(self, rows: Sequence[Row], rejected: Sequence[Rejected]) -> Sorted:
        """Write one request's events; return when they are committed.

        Raises Unavailable when that is not known to have happened: to send them again is safe.
        """
        if self._closing or not self.lanes_up:
            raise Unavailable("the database cannot be reached now", code="database_down")
        done: asyncio.Future[Sorted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Submission(rows, rejected, done))
        self._wake.set()
        return await done

    def _take(self) -> list[_Submission]:
        """Take what is waiting, as much as one transaction should hold.

        Events whose sender has gone meanwhile are written too: it may have gone on purpose.
        """
        taken: list[_Submission] = []
        rows = 0
        while self._waiting and rows < _MOST_ROWS:
            taken.append(self._waiting.popleft())
            rows += len(taken[-1].rows)
        if not self._waiting and not self._closing:
            self._wake.clear()
        return taken

    async def _run(self, lane: _Lane) -> None:
        pause = _RECONNECT_SECONDS
        while not self._closing:
            try:
                connection = await connect(self._conninfo)
            except (psycopg.Error, OSError) as error:
                _log.warning("the collector cannot reach the database: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RECONNECT_MOST_SECONDS)
                continue
            pause = _RECONNECT_SECONDS
            self.lanes_up += 1
            try:
                await self._clock.set(connection)
                await self._serve(connection, lane)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("the collector lost a connection: %s", type(error).__name__)
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
                async with asyncio.timeout(_WRITE_SECONDS):
                    results = await self._write(connection, lane, taken)
            except BaseException as error:
                _fail(taken, _code_of(error))
                if not isinstance(error, Unavailable | psycopg.Error) or connection.broken:
                    raise
                _log.warning("a write to the log failed: %s", type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                for submission, result in zip(taken, results, strict=True):
                    if not submission.done.done():
                        submission.done.set_result(result)
            finally:
                give_up.cancel()
                if lane.is_stuck:
                    lane.is_stuck = False
                    self.lanes_up += 1
                lane.land()

    def _give_up(self, lane: _Lane, taken: list[_Submission]) -> None:
        """Answer those whose write takes too long; what they send again is told apart later."""
        lane.is_stuck = True
        self.lanes_up -= 1
        _fail(taken)
        if not self.lanes_up:
            self._fail_waiting()

    def _fail_waiting(self) -> None:
        while self._waiting:
            _fail(self._take())

    async def _write(
        self, connection: AsyncConnection, lane: _Lane, taken: list[_Submission]
    ) -> list[Sorted]:
        rows = [row for submission in taken for row in submission.rows]
        for _ in range(_ATTEMPTS):
            lane.land()
            if self._look_first:
                self._look_first -= 1
                await self._look(connection, rows)
            results = await self._sort(taken, lane)
            try:
                await self._store(connection, _join(results))
            except psycopg.errors.UniqueViolation:
                # Something comes again that is not remembered; more of it may follow.
                self._look_first = _LOOK_FIRST
            except psycopg.errors.CheckViolation:
                await connection.execute(_SQL["ensure_partitions"])
                await self._clock.set(connection)
            else:
                self._recent.update(lane.keys)
                return results
        raise Unavailable("the events cannot be stored now", code="storage")

    async def _look(self, connection: AsyncConnection, rows: list[Row]) -> None:
        found = await connection.execute(_SQL["find_keys"], key_arguments(rows))
        self._recent.update(
            {(source_id, key.bytes): payload async for source_id, key, payload in found}
        )

    async def _sort(self, taken: list[_Submission], lane: _Lane) -> list[Sorted]:
        """Sort what was taken, and reserve its new keys for a lane.

        While another lane writes one of them it waits: that one decides what these are.
        """
        while True:
            here = {row.key: row.payload_hash for each in taken for row in each.rows}
            rows = sum(len(each.rows) for each in taken)
            if len(here) == rows and self._recent.has_none_of(here):
                results = [Sorted(list(each.rows), [], []) for each in taken]
            else:
                here = {}
                results = [sort_rows(each.rows, self._recent, here) for each in taken]
            busy = next((each for each in self._lanes if each.is_writing(here)), None)
            if busy is None:
                break
            busy.landed.clear()
            await busy.landed.wait()
        for submission, result in zip(taken, results, strict=True):
            result.rejected.extend(submission.rejected)
        lane.keys = here
        return results

    async def _store(self, connection: AsyncConnection, whole: Sorted) -> None:
        counts = count_rest(whole)
        if not counts:
            await self._copy(connection, whole.fresh, self._clock.now())
            return
        async with connection.transaction():
            now = self._clock.now()
            await self._copy(connection, whole.fresh, now)
            if whole.rejected:
                arguments = quarantine_arguments(whole.rejected, now)
                await connection.execute(_SQL["quarantine_events"], arguments)
            await connection.execute(_SQL["add_counts"], count_arguments(counts))

    async def _copy(self, connection: AsyncConnection, rows: list[Row], now: datetime) -> None:
        if rows:
            async with connection.cursor().copy(_SQL["copy_events"]) as copy:
                await copy.write(pack_rows(rows, now))


def _join(results: list[Sorted]) -> Sorted:
    return Sorted(
        [row for result in results for row in result.fresh],
        [row for result in results for row in result.duplicates],
        [item for result in results for item in result.rejected],
    )


def _code_of(error: BaseException) -> str:
    return "disk_full" if isinstance(error, psycopg.errors.DiskFull) else "database_down"


def _fail(taken: list[_Submission], code: str = "database_down") -> None:
    for submission in taken:
        if not submission.done.done():
            submission.done.set_exception(
                Unavailable("the events could not be stored now; send them again", code=code)
            )
