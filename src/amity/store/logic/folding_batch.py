"""A batch of events in memory: whose each is, what it changes, what is to be written.

One look-up finds the owners of all identifiers of the batch, one load brings the profiles they
lead to; then the events are taken one by one, in the order of the log, so that the result does
not depend on where a batch begins and ends.
"""

from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.store.contracts import SYSTEM_SOURCE_ID, Consent, OrderSummary, SourceKind
from amity.store.logic.consent import CONSENT_EVENTS
from amity.store.logic.decoding import DecodedEvent, decode_event
from amity.store.logic.fold import (
    Happening,
    Origin,
    State,
    begin,
    combine,
    fold,
    name_of,
    properties_of,
    retire,
    time_of,
)
from amity.store.logic.fold_orders import ORDER_EVENTS, Order, OrderTotals, read_order
from amity.store.logic.folding_memory import Memory
from amity.store.logic.folding_pack import ActivityRow, IdentifierRow
from amity.store.logic.identity import (
    UNDONE,
    Block,
    Evidence,
    Graph,
    Join,
    Key,
    Member,
    Owner,
    list_evidence,
    list_lookups,
    resolve,
)

_SQL = queries.load("amity.store")
MERGED: Final = "Profile Merged"
UNMERGED: Final = "Profile Unmerged"
MARKER: Final = "system"
"""The type of activities that say what happened to the profile itself."""

