"""What the collector must know to let senders in: their keys, and how the house is doing.

One connection of its own asks every second. What it asks for is small and bounded, so a busy
house can afford it.
"""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import disks, queries
from amity.infra.grouping import AsyncConnection, connect
from amity.kernel.errors import Unavailable
from amity.store.contracts import Source
from amity.store.logic.intake.rows import Counts, count_arguments
from amity.store.logic.intake.secret_book import SecretBook
from amity.store.logic.plans.checking import PlanBook
from amity.store.logic.plans.rows import plan_of

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger(__name__)
_TICK_SECONDS: Final = 1.0
_PARTITIONS_EVERY_SECONDS: Final = 3600.0
_ASK_SECONDS: Final = 5.0
_UNKNOWN_SECONDS: Final = 1.0
_MOST_UNKNOWN: Final = 10_000


class Limits(msgspec.Struct, frozen=True):
    """What the watch compares with: the folder whose disk counts, the reserve, the longest lag."""

    folder: Path
    disk_reserve_bytes: int
    max_lag_seconds: int


class Watch:
    """Keys of sources, disk, lag, and the counts of what was refused."""

    def __init__(self, conninfo: str, limits: Limits) -> None:
        self._conninfo = conninfo
        self._limits = limits
        self._connection: AsyncConnection | None = None
        self._lock = asyncio.Lock()
        self._sources: dict[str, Source] = {}
        self._secrets = SecretBook()
        self._plan_rows: list[Any] = []
        self.plans = PlanBook()
        self._unknown: dict[str, float] = {}
        self._refreshed_at = float("-inf")
        self._failed_at = float("-inf")
        self._partitions_at = float("-inf")
        self._refused: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.lag_seconds = 0.0
        self.is_disk_low = False

    async def open(self) -> None:
        """Look around once, then go on every second."""
        await self._tick()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, after writing down the last refusals."""
        if self._task is not None:
            self._task.cancel()
        await self._tick()
        if self._connection is not None:
            await self._connection.close()

    def known_source(self, write_key: str) -> Source | None:
        """Return the source of a write key, if that is known without asking."""
        return self._sources.get(write_key)

    async def find_source(self, write_key: str) -> Source | None:
        """Return the source of a write key, also of one that was made a moment ago.

        Raises Unavailable when a key is not known and the database cannot be asked.
        """
        source = self._sources.get(write_key)
        if source is not None:
            return source
        now = time.monotonic()
        if now - self._unknown.get(write_key, float("-inf")) < _UNKNOWN_SECONDS:
            return None
        async with self._lock:
            # Whoever waited for the lock may be answered by what another has asked since; with a
            # database that is silent they would else wait for it one after the other.
            if self._failed_at > now:
                raise _unavailable()
            if self._refreshed_at <= now:
                await self._guarded(self._refresh)
        source = self._sources.get(write_key)
        if source is None:
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[write_key] = now
        return source

    def find_secrets(self, source_id: int, dialect: str) -> tuple[bytes, ...]:
        """Return what a source's requests in a dialect may be signed with, a second old at most."""
        return self._secrets.find(source_id, dialect)

    def find_public_source(self, name: str) -> Source | None:
        """Return the enabled browser source of that name, else the oldest one, if there is any."""
        sources = self._sources.values()
        public = [each for each in sources if each.kind == "browser" and each.is_enabled]
        return min(public, key=lambda each: (each.name != name, each.source_id), default=None)

    def find_server_source(self) -> Source | None:
        """Return the oldest enabled server source, if there is any."""
        sources = self._sources.values()
        found = [each for each in sources if each.kind == "server" and each.is_enabled]
        return min(found, key=lambda each: each.source_id, default=None)

    def refuse(self, source_id: int, events: int) -> None:
        """Count events that were not let in; written down within a second."""
        self._refused[source_id] = self._refused.get(source_id, 0) + events

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self._tick()

    async def _tick(self) -> None:
        self.is_disk_low = disks.is_low(self._limits.folder, self._limits.disk_reserve_bytes)
        async with self._lock:
            with contextlib.suppress(Unavailable):
                await self._guarded(self._look)

    async def _guarded(self, ask: Any) -> None:
        """Ask over the connection, made anew when it is gone; raise Unavailable when it fails."""
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                if self._connection is None or self._connection.closed:
                    self._connection = await connect(self._conninfo)
                await ask(self._connection)
        except (psycopg.Error, OSError, TimeoutError) as error:
            _log.warning("the watch cannot ask the database: %s", type(error).__name__)
            self._failed_at = time.monotonic()
            broken, self._connection = self._connection, None
            if broken is not None:
                await broken.close()
            raise _unavailable() from error

    async def _refresh(self, connection: AsyncConnection) -> None:
        asked_at = time.monotonic()
        rows = await (await connection.execute(_SQL["list_keys"])).fetchall()
        found = [Source(**dict(zip(Source.__struct_fields__, row, strict=True))) for row in rows]
        self._sources = {source.write_key: source for source in found}
        self._secrets.read(await (await connection.execute(_SQL["hook_secrets"])).fetchall())
        plans = await (await connection.execute(_SQL["live_plans"])).fetchall()
        if plans != self._plan_rows:
            self._plan_rows, self.plans = plans, PlanBook(map(plan_of, plans))
        self._refreshed_at = asked_at

    async def _look(self, connection: AsyncConnection) -> None:
        await self._refresh(connection)
        if time.monotonic() - self._partitions_at > _PARTITIONS_EVERY_SECONDS:
            await connection.execute(_SQL["ensure_partitions"])
            self._partitions_at = time.monotonic()
        row = await (await connection.execute(_SQL["log_lag"])).fetchone()
        self.lag_seconds = row[0] if row else 0.0
        if self._refused:
            refused, self._refused = self._refused, {}
            counts = {source_id: Counts(refused=n) for source_id, n in refused.items()}
            try:
                await connection.execute(_SQL["add_counts"], count_arguments(counts))
            except psycopg.Error:
                for source_id, events in refused.items():
                    self.refuse(source_id, events)
                raise


def _unavailable() -> Unavailable:
    return Unavailable("the database cannot be reached now", code="database_down")
