"""The store's door for the edge: take in events, and answer once they are committed. No Django.

A request goes: `is_room_for` → `split` → `find_source` → `admit` → `append`. Whatever is raised
is one of the kernel's errors; Unavailable means: nothing is known to be stored, send it again.

The functions for public links block until the database has answered: call them in a thread.
"""

import asyncio
import random
import time
from collections import Counter
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import msgspec

from amity.infra import database
from amity.infra.config import Settings
from amity.kernel.errors import AmityError, Unavailable
from amity.store.contracts import Receipt, Source
from amity.store.dialect import Call, Dialect, Reply, Taken, dialects
from amity.store.logic.consent.choices import (
    read_preferences,
    request_preference_link,
    state_choices,
)
from amity.store.logic.consent.pausing import pause_messages
from amity.store.logic.consent.purposes import list_asked
from amity.store.logic.consent.reading import make_consent_receipt
from amity.store.logic.consent.subscribing import (
    A_NETWORK,
    confirm_subscription,
    request_subscription,
)
from amity.store.logic.identity.rules import normalize_identifier
from amity.store.logic.intake import privacy_signal
from amity.store.logic.intake.admission import TokenBucket, retry_after_seconds
from amity.store.logic.intake.appending import SystemEvent
from amity.store.logic.intake.calls import CALL, pack_call
from amity.store.logic.intake.group import Brought, EventCommitter
from amity.store.logic.intake.parsing import BadEvent, is_plain, parse_object, read_instant
from amity.store.logic.intake.privacy_signal import support_document
from amity.store.logic.intake.reading import Incoming, read_request
from amity.store.logic.intake.rows import (
    Rejected,
    Row,
    make_receipt,
    read_row,
    reject,
)
from amity.store.logic.intake.tracking import record_tracked
from amity.store.logic.intake.watch import Limits, Watch
from amity.store.logic.intake.wire import (
    BATCH,
    MAX_EVENTS,
    Request,
    split_request,
)
from amity.store.logic.profiles.claims_reading import find_memory, remember
from amity.store.logic.requests.asking import ask_for, confirm_asked, find_asked, take_copy

__all__ = [
    "A_NETWORK",
    "BATCH",
    "CALL",
    "MAX_EVENTS",
    "BadEvent",
    "Call",
    "Collector",
    "Dialect",
    "Health",
    "Held",
    "Incoming",
    "Reply",
    "Request",
    "SystemEvent",
    "Taken",
    "ask_for",
    "confirm_asked",
    "confirm_subscription",
    "dialects",
    "find_asked",
    "find_memory",
    "is_plain",
    "list_asked",
    "make_consent_receipt",
    "normalize_identifier",
    "pack_call",
    "parse_object",
    "pause_messages",
    "read_instant",
    "read_preferences",
    "record_tracked",
    "remember",
    "request_preference_link",
    "request_subscription",
    "split_request",
    "state_choices",
    "support_document",
    "take_copy",
]

_MOST_SIGNALLED: Final = 50_000
_BUSY_WAIT_SECONDS: Final = 1.0
_TROUBLE_WAIT_SECONDS: Final = 3.0


class Health(msgspec.Struct, frozen=True):
    """Whether events can be taken in now, and what is in the way."""

    is_ready: bool
    troubles: list[str]
    lag_seconds: float


class Held(NamedTuple):
    """Bytes of one request that count as held, and whose they are (0: not yet known)."""

    source_id: int
    size_bytes: int


