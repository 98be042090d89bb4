"""The collector's group commit: many requests' events in one transaction, each of them once.

A message id that came before is told apart from a new one, also while the first is being written.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.grouping import LANES, AsyncConnection, Grouping
from amity.kernel.errors import Unavailable
from amity.store.logic.intake.rows import (
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

_SQL: Final = queries.load("amity.store")
_MOST_ROWS: Final = 10_000
_RECENT_KEYS: Final = 200_000
_LOOK_FIRST: Final = 8
_ATTEMPTS: Final = 8


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


class Brought(msgspec.Struct, frozen=True, gc=False):
    """The events of one request."""

    rows: Sequence[Row]
    rejected: Sequence[Rejected]


class _Claim:
    """The keys one lane is writing."""

    def __init__(self) -> None:
        self.keys: dict[Key, int] = {}
        self.landed = asyncio.Event()

    def is_writing(self, keys: Mapping[Key, int]) -> bool:
        """Say whether one of these keys is being written."""
        return not self.keys.keys().isdisjoint(keys)

    def land(self) -> None:
        """Let go of the keys and wake who waits for them."""
        self.keys = {}
        self.landed.set()


class EventCommitter(Grouping[Brought, Sorted]):
    """Takes events from many requests and writes each of them once, in few transactions."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo, who="the collector", most=_MOST_ROWS)
        self._recent = RecentKeys()
        self._claims = [_Claim() for _ in range(LANES)]
        self._look_first = 0
        self._clock = DatabaseClock()

    def _weigh(self, work: Brought) -> int:
        return len(work.rows)

    def _owner(self, work: Brought) -> int:
        one = work.rows[0] if work.rows else work.rejected[0]
        return one.source_id

    async def _opened(self, connection: AsyncConnection) -> None:
        await self._clock.set(connection)

    def _landed(self, lane: int) -> None:
        self._claims[lane].land()

    async def _carry_out(
        self, connection: AsyncConnection, lane: int, works: Sequence[Brought]
    ) -> Sequence[Sorted]:
        claim = self._claims[lane]
        rows = [row for work in works for row in work.rows]
        for _ in range(_ATTEMPTS):
            claim.land()
            if self._look_first:
                self._look_first -= 1
                await self._look(connection, rows)
            results = await self._sort(works, claim)
            try:
                await self._store(connection, _join(results))
            except psycopg.errors.UniqueViolation:
                # Something comes again that is not remembered; more of it may follow.
                self._look_first = _LOOK_FIRST
            except psycopg.errors.CheckViolation:
                await connection.execute(_SQL["ensure_partitions"])
                await self._clock.set(connection)
            else:
                self._recent.update(claim.keys)
                return results
        raise Unavailable("the events cannot be stored now", code="storage")

    async def _look(self, connection: AsyncConnection, rows: list[Row]) -> None:
        found = await connection.execute(_SQL["find_keys"], key_arguments(rows))
        self._recent.update(
            {(source_id, key.bytes): payload async for source_id, key, payload in found}
        )

    async def _sort(self, works: Sequence[Brought], claim: _Claim) -> list[Sorted]:
        """Sort what was brought, and reserve its new keys for a lane.

        While another lane writes one of them it waits: that one decides what these are.
        """
        while True:
            here = {
                (row.source_id, row.digest): row.payload_hash for each in works for row in each.rows
            }
            rows = sum(len(each.rows) for each in works)
            if len(here) == rows and self._recent.has_none_of(here):
                results = [Sorted(list(each.rows), [], []) for each in works]
            else:
                here = {}
                results = [sort_rows(each.rows, self._recent, here) for each in works]
            busy = next((each for each in self._claims if each.is_writing(here)), None)
            if busy is None:
                break
            busy.landed.clear()
            await busy.landed.wait()
        for work, result in zip(works, results, strict=True):
            result.rejected.extend(work.rejected)
        claim.keys = here
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
