"""Loading people who are not at hand: all that are asked for at the same time, at once.

The loading itself is the one everybody uses, in threads; here is only who waits for it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.errors import Unavailable
from amity.personalization.logic.facts import Facts
from amity.personalization.logic.facts_loading import load_facts
from amity.personalization.logic.profile_cache import Person, Place, ProfileCache
from amity.personalization.logic.request_reading import Key

_SQL: Final = queries.load("amity.personalization")
_log = logging.getLogger(__name__)
_LANES: Final = 2
_MOST_AT_ONCE: Final = 200
_WAIT_SECONDS: Final = 5.0


class _Wanted(msgspec.Struct, frozen=True, eq=False):
    """One key on its way, for one cache."""

    cache: ProfileCache
    key: Key
    done: "asyncio.Future[Person | None]"


class _Read(msgspec.Struct, frozen=True):
    place: Place
    found: dict[Key, Facts]


class PeopleLoader:
    """Finds people by identifier and loads their facts, many at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._threads = ThreadPoolExecutor(_LANES, thread_name_prefix="people")
        self._coming: dict[tuple[int, Key], _Wanted] = {}
        self._waiting: list[_Wanted] = []
        self._wake = asyncio.Event()
        self._connections: list[Connection | None] = [None] * _LANES
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to serve."""
        self._tasks = [asyncio.create_task(self._serve(lane)) for lane in range(_LANES)]

    async def close(self) -> None:
        """Stop; whoever waits is told so."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail([*self._coming.values()])
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in self._connections:
            if connection is not None:
                connection.close()

    async def load(self, cache: ProfileCache, keys: Sequence[Key]) -> Person | None:
        """Return the owner of the first of these keys that has one, loaded for a cache's needs.

        Raises Unavailable when the database does not say.
        """
        wanted = [self._want(cache, key) for key in keys]
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                for each in wanted:
                    person = await asyncio.shield(each.done)
                    if person is not None:
                        return person
        except TimeoutError as error:
            raise _unavailable() from error
        return None

    def _want(self, cache: ProfileCache, key: Key) -> _Wanted:
        name = (id(cache), key)
        coming = self._coming.get(name)
        if coming is None:
            coming = _Wanted(cache, key, asyncio.get_running_loop().create_future())
            coming.done.add_done_callback(lambda done: done.exception())  # all may have gone
            self._coming[name] = coming
            self._waiting.append(coming)
            self._wake.set()
        return coming

    async def _serve(self, lane: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # let the requests that are ready now come along
            taken = self._take()
            if not taken:
                continue
            try:
                read = await loop.run_in_executor(self._threads, self._read, lane, taken)
            except (psycopg.Error, OSError, Unavailable) as error:
                _log.warning("people cannot be loaded: %s", type(error).__name__)
                self._fail(taken)
            except BaseException:
                self._fail(taken)
                raise
            else:
                self._give(taken, read)

    def _take(self) -> list[_Wanted]:
        """Take what waits for one cache."""
        cache = self._waiting[0].cache if self._waiting else None
        taken = [each for each in self._waiting if each.cache is cache][:_MOST_AT_ONCE]
        chosen = set(map(id, taken))
        self._waiting = [each for each in self._waiting if id(each) not in chosen]
        if not self._waiting:
            self._wake.clear()
        return taken

    def _give(self, taken: list[_Wanted], read: _Read) -> None:
        for each in taken:
            person = each.cache.add(each.key, read.found.get(each.key), read.place)
            self._coming.pop((id(each.cache), each.key), None)
            if not each.done.done():
                each.done.set_result(person)

    def _fail(self, taken: list[_Wanted]) -> None:
        for each in taken:
            self._coming.pop((id(each.cache), each.key), None)
            if not each.done.done():
                each.done.set_exception(_unavailable())

    def _read(self, lane: int, taken: list[_Wanted]) -> _Read:
        """Ask the database, in a thread."""
        connection = self._connections[lane]
        if connection is None or connection.closed:
            connection = self._connections[lane] = psycopg.connect(self._conninfo, autocommit=True)
            connection.execute("SET statement_timeout = '5s'")
        try:
            return _read(connection, taken)
        except BaseException:
            self._connections[lane] = None
            with contextlib.suppress(psycopg.Error):
                connection.close()
            raise


def _read(connection: Connection, taken: list[_Wanted]) -> _Read:
    # The place first: what is read after it can only be newer.
    place = read_place(connection)
    kinds = [each.key[0] for each in taken]
    values = [each.key[1] for each in taken]
    owners = connection.execute(_SQL["hot_owners"], [kinds, values]).fetchall()
    facts: dict[int, Facts] = {}
    if owners:
        facts = load_facts(
            connection,
            profile_ids=sorted({row[2] for row in owners}),
            needs=taken[0].cache.needs,
            now=datetime.now(UTC),  # noqa: TID251  # only how far back to look
        )
    return _Read(place, {(kind, value): facts[i] for kind, value, i in owners if i in facts})


def read_place(connection: Connection) -> Place:
    """Return how far the projections are."""
    row = connection.execute(_SQL["hot_place"]).fetchone()
    assert row is not None
    return Place(*row[:3])


def _unavailable() -> Unavailable:
    return Unavailable("the database cannot be reached now", code="database_down")
