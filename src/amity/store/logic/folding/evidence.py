"""The evidence of a batch: which identifiers were seen together, kept beside what came of it.

A pair is written when it is new, when it turns out to be older or proven, and once on every day it
is seen again; what was written lately is remembered, so that returning visitors cost nothing.
"""

from datetime import date, datetime
from hashlib import blake2b
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.logic.folding.pack import EdgeRow, pack_edges
from amity.store.logic.identity.rules import PREVIOUS, Evidence, Key, Tie

_SQL: Final = queries.load("amity.store")
Pair = tuple[Key, Key]
_BY_EVENTS: Final = frozenset({"event", "alias"})


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """What is known of a pair."""

    first_seen_at: datetime
    last_seen_on: date
    is_proof: bool
    cut: str


class Seen(msgspec.Struct, frozen=True, gc=False):
    """Where a tie was seen: what a new row says besides the pair."""

    at: datetime
    received_at: datetime
    source_id: int
    event_id: int
    origin_id: int
    way: str


class EvidenceBook:
    """The pairs a batch touches, as they are known and as they are to be written."""

    def __init__(self, remembered: dict[Pair, Sighting]) -> None:
        self.remembered = remembered
        self.known: dict[Pair, Sighting] = {}
        self._first: dict[Pair, Seen] = {}
        self._touched: dict[Pair, None] = {}
        self._keys: dict[Pair, str] = {}

    def load(self, connection: Connection, pairs: set[Pair]) -> None:
        """Read what is known of these pairs and not remembered."""
        missing: list[Pair] = []
        for pair in pairs:
            held = self.remembered.get(pair)
            if held is None:
                missing.append(pair)
            else:
                self.known[pair] = held
        if missing:
            # One text: an array of many values is slow to put together.
            self._keys = {pair: edge_key(pair) for pair in missing}
            keys = ",".join(self._keys.values())
            rows = connection.execute(_SQL["find_edges"], [keys], binary=True)
            for number, *columns in rows:
                self.known[missing[number - 1]] = Sighting(*columns)

    def tells_nothing(self, tie: Tie, at: datetime, way: str) -> bool:
        """Say whether all that a tie shows is known: so it is of most that are seen again."""
        held = self.known.get((tie.hub.key, tie.item.key))
        return (
            held is not None
            and held.first_seen_at <= at
            and held.last_seen_on >= at.date()
            and (held.is_proof or not (tie.hub.is_proof and tie.item.is_proof))
            and way in _BY_EVENTS
        )

    def see(self, tie: Tie, seen: Seen) -> bool:
        """Note a tie; say whether it is news to identity: new, older, or proven now."""
        pair = (tie.hub.key, tie.item.key)
        is_proof = tie.hub.is_proof and tie.item.is_proof
        on = seen.at.date()
        held = self.known.get(pair)
        if held is None or seen.way not in _BY_EVENTS:
            self.known[pair] = Sighting(seen.at, on, is_proof, tie.cut)
            self._first[pair] = seen
            self._touched[pair] = None
            return tie.cut != "place"
        is_older, is_raised = seen.at < held.first_seen_at, is_proof and not held.is_proof
        if not is_older and not is_raised and on <= held.last_seen_on:
            return False
        self.known[pair] = Sighting(
            min(seen.at, held.first_seen_at),
            max(on, held.last_seen_on),
            is_proof or held.is_proof,
            held.cut,
        )
        self._touched[pair] = None
        return (is_older or is_raised) and held.cut not in ("place", "undone")

    def write(self, connection: Connection) -> None:
        """Write what the batch saw: what was looked for in vain is added, the rest is joined."""
        fresh: list[EdgeRow] = []
        others: list[EdgeRow] = []
        again: list[Pair] = []
        for pair in self._touched:
            if pair not in self._first:
                again.append(pair)
                continue
            row = self._row(pair, self._first[pair])
            is_new = pair in self._keys and row.event_id and row.way in _BY_EVENTS
            (fresh if is_new else others).append(row)
        if fresh:
            with connection.cursor().copy(_SQL["copy_edges"]) as copy:
                copy.write(pack_edges(fresh))
        if others:
            connection.execute(_SQL["upsert_edges"], [msgspec.json.encode(others).decode()])
        if again:
            self._write_again(connection, again)

    def _write_again(self, connection: Connection, pairs: list[Pair]) -> None:
        """Write when pairs were seen that are there already, as one text for each column."""
        rows = [(self._key(pair), self.known[pair]) for pair in pairs]
        columns = (
            [key for key, _ in rows],
            ["t" if held.is_proof else "f" for _, held in rows],
            [held.first_seen_at.isoformat() for _, held in rows],
            [held.last_seen_on.isoformat() for _, held in rows],
        )
        connection.execute(_SQL["touch_edges"], list(map(",".join, columns)))

    def _key(self, pair: Pair) -> str:
        return self._keys.get(pair) or edge_key(pair)

    def _row(self, pair: Pair, first: Seen) -> EdgeRow:
        (hub, other), held = pair, self.known[pair]
        return EdgeRow(
            self._key(pair),
            hub.kind,
            hub.value,
            other.kind,
            other.value,
            first.origin_id,
            first.event_id,
            first.way,
            held.is_proof,
            first.source_id,
            held.first_seen_at,
            held.last_seen_on,
            first.received_at,
            held.cut,
        )


def edge_key(pair: Pair) -> str:
    """Return what a pair is kept under: a uuid, in hexadecimal."""
    text = "\0".join((pair[0].kind, pair[0].value, pair[1].kind, pair[1].value))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def pairs_of(evidence: list[Evidence]) -> list[Pair]:
    """Return the pairs an event may tie; a previous id may be a user id as well."""
    if not evidence:
        return []
    hub = evidence[0].key
    if len(evidence) == 1:
        return [] if hub.kind == "anonymous_id" or not evidence[0].is_proof else [(hub, hub)]
    pairs = [(hub, item.key) for item in evidence[1:]]
    pairs += [
        (hub, Key("user_id", item.key.value)) for item in evidence[1:] if item.slot == PREVIOUS
    ]
    # Without its places an event may be about its hub alone.
    return [*pairs, (hub, hub)]
