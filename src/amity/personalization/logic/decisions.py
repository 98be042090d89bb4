"""Deciding from the database, and reading the log of decisions.

The edge keeps snapshots and people at hand; whoever comes through here (commands, agents, the
sender) has everything loaded for the occasion, many people at once.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from random import SystemRandom
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, database_name, transaction
from amity.kernel.errors import Invalid, NotFound, Unavailable
from amity.kernel.ids import make_uuid7
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.personalization.contracts import (
    DecidedItem,
    DecideRequest,
    Decision,
    DecisionRecord,
    Outcome,
)
from amity.personalization.logic import publishing
from amity.personalization.logic.deciding import POLICY_FAILED
from amity.personalization.logic.deciding import decide as decide_purely
from amity.personalization.logic.decision_log import (
    Kept,
    Logged,
    decode_result,
    log_decisions,
    read_items,
)
from amity.personalization.logic.facts import Facts, encode_facts, make_stranger
from amity.personalization.logic.facts_loading import find_roots, load_facts
from amity.personalization.logic.snapshot import Candidate, Snapshot, decode_verdicts
from amity.personalization.logic.snapshot_reading import ProductIndex, SnapshotShelf
from amity.personalization.logic.troubles import count_troubles
from amity.store import api as store
from amity.store.contracts import IdentifierKind

_SQL: Final = queries.load("amity.personalization")
_KINDS: Final[tuple[IdentifierKind, ...]] = ("user_id", "email", "phone", "anonymous_id")
_MAX_LIMIT: Final = 1000
_SEED_BITS: Final = 62
_random: Final = SystemRandom()
_REQUEST: Final = msgspec.json.Decoder(DecideRequest)

_lock: Final = threading.Lock()
_shelves: Final[dict[str, SnapshotShelf]] = {}


@contextmanager
def borrow_shelf() -> Iterator[SnapshotShelf]:
    """Give this process's shelf of snapshots to one thread at a time."""
    with _lock:
        yield _shelves.setdefault(database_name(), SnapshotShelf())


def decide(
    *,
    request: DecideRequest,
    profile_id: int | None,
    now: datetime,
    seed: int | None,
    is_logged: bool,
) -> Decision:
    """Decide for one person; see `api.decide`."""
    asked = profile_id if profile_id is not None else _identify(request.identifiers)
    with _ready(now) as (connection, snapshot):
        root = find_roots(connection, [asked]).get(asked) if asked is not None else None
        known = _load(connection, snapshot, [] if root is None else [root], now)
        facts = known.get(root) if root is not None else None
        maker = _Maker(snapshot, now)
        decision = maker.decide(facts or make_stranger(snapshot.needs), request, seed)
        if is_logged:
            maker.log(connection)
    return decision


def decide_many(
    *,
    placement: str,
    profile_ids: Sequence[int],
    channel: str,
    context: Mapping[str, Any],
    now: datetime,
) -> dict[int, Decision]:
    """Decide for many people; see `api.decide_many`."""
    request = DecideRequest(placement=placement, context=dict(context), channel=channel)
    with _ready(now) as (connection, snapshot):
        roots = find_roots(connection, sorted(set(profile_ids)))
        known = _load(connection, snapshot, sorted(set(roots.values())), now)
        maker = _Maker(snapshot, now)
        made = {
            asked: maker.decide(
                known.get(roots.get(asked, 0)) or make_stranger(snapshot.needs), request, None
            )
            for asked in dict.fromkeys(profile_ids)
        }
        maker.log(connection)
    return made


def _identify(identifiers: Mapping[str, str]) -> int | None:
    """Return the profile the first known identifier belongs to, the most telling first."""
    for kind in _KINDS:
        value = identifiers.get(kind)
        profile = store.find_profile(kind=kind, value=value) if value else None
        if profile is not None:
            return profile.profile_id
    return None


@contextmanager
def _ready(now: datetime) -> Iterator[tuple[Connection, Snapshot]]:
    """Open a transaction with the newest snapshot, which has what was said before the call."""
    publishing.publish_snapshot(now=now)
    with transaction() as connection:
        with borrow_shelf() as shelf:
            snapshot = shelf.newest(connection)
        if snapshot is None:
            raise Unavailable("nothing has been published yet", code="no_snapshot")
        yield connection, snapshot


def _load(
    connection: Connection, snapshot: Snapshot, profile_ids: list[int], now: datetime
) -> dict[int, Facts]:
    if not profile_ids:
        return {}
    return load_facts(connection, profile_ids=profile_ids, needs=snapshot.needs, now=now)


