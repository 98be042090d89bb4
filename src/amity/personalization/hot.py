"""The personalization engine's door for the edge: decide, log it, answer. No Django.

A request goes: `read_request` → (`check_public`) → `Decider.decide`. Whatever is raised is one of
the kernel's errors; Unavailable means: nothing was decided, ask again.
"""

import asyncio
import logging
import random
import time
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import psycopg

from amity.infra import database
from amity.infra.config import Settings
from amity.kernel.errors import AmityError, NotFound, Unavailable
from amity.kernel.ids import make_uuid7
from amity.personalization.contracts import DecidedItem, Decision, Product
from amity.personalization.logic import products
from amity.personalization.logic.deciding import POLICY_FAILED, decide
from amity.personalization.logic.decision_log import DecisionCommitter, Logged, pack_row
from amity.personalization.logic.facts import Needs, make_stranger
from amity.personalization.logic.profile_cache import Person, ProfileCache, make_person
from amity.personalization.logic.profile_cache_following import Follower
from amity.personalization.logic.profile_cache_loading import PeopleLoader
from amity.personalization.logic.request_reading import Asked, check_public, read_request
from amity.personalization.logic.snapshot import Snapshot, warm_up
from amity.personalization.logic.snapshot_reading import SnapshotShelf

__all__ = ["Asked", "Decider", "DeciderHealth", "check_public", "read_request"]

_log = logging.getLogger(__name__)
_MOST_AGE_SECONDS: Final = 2.0
_SEED_BITS: Final = 63
_MOST_WAIT_SECONDS: Final = 5
_POPULAR: Final = 200
_POPULAR_SECONDS: Final = 30.0


class DeciderHealth(msgspec.Struct, frozen=True):
    """Whether decisions can be made now, what is in the way, and by which snapshot."""

    is_ready: bool
    troubles: list[str]
    snapshot_id: int
    people: int


class _Reply(msgspec.Struct, gc=False, rename="camel"):
    decision_id: UUID
    placement: str
    kind: str
    items: list[DecidedItem]
    reason: str
    fallback: str
    policy: str


class _Known(msgspec.Struct, frozen=True, eq=False):
    """A snapshot with the people loaded for what it looks at: never the one without the other."""

    snapshot: Snapshot
    people: ProfileCache
    stranger: Person


_encode: Final = msgspec.json.Encoder().encode


