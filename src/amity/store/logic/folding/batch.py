"""A batch of events in memory: whose each is, what it changes, what is to be written.

One look-up finds the owners of all identifiers of the batch, one load brings the profiles they
lead to; then the events are taken one by one, in the order of the log, so that the result does
not depend on where a batch begins and ends.
"""

from collections import Counter
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.store.contracts import SYSTEM_SOURCE_ID, Consent, OrderSummary, SourceKind
from amity.store.logic.folding.evidence import EvidenceBook, Pair, Seen, pairs_of
from amity.store.logic.folding.fold import (
    FOLDED_SYSTEM_EVENTS,
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
from amity.store.logic.folding.memory import Memory
from amity.store.logic.folding.orders import ORDER_EVENTS, Order, OrderTotals, read_order
from amity.store.logic.folding.pack import ActivityRow, IdentifierRow
from amity.store.logic.identity.resolving import resolve
from amity.store.logic.identity.rules import (
    PREVIOUS,
    UNDONE,
    Block,
    Evidence,
    Graph,
    Join,
    Key,
    Limits,
    Member,
    Owner,
    Resolution,
    list_evidence,
    list_lookups,
)
from amity.store.logic.intake.decoding import DecodedEvent, decode_event
from amity.store.logic.profiles.survivorship import Words
from amity.store.logic.profiles.survivorship_rules import read_rules

_SQL = queries.load("amity.store")
MERGED: Final = "Profile Merged"
UNMERGED: Final = "Profile Unmerged"
JOINED: Final = "Profiles Joined"
CONFIRMED: Final = "Identifier Confirmed"
SPLIT: Final = "Profile Split"
UNSPLIT: Final = "Profile Split Undone"
MARKER: Final = "system"
"""The type of activities that say what happened to the profile itself."""

_SLOTS: Final = 5
_ENDS: Final = 2
_DEVICE: Final = 3
_ORIGINS: Final = msgspec.json.Decoder(dict[str, Origin])
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
_TRAITS: Final = msgspec.json.Decoder(dict[str, Any])
_WORDS: Final = msgspec.json.Decoder(Words)
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
    way: str = "event"


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
        is_checked=True,
    )
    if is_system:
        way = _WAYS.get(event.name, "event")
        told = way != "event" or not event.profile_id
        evidence = _read_tie(event.properties) if told else []
        return Entry(row, kind, event, evidence, position, way)
    evidence = list_evidence(event, is_proof=kind == "server", blocked=blocked_values())
    return Entry(row, kind, event, evidence, position)


_WAYS: Final = {JOINED: "manual", CONFIRMED: "confirmed"}


def _read_tie(properties: dict[str, Any]) -> list[Evidence]:
    """Return the two identifiers that an event of Amity's own says are one person's.

    A single one is only whom it is about: it proves nothing.
    """
    named = properties.get("identifiers", [])
    found = []
    for slot, (kind, value) in zip((1, 3), named, strict=False):
        place = 0 if kind == "user_id" and slot == 1 else slot
        found.append(Evidence(place, Key(kind, value), len(named) == _ENDS))
    return found


def blocked_values() -> frozenset[str]:
    """Return the values that identify nobody here, besides those that never do."""
    return _split(settings().identity_blocked)


@cache
def _split(text: str) -> frozenset[str]:
    return frozenset(value.strip().lower() for value in text.split(",") if value.strip())


def limits() -> Limits:
    """Return how much one profile may hold here."""
    held = settings()
    return Limits(
        identifiers=held.identity_max_identifiers,
        emails=held.identity_max_emails,
        phones=held.identity_max_phones,
        logins=held.identity_place_logins,
    )


def _look_ups(entries: list[Entry]) -> tuple[set[Key], set[Pair]]:
    """Return the identifiers and the pairs of them that events may ask for."""
    keys: set[Key] = set()
    pairs: set[Pair] = set()
    for entry in entries:
        evidence = entry.evidence
        if len(evidence) == 1 and evidence[0].slot == _DEVICE:
            keys.add(evidence[0].key)
        else:
            keys.update(list_lookups(evidence))
            pairs.update(pairs_of(evidence))
    return keys, pairs