class _Maker:
    """Makes decisions over one snapshot at one moment, and keeps them for the log."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        self._snapshot = snapshot
        self._now = now
        self._made: list[Logged] = []

    def decide(self, facts: Facts, request: DecideRequest, seed: int | None) -> Decision:
        """Make one decision."""
        decision = decide_purely(
            self._snapshot,
            facts,
            request,
            decision_id=make_uuid7(self._now, _random),
            now=self._now,
            seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
        )
        place = self._snapshot.places[request.placement]
        self._made.append(Logged(decision, place, request, encode_facts(facts)))
        return decision

    def log(self, connection: Connection) -> None:
        """Write down what was decided, and what failed on the way."""
        log_decisions(connection, self._made)
        failed = Counter(
            (POLICY_FAILED, logged.decision.policy)
            for logged in self._made
            if logged.decision.fallback == POLICY_FAILED
        )
        count_troubles(connection, failed, self._now)


def get_decision(*, decision_id: UUID) -> DecisionRecord:
    """Return a logged decision; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        found = _read(connection, {"id": decision_id, "limit": 1})
    if not found:
        raise NotFound(f"there is no decision {decision_id}")
    return found[0]


def list_decisions(
    *,
    placement: str | None,
    profile_ids: Sequence[int] | None,
    fallback_only: bool,
    cursor: str | None,
    limit: int,
) -> Page[DecisionRecord]:
    """Return a page of decisions, the latest first; see `api.list_decisions`."""
    if limit < 1:
        raise Invalid("a page has at least one row", code="bad_limit")
    limit = min(limit, _MAX_LIMIT)
    wanted: dict[str, Any] = {
        "placement": placement,
        "profile_ids": None if profile_ids is None else list(profile_ids),
        "fallback_only": fallback_only,
        "limit": limit + 1,
    }
    if placement is not None and "\0" in placement:
        return Page([])
    if cursor is not None:
        wanted["at"], wanted["before"] = decode_cursor(cursor, (datetime, UUID))
    with transaction("readonly") as connection:
        found = _read(connection, wanted)
    more, found = len(found) > limit, found[:limit]
    last = found[-1].decision if more else None
    return Page(found, encode_cursor([last.decided_at, last.decision_id]) if last else None)


_ANY: Final = {
    "id": None,
    "placement": None,
    "profile_ids": None,
    "fallback_only": False,
    "at": None,
    "before": None,
}


def _read(connection: Connection, wanted: Mapping[str, Any]) -> list[DecisionRecord]:
    rows = connection.execute(_SQL["select_decisions"], {**_ANY, **wanted}).fetchall()
    outcomes: dict[UUID, list[Outcome]] = {}
    for decision_id, item, kind, at, value in connection.execute(
        _SQL["select_outcomes"], [[row[0] for row in rows]]
    ):
        outcome = Outcome(item=item, kind=kind, occurred_at=at, value_minor=value)
        outcomes.setdefault(decision_id, []).append(outcome)
    results = [decode_result(row[11]) for row in rows]
    shown = _Shown(connection, rows, results)
    return [
        DecisionRecord(
            decision=Decision(
                decision_id=row[0],
                decided_at=row[1],
                profile_id=row[2],
                placement=row[3],
                kind=row[4],
                channel=row[5],
                snapshot_id=row[6],
                seed=row[7],
                policy=row[8],
                fallback=row[9],
                items=[shown.fill(row, item) for item in read_items(kept, row[9])],
                verdicts=decode_verdicts(kept.verdicts, shown.candidates(row)),
            ),
            request=_REQUEST.decode(row[10]),
            outcomes=outcomes.get(row[0], []),
        )
        for row, kept in zip(rows, results, strict=True)
    ]


class _Shown:
    """What was to be shown: offers as they were when decided, products as they are now."""

    def __init__(
        self,
        connection: Connection,
        rows: Sequence[tuple[Any, ...]],
        results: Sequence[Kept],
    ) -> None:
        products = [
            item.item
            for row, kept in zip(rows, results, strict=True)
            if row[4] == "products"
            for item in kept.items
        ]
        found = connection.execute(_SQL["products_to_show"], [products]) if products else ()
        self._products = ProductIndex({row[0]: (*row[1:],) for row in found})
        self._candidates: dict[int, Mapping[int, Sequence[Candidate]]] = {}
        with borrow_shelf() as shelf:
            for definition_id in {row[13] for row in rows if row[13] is not None}:
                definition = shelf.definition(connection, definition_id)
                self._candidates[definition_id] = definition.candidates

    def candidates(self, row: tuple[Any, ...]) -> Sequence[Candidate]:
        """Return what there was to choose from; nothing when the snapshot is gone."""
        return self._candidates.get(row[13], {}).get(row[12], ())

    def fill(self, row: tuple[Any, ...], item: DecidedItem) -> DecidedItem:
        """Return the item with what was to be shown of it."""
        if row[4] == "products":
            content = self._products.get(item.item)
        else:
            found = (one.content for one in self.candidates(row) if one.key == item.item)
            content = next(found, {})
        return msgspec.structs.replace(item, content=content)