_SLOTS: Final = 5
_ORIGINS: Final = msgspec.json.Decoder(dict[str, Origin])
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
_TRAITS: Final = msgspec.json.Decoder(dict[str, Any])
_COUNTS: Final = msgspec.json.Decoder(dict[str, int])
_ORDERS: Final = msgspec.json.Decoder(tuple[OrderSummary, ...])


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """One event as it lies in the log."""

    event_id: int
    xid: str
    received_at: datetime
    source_id: int
    type: str
    message_id: str
    sent_at: datetime | None
    body: bytes


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One event of a batch, decoded; ``position`` is set when it was folded before."""

    row: LogRow
    kind: SourceKind
    event: DecodedEvent
    evidence: list[Evidence]
    position: int | None = None


class MergeRow(msgspec.Struct, frozen=True, gc=False):
    """One join or refusal to be recorded."""

    merge_id: int
    event_id: int
    join: Join
    occurred_at: datetime
    source_id: int
    before: dict[str, int]


def decode_entry(row: LogRow, kind: SourceKind, position: int | None = None) -> Entry:
    """Decode one event of the log, and find the identifiers in it."""
    is_system = kind == "system"
    event = decode_event(
        row.type,
        row.body,
        message_id=row.message_id,
        sent_at=row.sent_at,
        is_system=is_system,
    )
    return Entry(row, kind, event, [] if is_system else list_evidence(event), position)


class Batch:
    """The working set of one batch, and what came of it."""

    def __init__(self, connection: Connection, memory: Memory, *, position: int) -> None:
        self.connection = connection
        self.memory = memory
        self.position = position
        self.home_currency = settings().currency
        self.states: dict[int, State] = {}
        self.changed: set[int] = set()
        self.made: set[int] = set()
        self.losers: dict[int, int] = {}
        self.activities: list[ActivityRow] = []
        self.identifiers: list[IdentifierRow] = []
        self.merges: list[MergeRow] = []
        self.aside: list[Entry] = []
        self.orders: dict[int, list[Order]] = {}
        self.order_donors: dict[int, list[int]] = {}
        self.names: Counter[str] = Counter()
        self.graph = Graph()
        self._undone_ids: set[int] = set()
        self._refused: set[tuple[int, int, Key]] = set()

    def load(self, entries: list[Entry]) -> None:
        """Read whatever the events lead to: owners, profiles, joins that were undone."""
        blocks = self.connection.execute(_SQL["load_blocks"]).fetchall()
        self._undone_ids = {row[3] for row in blocks}
        self.graph = Graph(Block(*row[:3]) for row in blocks)
        self._load_owners({key for entry in entries for key in list_lookups(entry.evidence)})
        ids = {owner.profile_id for owner in self.graph.owners.values()}
        ids.update(entry.event.profile_id for entry in entries if entry.event.profile_id)
        ids.update(row[0] for row in blocks)
        ids.update(row[1] for row in blocks)
        self.load_profiles(ids)

    def _load_owners(self, keys: set[Key]) -> None:
        owners, remembered = self.graph.owners, self.memory.owners
        missing = []
        for key in keys:
            owner = remembered.get(key)
            if owner is None:
                missing.append(key)
            else:
                owners[key] = owner
        if missing:
            rows = self.connection.execute(
                _SQL["find_owners"],
                [[key.kind for key in missing], [key.value for key in missing]],
                binary=True,
            )
            for kind, value, *owner_of in rows:
                owners[Key(kind, value)] = Owner(*owner_of)

    def load_profiles(self, ids: set[int]) -> None:
        """Load profiles and whatever they were merged into."""
        wanted = ids - self.states.keys()
        while wanted:
            missing = []
            for profile_id in wanted:
                state = self.memory.states.get(profile_id)
                if state is None:
                    missing.append(profile_id)
                else:
                    self._hold(state)
            if missing:
                for row in self.connection.execute(_SQL["load_states"], [missing], binary=True):
                    self._hold(state_of(row))
            wanted = {
                state.merged_into
                for profile_id in wanted
                if (state := self.states.get(profile_id)) and state.merged_into is not None
            } - self.states.keys()

    def _hold(self, state: State) -> None:
        self.states[state.profile_id] = state
        self.graph.members[state.profile_id] = Member(
            state.user_id, state.identifier_count, state.merged_into
        )

    def apply(self, entry: Entry) -> None:
        """Take one event: find its profile, fold it in, note what is to be written."""
        at = time_of(entry.event, entry.row.received_at)
        if entry.kind == "system":
            named = entry.event.profile_id
            if named not in self.graph.members or named is None:
                return  # that customer was erased
            base, origin = self.graph.root(named), named
        elif not entry.evidence:
            self.aside.append(entry)
            return
        else:
            base, origin = self._identify(entry, at)
        self._record(entry, at, base, origin)

    def _identify(self, entry: Entry, at: datetime) -> tuple[int, int]:
        event_id, source_id = entry.row.event_id, entry.row.source_id
        found = resolve(self.graph, entry.evidence, event_id)
        if found.is_new:
            self.states[found.profile_id] = begin(found.profile_id, at)
            self.made.add(found.profile_id)
        for join in found.joins:
            self._join(join, entry, at)
        for key in found.attached:
            self.identifiers.append(
                IdentifierRow(key, found.profile_id, found.origin_id, source_id, event_id, at)
            )
        if found.attached:
            self.changed.add(found.profile_id)
        return found.profile_id, found.origin_id

    def _join(self, join: Join, entry: Entry, at: datetime) -> None:
        winner, loser = join.winner_id, join.loser_id
        before: dict[str, int] = {}
        if join.refusal:
            mark = (winner, loser, join.key)
            if join.refusal == UNDONE or mark in self._refused:
                return
            self._refused.add(mark)
        else:
            one, other = self.states[winner], self.states[loser]
            before = {"winner_events": one.event_count, "loser_events": other.event_count}
            self._merge(one, other)
            if entry.position is None:
                self._mark_merge(join, entry, at)
        merge_id = entry.row.event_id * 10 + join.slot
        if merge_id in self._undone_ids:
            merge_id += _SLOTS
        self.merges.append(
            MergeRow(merge_id, entry.row.event_id, join, at, entry.row.source_id, before)
        )

    def _merge(self, winner: State, loser: State) -> None:
        winner_id, loser_id = winner.profile_id, loser.profile_id
        self.states[winner_id] = combine(winner, loser)
        self.states[loser_id] = retire(loser, winner_id)
        self.changed.update((winner_id, loser_id))
        self.losers[loser_id] = winner_id
        if loser_id in self.orders:
            self.orders.setdefault(winner_id, []).extend(self.orders.pop(loser_id))
        if not ORDER_EVENTS.isdisjoint(loser.event_counts):
            donors = self.order_donors.setdefault(winner_id, [])
            donors += [loser_id, *self.order_donors.pop(loser_id, [])]

    def _mark_merge(self, join: Join, entry: Entry, at: datetime) -> None:
        properties = {"loser_id": join.loser_id, "kind": join.key.kind, "value": join.key.value}
        self.mark(join.winner_id, MERGED, properties, row=entry.row, at=at)

    def mark(
        self, profile_id: int, name: str, properties: dict[str, Any], *, row: LogRow, at: datetime
    ) -> None:
        """Add an activity that says what happened to a profile itself."""
        self.position += 1
        self.activities.append(
            ActivityRow(
                position=self.position,
                profile_id=profile_id,
                origin_id=profile_id,
                event_id=row.event_id,
                xid=int(row.xid),
                source_id=SYSTEM_SOURCE_ID,
                occurred_at=at,
                received_at=row.received_at,
                type=MARKER,
                name=name,
                properties=properties,
                context={},
            )
        )
        self.states[profile_id] = msgspec.structs.replace(
            self.states[profile_id], version=self.position
        )
        self.changed.add(profile_id)

    def _record(self, entry: Entry, at: datetime, base: int, origin: int) -> None:
        row, event, position = entry.row, entry.event, entry.position
        if position is None:
            self.position += 1
            position = self.position
        name, properties = name_of(event), properties_of(event)
        self.names[name] += 1
        self.activities.append(
            ActivityRow(
                position=position,
                profile_id=base,
                origin_id=origin,
                event_id=row.event_id,
                xid=int(row.xid),
                source_id=row.source_id,
                occurred_at=at,
                received_at=row.received_at,
                type=event.type,
                name=name,
                properties=properties,
                context=event.context,
            )
        )
        if entry.kind == "system" and name not in CONSENT_EVENTS:
            return
        happening = Happening(
            event_id=row.event_id,
            position=position,
            source_id=row.source_id,
            source_kind=entry.kind,
            occurred_at=at,
            name=name,
            event=event,
        )
        self.states[base] = fold(self.states[base], happening)
        self.changed.add(base)
        if name in ORDER_EVENTS and event.type == "track" and entry.kind != "system":
            order = read_order(
                name,
                properties,
                event_id=row.event_id,
                at=at,
                home_currency=self.home_currency,
            )
            self.orders.setdefault(base, []).append(order)

    def root(self, profile_id: int) -> int:
        """Follow merges to the profile that lives on."""
        return self.graph.root(profile_id)


def state_of(row: tuple[Any, ...]) -> State:
    """Make a state of a row of the query `load_states`."""
    (profile_id, merged_into, user_id, traits, origins, consents, first_seen_at, last_seen_at) = (
        row[:8]
    )
    return State(
        profile_id=profile_id,
        merged_into=merged_into,
        user_id=user_id,
        traits=_TRAITS.decode(traits),
        origins=_ORIGINS.decode(origins),
        consents=_CONSENTS.decode(consents),
        first_seen_at=first_seen_at,
        last_seen_at=last_seen_at,
        event_count=row[8],
        event_counts=_COUNTS.decode(row[9]),
        orders=OrderTotals(row[10], row[11], row[12], row[13], _ORDERS.decode(row[14])),
        identifier_count=row[15],
        version=row[16],
    )
