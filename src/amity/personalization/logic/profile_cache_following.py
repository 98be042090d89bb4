"""Keeping what a process has at hand current: it asks what has happened, many times a second."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from amity.infra import queries
from amity.infra.grouping import AsyncConnection, connect
from amity.personalization.logic.profile_cache import Place, ProfileCache

_SQL: Final = queries.load("amity.personalization")
_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 0.08
_ASK_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.3
_CLOSE_SECONDS: Final = 1.0
_FAR: Final = 5_000
"""More than this is not followed person by person."""

Seen = Callable[[int], None]
"""Told the id of the newest snapshot at every look; 0 while there is none."""


class Follower:
    """Follows the projections for a cache, and says when there is a newer snapshot."""

    def __init__(self, conninfo: str, cache: Callable[[], ProfileCache | None], seen: Seen) -> None:
        self._conninfo = conninfo
        self._cache = cache
        self._seen = seen
        self._task: asyncio.Task[None] | None = None
        self._troubles: dict[str, int] = {}
        self._asked_at = float("-inf")
        self._is_closing = False

    def start(self) -> None:
        """Begin; when the database is away it is waited for."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop after the look at hand: to break it off would mean to cancel its query first."""
        self._is_closing = True
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()

    def age_seconds(self) -> float:
        """Return how long ago it was last known what has happened."""
        return time.monotonic() - self._asked_at

    def count_trouble(self, kind: str, name: str) -> None:
        """Count something that went wrong; written down with the next look."""
        key = f"{kind}\0{name}"
        self._troubles[key] = self._troubles.get(key, 0) + 1

    async def _run(self) -> None:
        while not self._is_closing:
            try:
                connection = await connect(self._conninfo)
            except (psycopg.Error, OSError) as error:
                _log.warning("decisions cannot follow the database: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                while not self._is_closing:
                    async with asyncio.timeout(_ASK_SECONDS):
                        await self._look(connection)
                    await asyncio.sleep(_POLL_SECONDS)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("decisions lost sight of the database: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                with contextlib.suppress(psycopg.Error, OSError):
                    await connection.close()

    async def _look(self, connection: AsyncConnection) -> None:
        asked_at = time.monotonic()
        row = await _row(connection, "hot_place")
        place, snapshot_id = Place(*row[:3]), row[3]
        cache = self._cache()
        if cache is not None and cache.place != place:
            await self._go(connection, cache, place)
        self._seen(snapshot_id)
        self._asked_at = asked_at
        if self._troubles:
            await self._write_troubles(connection)

    async def _go(self, connection: AsyncConnection, cache: ProfileCache, place: Place) -> None:
        before = cache.place
        steps = (place.folded - before.folded, place.rewarded - before.rewarded)
        if place.is_behind(before) or max(steps) > _FAR:
            cache.clear(place)
            return
        found = await connection.execute(
            _SQL["hot_changed"],
            {
                "folded": before.folded,
                "folded_to": place.folded,
                "rewarded": before.rewarded,
                "rewarded_to": place.rewarded,
                "erased": before.erased,
            },
        )
        cache.move(place, [each[0] for each in await found.fetchall()])

    async def _write_troubles(self, connection: AsyncConnection) -> None:
        counted, self._troubles = self._troubles, {}
        pairs = [key.split("\0", 1) for key in counted]
        await connection.execute(
            _SQL["hot_troubles"],
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs], list(counted.values())],
        )


async def _row(connection: AsyncConnection, name: str) -> Any:
    return await (await connection.execute(_SQL[name])).fetchone()