class Batch:
    """The working set of one batch, and what came of it."""

    def __init__(
        self, connection: Connection, memory: Memory, *, position: int, is_settled: bool = False
    ) -> None:
        self.connection = connection
        self.memory = memory
        self.position = position
        self.is_settled = is_settled
        self.stirred: set[int] = set()
        self.raised: set[Key] = set()
        self.undone: dict[tuple[Key, Key], None] = {}
        self.evidence = EvidenceBook(memory.pairs)
        self.home_currency = settings().currency
        self.rules = read_rules(connection)
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
        self.graph = Graph((Block(*row[:3]) for row in blocks), limits())
        self.graph.is_settled = self.is_settled
        places = self.connection.execute(_SQL["load_places"])
        self.graph.places = {Key(kind, value) for kind, value in places}
        keys, pairs = _look_ups(entries)
        self.evidence.load(self.connection, pairs)
        self.graph.cuts = {pair: held.cut for pair, held in self.evidence.known.items() if held.cut}
        self._load_owners(keys)
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
            user_id=state.user_id,
            identifier_count=state.identifier_count,
            merged_into=state.merged_into,
            email_count=state.email_count,
            phone_count=state.phone_count,
            is_known=state.is_known,
            is_contested=state.is_contested,
        )

    def apply(self, entry: Entry) -> None:
        """Take one event: find its profile, fold it in, note what is to be written."""
        at = time_of(entry.event, entry.row.received_at)
        if self._is_by_hand(entry):
            if not any(item.key in self.graph.owners for item in entry.evidence):
                return  # both were erased
            base, origin = self._identify(entry, at)
        elif entry.kind == "system" and entry.event.profile_id:
            named = entry.event.profile_id
            if named not in self.graph.members:
                return  # that customer was erased
            base, origin = self.graph.root(named), named
        elif not entry.evidence:
            self.aside.append(entry)
            return
        else:
            base, origin = self._identify(entry, at)
        self._record(entry, at, base, origin)

    def _is_by_hand(self, entry: Entry) -> bool:
        """Say whether an event joins two by hand, and that was not undone."""
        if entry.way == "event" or len(entry.evidence) != _ENDS:
            return False
        merge_id = entry.row.event_id * 10 + entry.evidence[1].slot
        return merge_id not in self._undone_ids

    def _identify(self, entry: Entry, at: datetime) -> tuple[int, int]:
        event_id, source_id = entry.row.event_id, entry.row.source_id
        by_hand = entry.way != "event"
        found = resolve(self.graph, entry.evidence, event_id, by_hand=by_hand)
        if found.is_new:
            self.states[found.profile_id] = begin(found.profile_id, at)
            self.made.add(found.profile_id)
        for join in found.joins:
            self._join(join, entry, at)
        for key in found.attached:
            is_stated = self.graph.owners[key].is_stated
            self.identifiers.append(
                IdentifierRow(
                    *(key, found.profile_id, found.origin_id, source_id, event_id, at, is_stated)
                )
            )
        if found.attached or found.raised:
            self.changed.add(found.profile_id)
            self.raised.update(found.raised)
        if found.ties or found.joins:
            self._note(found, entry, at)
        return found.profile_id, found.origin_id

    def _note(self, found: Resolution, entry: Entry, at: datetime) -> None:
        """Keep what the event shows, and whether all evidence around has to be weighed anew."""
        if self.is_settled:
            for tie in found.ties:
                if tie.cut == UNDONE:
                    self.undone[tie.hub.key, tie.item.key] = None
            return
        row, origin_id, is_news = entry.row, found.origin_id, False
        for tie in found.ties:
            way = "alias" if tie.item.slot == PREVIOUS else entry.way
            if not self.evidence.tells_nothing(tie, at, way):
                seen = Seen(at, row.received_at, row.source_id, row.event_id, origin_id, way)
                is_news |= self.evidence.see(tie, seen)
            if tie.cut:
                self.graph.cuts.setdefault((tie.hub.key, tie.item.key), tie.cut)
                self.changed.add(found.profile_id)
        for join in found.joins:
            if join.refusal:
                self.changed.update((self.root(join.winner_id), self.root(join.loser_id)))
        if is_news and (found.stirs or self.graph.members[found.profile_id].is_contested):
            self.stirred.add(found.profile_id)

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
        self.states[winner_id] = combine(winner, loser, self.rules)
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
        if entry.kind == "system" and name not in FOLDED_SYSTEM_EVENTS:
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
        self.states[base] = fold(self.states[base], happening, self.rules)
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
        email_count=row[17],
        phone_count=row[18],
        is_known=row[19],
        is_contested=row[20],
        words=_WORDS.decode(row[21]),
    )
