"""Folding customers anew: when evidence about them counts differently from before.

All their events are resolved again in the order of the log, this time with the verdict on all
evidence known from the start. So what comes out is a function of the log and of the verdict, and
the verdict is one of the evidence alone (`identity.verdicts`).
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.contracts import SourceKind
from amity.store.logic.folding.batch import UNMERGED, Batch, Entry, LogRow, decode_entry, limits
from amity.store.logic.folding.evidence import Pair, edge_key
from amity.store.logic.folding.fold import time_of
from amity.store.logic.folding.memory import Memory
from amity.store.logic.folding.pack import pack_activities
from amity.store.logic.folding.write import (
    add_tallies,
    copy_in,
    repoint,
    totals_of,
    write_profiles,
)
from amity.store.logic.identity.rules import UNDONE, Key
from amity.store.logic.identity.verdicts import Edge, Verdict, decide, find_places

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger("amity.store.folding")
_MOST_EDGES: Final = 10_000
_MOST_PROFILES: Final = 500


class Area(msgspec.Struct, frozen=True):
    """Profiles that evidence ties to each other, accepted or not, and that evidence."""

    components: dict[int, list[int]]
    edges: list[Edge]


class Cause(msgspec.Struct, frozen=True):
    """The event at which customers are folded anew, and what is told of it."""

    entry: Entry
    kinds: dict[int, SourceKind]
    properties: dict[str, Any]


def reconsider(
    connection: Connection,
    roots: Iterable[int],
    cause: Cause,
    *,
    position: int,
    force: bool = False,
) -> Batch | None:
    """Weigh all evidence around some profiles; fold them anew when the verdict is another.

    ``force`` folds anew in any case. Returns None when nothing had to be done.
    """
    area = _read_area(connection, roots)
    if area is None:
        if not force:
            return None
        area = Area(dict(_components(connection, roots)), [])
        verdict = Verdict({}, set())
    else:
        places = {Key(*row) for row in connection.execute(_SQL["load_places"]).fetchall()}
        verdict = decide(area.edges, limits(), places)
    changed = {
        edge.pair: verdict.cuts.get(edge.pair, "")
        for edge in area.edges
        if edge.cut != verdict.cuts.get(edge.pair, "")
    }
    if not changed and not force:
        return None
    row = cause.entry.row
    set_cuts(connection, changed, at=row.received_at, by=row.event_id)
    _add_places(connection, area.edges, row)
    return refold(connection, area.components, cause, position=position)


def set_cuts(connection: Connection, cuts: dict[Pair, str], *, at: datetime, by: int) -> None:
    """Write down which edges count no more, and which count again."""
    if cuts:
        rows = [
            (edge_key(pair), cut, at if cut else None, by if cut else None)
            for pair, cut in cuts.items()
        ]
        connection.execute(_SQL["set_cuts"], list(map(list, zip(*rows, strict=True))))


def _add_places(connection: Connection, edges: list[Edge], row: LogRow) -> None:
    places = sorted(find_places(edges, limits()))
    if places:
        logins = [
            len({edge.hub for edge in edges if edge.other == key and edge.hub.kind == "user_id"})
            for key in places
        ]
        columns = [[key.kind for key in places], [key.value for key in places], logins]
        rest = [[row.event_id] * len(places), [row.received_at] * len(places)]
        connection.execute(_SQL["insert_places"], [*columns, *rest])


def _read_area(connection: Connection, roots: Iterable[int]) -> Area | None:
    """Read an area, starting from some of its profiles; None when it is too large."""
    components: dict[int, list[int]] = {}
    edges: dict[Any, Edge] = {}
    todo = sorted(set(roots))
    while todo:
        fresh = dict(_components(connection, todo))
        fresh = {root: ids for root, ids in fresh.items() if root not in components}
        components |= fresh
        ids = [each for component in fresh.values() for each in component]
        near: set[int] = set()
        ends: set[Key] = set()
        for key, *columns in connection.execute(_SQL["read_area"], {"ids": ids}).fetchall():
            hub, other = Key(columns[0], columns[1]), Key(columns[2], columns[3])
            edges[key] = Edge(hub, other, *columns[4:8])
            if columns[7] != UNDONE:
                near.add(columns[8])
                ends.add(other)
        near |= _owners(connection, ends)
        if len(edges) > _MOST_EDGES or len(components) + len(near) > _MOST_PROFILES:
            _log.warning("evidence about %s profiles is too much to weigh at once", len(near))
            return None
        known = {each for component in components.values() for each in component}
        todo = sorted(near - known)
    ordered = [edges[key] for key in sorted(edges)]
    return Area({root: components[root] for root in sorted(components)}, ordered)


def _components(connection: Connection, ids: Iterable[int]) -> Iterable[tuple[int, list[int]]]:
    for profile_id in ids:
        rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id}).fetchall()
        if rows:
            yield rows[0][1], [row[0] for row in rows]


def _owners(connection: Connection, keys: set[Key]) -> set[int]:
    if not keys:
        return set()
    columns = list(map(list, zip(*sorted(keys), strict=True)))
    return {row[2] for row in connection.execute(_SQL["find_owners"], columns).fetchall()}


def refold(
    connection: Connection, components: dict[int, list[int]], cause: Cause, *, position: int
) -> Batch:
    """Fold all events of some customers anew, and tell every profile that comes of it."""
    batch = Batch(connection, Memory(), position=position, is_settled=True)
    roots = sorted(components)
    everyone = sorted(each for ids in components.values() for each in ids)
    entries = _read_events(connection, roots, cause.kinds)
    markers = [
        row for root in roots for row in connection.execute(_SQL["read_markers"], [root]).fetchall()
    ]
    wiped = _wipe(connection, everyone, roots, entries)
    batch.load(entries)
    for each in entries:
        batch.apply(each)
    _contest(batch)
    _reassign(batch, markers, everyone)
    _announce(batch, cause, everyone)
    write_profiles(batch)
    copy_in(connection, "copy_activities", pack_activities(batch.activities, batch.root))
    tallies = totals_of(batch)
    for key, amount in wiped.items():
        tallies[key] -= amount
    add_tallies(connection, tallies)
    fresh = {pair: UNDONE for pair in batch.undone if batch.evidence.known[pair].cut != UNDONE}
    row = cause.entry.row
    set_cuts(connection, fresh, at=row.received_at, by=row.event_id)
    return batch


def _contest(batch: Batch) -> None:
    """Mark those whose identifiers others' refused evidence is about."""
    if batch.identifiers:
        keys = sorted({row.key for row in batch.identifiers})
        columns = list(map(list, zip(*keys, strict=True)))
        for kind, value in batch.connection.execute(_SQL["find_contested"], columns).fetchall():
            owner = batch.graph.owners[Key(kind, value)]
            batch.graph.members[batch.root(owner.profile_id)].is_contested = True