class Decider:
    """Decides for one process; made inside its event loop."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        conninfo = database.conninfo("app")
        self._settings = settings
        self._rng = rng
        self._committer = DecisionCommitter(conninfo)
        self._loader = PeopleLoader(conninfo)
        self._follower = Follower(conninfo, self._cache, self._see)
        self._shelf = SnapshotShelf()
        self._known: _Known | None = None
        self._reading: asyncio.Task[None] | None = None
        self._popular: list[Product] = []
        self._popular_at = float("-inf")

    async def open(self) -> None:
        """Begin; when the database is away it is waited for, refusing meanwhile."""
        self._committer.start()
        self._loader.start()
        self._follower.start()

    async def close(self) -> None:
        """Write the decisions at hand, then let go of the connections."""
        await self._committer.close()
        await self._follower.close()
        await self._loader.close()
        if self._reading is not None:
            self._reading.cancel()
        database.close_pools()

    def health(self) -> DeciderHealth:
        """Say how deciding is going, from what is known without asking."""
        trouble = self._trouble()
        known = self._known
        return DeciderHealth(
            not trouble,
            [trouble] if trouble else [],
            known.snapshot.snapshot_id if known else 0,
            len(known.people) if known else 0,
        )

    async def decide(self, asked: Asked, *, now: datetime) -> bytes:
        """Decide, and return the JSON to answer with once the decision is in the log.

        Raises NotFound for an unknown placement, Unavailable when it cannot be decided now.
        """
        trouble = self._trouble()
        known = self._known
        if trouble or known is None:
            raise self._unavailable(trouble or "starting")
        place = known.snapshot.places.get(asked.request.placement)
        if place is None:
            raise NotFound(
                f"there is no placement “{asked.request.placement}”", code="unknown_placement"
            )
        person, missing = known.people.find(asked.keys)
        if missing:
            person = await self._loader.load(known.people, missing)
        person = person or known.stranger
        decision = decide(
            known.snapshot,
            person.facts,
            asked.request,
            decision_id=make_uuid7(now, self._rng),
            now=now,
            seed=self._rng.getrandbits(_SEED_BITS),
        )
        if decision.fallback == POLICY_FAILED:
            self._follower.count_trouble(POLICY_FAILED, decision.policy)
        row = pack_row(Logged(decision, place, asked.request, person.packed))
        try:
            is_written = await self._committer.submit(row)
        except AmityError as error:
            raise self._unavailable(error.reason) from error
        if not is_written:
            raise self._unavailable("storage")
        return _reply(decision, is_enabled=place.placement.is_enabled)

    async def list_popular(self) -> list[Product]:
        """Return the products with most buyers, as of half a minute ago; none when not known."""
        now = time.monotonic()
        if now - self._popular_at > _POPULAR_SECONDS:
            self._popular_at = now
            try:
                page = await asyncio.to_thread(
                    products.list_products, search="", cursor=None, limit=_POPULAR
                )
                self._popular = page.items
            except (psycopg.Error, OSError, AmityError) as error:
                _log.warning("the products cannot be read: %s", type(error).__name__)
        return self._popular

    def _trouble(self) -> str:
        """Return what is in the way of deciding, "" when nothing is."""
        if not self._committer.lanes_up:
            return "database_down"
        if self._known is None:
            return "starting"
        if self._follower.age_seconds() > _MOST_AGE_SECONDS:
            return "not_current"
        return ""

    def _unavailable(self, code: str) -> Unavailable:
        """Make a refusal that spreads out when its receivers come back."""
        wait = self._rng.randint(1, _MOST_WAIT_SECONDS)
        return Unavailable(_WORDS.get(code, "ask again"), code=code, retry_after_seconds=wait)

    def _cache(self) -> ProfileCache | None:
        return self._known.people if self._known else None

    def _see(self, snapshot_id: int) -> None:
        """Hear of the newest snapshot, and begin to read it when it is another."""
        held = self._known.snapshot.snapshot_id if self._known else 0
        if snapshot_id != held and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            snapshot = await asyncio.to_thread(self._read_newest)
        except (psycopg.Error, OSError, AmityError) as error:
            _log.warning("a snapshot cannot be read: %s", type(error).__name__)
            return
        except Exception:
            _log.exception("a snapshot cannot be read")
            return
        if snapshot is not None:
            self._take(snapshot)

    def _read_newest(self) -> Snapshot | None:
        with database.transaction() as connection:
            snapshot = self._shelf.newest(connection)
        if snapshot is not None and self._known is not None:
            warm_up(snapshot, self._known.snapshot)
        return snapshot

    def _take(self, snapshot: Snapshot) -> None:
        """Use a snapshot from now on; the people at hand stay while the same is looked at."""
        known = self._known
        if known is not None and _is_alike(known.people.needs, snapshot.needs):
            self._known = _Known(snapshot, known.people, known.stranger)
        else:
            stranger = make_person(make_stranger(snapshot.needs))
            people = ProfileCache(snapshot.needs, self._settings.decide_profiles)
            self._known = _Known(snapshot, people, stranger)


def _is_alike(one: Needs, other: Needs) -> bool:
    return msgspec.structs.replace(one, definition_id=other.definition_id) == other


def _reply(decision: Decision, *, is_enabled: bool) -> bytes:
    return _encode(
        _Reply(
            decision.decision_id,
            decision.placement,
            decision.kind,
            decision.items,
            "" if decision.items else _why_empty(decision, is_enabled=is_enabled),
            decision.fallback,
            decision.policy,
        )
    )


def _why_empty(decision: Decision, *, is_enabled: bool) -> str:
    if not is_enabled:
        return "the placement is switched off"
    if decision.kind == "products":
        return "there is nothing to recommend yet"
    if decision.verdicts:
        return "none of its offers may be shown to this person now"
    return "the placement has no offers"


_WORDS: Final = {
    "database_down": "the database cannot be reached; nothing was decided, ask again",
    "disk_full": "the disk is nearly full; nothing was decided, ask again",
    "starting": "no placements are known yet; ask again in a moment",
    "not_current": "what is known of customers is not current now; ask again",
    "storage": "the decision could not be stored; ask again",
}