class Collector:
    """Takes events in for one process; made inside its event loop."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        conninfo = database.conninfo("app")
        limits = Limits(settings.data, settings.disk_reserve_bytes, settings.max_lag_seconds)
        self._settings = settings
        self._rng = rng
        self._committer = EventCommitter(conninfo)
        self._watch = Watch(conninfo, limits)
        self._buckets: dict[int, TokenBucket] = {}
        self._signalled: dict[tuple[int, privacy_signal.Person], date] = {}
        self._held_bytes: Counter[int] = Counter()
        self._writing_bytes: dict[int, int] = {}
        self._disk_full_until = 0.0

    async def open(self) -> None:
        """Begin; when the database is away the collector waits for it, refusing meanwhile."""
        self._committer.start()
        await self._watch.open()

    async def close(self) -> None:
        """Write what was accepted, then let go of the connections."""
        await self._committer.close()
        await self._watch.close()

    def health(self) -> Health:
        """Say how the collector is doing, from what it knows without asking."""
        trouble = self._trouble()
        return Health(not trouble, [trouble] if trouble else [], self._watch.lag_seconds)

    def _trouble(self) -> str:
        """Return what is in the way of taking events in, "" when nothing is."""
        watch = self._watch
        if not self._committer.lanes_up:
            return "database_down"
        if watch.is_disk_low or time.monotonic() < self._disk_full_until:
            return "disk_full"
        if watch.lag_seconds > self._settings.max_lag_seconds:
            return "behind"
        return ""

    def unavailable(self, code: str, wait_seconds: float = _TROUBLE_WAIT_SECONDS) -> Unavailable:
        """Make a refusal that spreads out when its receivers come back."""
        return Unavailable(
            _WORDS.get(code, "try again"),
            code=code,
            retry_after_seconds=retry_after_seconds(wait_seconds, self._rng),
        )

    def hold(self, size_bytes: int, source: Source | None = None) -> Held:
        """Count a request's bytes as held until `release`; raise Unavailable when it cannot be.

        A source that has requests here may hold half of all that may be held: the other half is
        for the others, from the first byte on. Senders not yet known count as one source.
        """
        trouble = self._trouble()
        if trouble:
            raise self.unavailable(trouble)
        most, source_id = self._settings.max_inflight_bytes, source.source_id if source else 0
        own = self._held_bytes[source_id]
        if self._held_bytes.total() + size_bytes > most or (own and own + size_bytes > most // 2):
            raise self.unavailable("busy", _BUSY_WAIT_SECONDS)
        self._held_bytes[source_id] += size_bytes
        return Held(source_id, size_bytes)

    def release(self, held: Held) -> None:
        """Forget bytes that were held."""
        self._held_bytes[held.source_id] -= held.size_bytes
        if not self._held_bytes[held.source_id]:
            del self._held_bytes[held.source_id]

    async def find_source(self, write_key: str) -> Source | None:
        """Return the source a write key belongs to; it may be disabled.

        A key that was made a moment ago is known at once. Raises Unavailable when an unknown
        key cannot be looked up.
        """
        try:
            return await self._watch.find_source(write_key)
        except Unavailable as error:
            raise self.unavailable("database_down") from error

    def known_source(self, write_key: str) -> Source | None:
        """Return the source a write key belongs to, if that is known without asking."""
        return self._watch.known_source(write_key)

    def source_secrets(self, source: Source, dialect: Dialect) -> tuple[bytes, ...]:
        """Return what the requests of a source in a dialect may be signed with, the newest first.

        None when it has no secret; two while one is being replaced. At most a second old.
        """
        return self._watch.find_secrets(source.source_id, dialect.name)

    def find_public_source(self, name: str) -> Source | None:
        """Return the enabled browser source of that name, else the oldest one, if there is any.

        The write key of such a source is public by nature.
        """
        return self._watch.find_public_source(name)

    def find_server_source(self) -> Source | None:
        """Return the oldest enabled server source, if there is any."""
        return self._watch.find_server_source()

    def admit(self, source: Source) -> None:
        """Raise Unavailable while the source has sent more than its share."""
        wait = self._bucket(source).wait_seconds(time.monotonic())
        if wait:
            raise self.unavailable("too_many_events", wait)

    def _bucket(self, source: Source) -> TokenBucket:
        bucket = self._buckets.get(source.source_id)
        if bucket is None:
            rate = float(self._settings.key_events_per_second)
            bucket = self._buckets[source.source_id] = TokenBucket(rate, time.monotonic())
        return bucket

    def charge(self, source: Source) -> None:
        """Count a request that brings no events as one, in what the source may send."""
        self._bucket(source).take(1)

    def refuse(self, source: Source, events: int = 1) -> None:
        """Count what was not let in."""
        self._watch.refuse(source.source_id, events)

    async def append(self, source: Source, request: Request, incoming: Incoming) -> Receipt:
        """Store a request's events; return what became of each, after the commit.

        Raises Unavailable when the source has half of all that may be held waiting already: the
        other half is for the others.
        """
        self._bucket(source).take(len(request.events))
        size = sum(map(len, request.events))
        waiting = self._writing_bytes.get(source.source_id, 0) + size
        if waiting > self._settings.max_inflight_bytes // 2:
            self.refuse(source, len(request.events))
            raise self.unavailable("busy", _BUSY_WAIT_SECONDS)
        self._writing_bytes[source.source_id] = waiting
        try:
            return await self._append(source, request, incoming)
        finally:
            self._writing_bytes[source.source_id] -= size

    async def _append(self, source: Source, request: Request, incoming: Incoming) -> Receipt:
        rows, rejected = read_request(
            source.source_id,
            request,
            incoming,
            most_bytes=self._settings.max_event_bytes,
            plans=self._watch.plans,
        )
        if incoming.is_private and rows and source.kind == "browser":
            return await self._write_private(source, rows, rejected)
        return await self._write(source, rows, rejected)

    async def _write_private(
        self, source: Source, rows: list[Row], rejected: list[Rejected]
    ) -> Receipt:
        """Store rows of who sends the privacy signal, and once a day that they do.

        The receipt is about what was sent; what the signal says is stored before it is given out.
        """
        day = datetime.now(UTC).date()  # noqa: TID251  # as the edge would
        person = privacy_signal.find_person(rows[0].type, rows[0].body)
        purposes = self._settings.gpc_purposes.replace(",", " ").split()
        if person is None or not purposes or self._signalled.get((source.source_id, person)) == day:
            return await self._write(source, rows, rejected)
        said = privacy_signal.opt_out(person, purposes, day)
        receipt, _ = await asyncio.gather(
            self._write(source, rows, rejected),
            self._write(source, [read_row(0, source.source_id, said)], []),
        )
        if len(self._signalled) >= _MOST_SIGNALLED:
            self._signalled.clear()
        self._signalled[source.source_id, person] = day
        return receipt

    async def quarantine(
        self, source: Source, body: bytes, fault: BadEvent, incoming: Incoming
    ) -> None:
        """Keep a whole request that could not even be split."""
        whole = reject(0, source.source_id, body, fault, kind=incoming.kind)
        await self._write(source, [], [whole])

    async def _write(self, source: Source, rows: list[Row], rejected: list[Rejected]) -> Receipt:
        if not rows and not rejected:
            return Receipt(accepted=0, duplicate=0, quarantined=0)
        try:
            result = await self._committer.submit(Brought(rows, rejected))
        except AmityError as error:
            self.refuse(source, len(rows) + len(rejected))
            if error.reason == "disk_full":
                self._disk_full_until = time.monotonic() + _TROUBLE_WAIT_SECONDS
            raise self.unavailable(error.reason) from error
        return make_receipt(len(result.fresh), len(result.duplicates), result.rejected)


_WORDS: Final = {
    "database_down": "the database cannot be reached; nothing was stored, send it again",
    "disk_full": "the disk is nearly full; nothing was stored, send it again",
    "behind": "the events received so far are still being worked through; send it again",
    "busy": "too much is being received at once; send it again",
    "too_many_events": "this write key sends more events a second than it may; send it again",
    "too_many_signups": "too many signed up from there; try again later",
    "storage": "the events could not be stored; send them again",
}