def find_component(connection: Connection, profile_id: int) -> tuple[list[int], int]:
    """Return all profiles that were joined with one, and the one of them that lives on."""
    rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id}).fetchall()
    return [row[0] for row in rows], rows[0][1]


def _read_events(
    connection: Connection, roots: list[int], kinds: dict[int, SourceKind]
) -> list[Entry]:
    rows = [
        row
        for root in roots
        for row in connection.execute(_SQL["read_component"], [root], binary=True).fetchall()
    ]
    rows.sort(key=lambda row: row[0])
    return [
        decode_entry(LogRow(*columns), kinds[columns[3]], position) for position, *columns in rows
    ]


def _wipe(
    connection: Connection, everyone: list[int], roots: list[int], entries: list[Entry]
) -> dict[tuple[str, str], int]:
    """Delete what the events of profiles came to; return by how much the counts fall."""
    event_ids = [entry.row.event_id for entry in entries]
    identifiers = connection.execute(_SQL["delete_identifiers"], [everyone]).rowcount
    merges = connection.execute(_SQL["delete_merges_of"], [event_ids]).fetchall()
    connection.execute(_SQL["delete_orders"], [everyone])
    connection.execute(_SQL["delete_profiles"], [everyone])
    return {
        ("total", "profiles"): len(roots),
        ("total", "identifiers"): identifiers,
        ("total", "merges"): sum(refusal == "" for (refusal,) in merges),
    }


def _reassign(batch: Batch, markers: list[tuple[Any, ...]], everyone: list[int]) -> None:
    """Give activities and evidence to the profiles they are now known to belong to."""
    repoint(batch)
    rows = [(row.position, batch.root(row.profile_id), row.origin_id) for row in batch.activities]
    origins = {row.event_id: row.origin_id for row in batch.activities}
    known = batch.graph.members
    rows += [(at, batch.root(origin), origin) for at, origin in markers if origin in known]
    if rows:
        columns = list(map(list, zip(*rows, strict=True)))
        batch.connection.execute(_SQL["reassign_activities"], columns)
    if origins:
        batch.connection.execute(
            _SQL["reassign_edges"], [list(origins), list(origins.values()), everyone]
        )
    batch.activities.clear()


def _announce(batch: Batch, cause: Cause, everyone: list[int]) -> None:
    """Tell every profile that came out, so that whoever follows the activities looks again."""
    row = cause.entry.row
    at = time_of(cause.entry.event, row.received_at)
    # Some of these may be gone and some are new, in another at once: whoever keeps rows by profile
    # tells them by this list.
    properties = {**cause.properties, "profiles": sorted({*everyone, *batch.made})}
    told = {batch.root(each) for each in everyone if each in batch.states}
    told |= {batch.root(each) for each in batch.made}
    for profile_id in sorted(told):
        batch.mark(profile_id, UNMERGED, properties, row=row, at=at)
