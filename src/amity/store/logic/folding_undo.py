"""Taking a merge back: the profile's events are told apart as if the two had never been joined.

`Profile Unmerged` is an event in the log, so a rebuild takes the merge back at the same place.
All events of the joined profile are resolved and folded anew, in the order of the log, with the
pair blocked: identifiers known by now never join these two again. What the events of others
decided meanwhile stays decided.
"""

from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.contracts import SourceKind
from amity.store.logic.fold import time_of
from amity.store.logic.folding_batch import UNMERGED, Batch, Entry, LogRow, decode_entry
from amity.store.logic.folding_memory import Memory
from amity.store.logic.folding_pack import pack_activities
from amity.store.logic.folding_write import (
    add_tallies,
    copy_in,
    repoint,
    totals_of,
    write_profiles,
)

_SQL: Final = queries.load("amity.store")


def undo_merge(
    connection: Connection, entry: Entry, kinds: dict[int, SourceKind], *, position: int
) -> Batch:
    """Carry out one `Profile Unmerged` event, in the caller's transaction.

    Nothing happens when the merge is not there any more: it was undone, or the customer erased.
    """
    batch = Batch(connection, Memory(), position=position)
    merge_id = entry.event.properties.get("merge_id")
    if not isinstance(merge_id, int):
        return batch
    found = connection.execute(_SQL["find_undoable"], [merge_id]).fetchone()
    if found is None:
        return batch
    connection.execute(_SQL["set_undone"], [entry.row.event_id, merge_id])
    component, root = find_component(connection, found[2])
    entries = _read_component(connection, root, kinds)
    markers = connection.execute(_SQL["read_markers"], [root]).fetchall()
    wiped = _wipe(connection, component, root, entries)
    batch.load(entries)
    for each in entries:
        batch.apply(each)
    _reassign(batch, markers)
    _announce(batch, entry, component, found)
    write_profiles(batch)
    copy_in(connection, "copy_activities", pack_activities(batch.activities, batch.root))
    tallies = totals_of(batch)
    for key, amount in wiped.items():
        tallies[key] -= amount
    add_tallies(connection, tallies)
    return batch


def find_component(connection: Connection, profile_id: int) -> tuple[list[int], int]:
    """Return all profiles that were joined with one, and the one of them that lives on."""
    rows = connection.execute(_SQL["find_component"], {"profile_id": profile_id}).fetchall()
    return [row[0] for row in rows], rows[0][1]


def _read_component(connection: Connection, root: int, kinds: dict[int, SourceKind]) -> list[Entry]:
    rows = connection.execute(_SQL["read_component"], [root], binary=True)
    return [
        decode_entry(LogRow(*columns), kinds[columns[3]], position) for position, *columns in rows
    ]


def _wipe(
    connection: Connection, component: list[int], root: int, entries: list[Entry]
) -> dict[tuple[str, str], int]:
    """Delete what the events of a profile came to; return by how much the counts fall."""
    event_ids = [entry.row.event_id for entry in entries]
    identifiers = connection.execute(_SQL["delete_identifiers"], [component]).rowcount
    merges = connection.execute(_SQL["delete_merges_of"], [event_ids]).fetchall()
    connection.execute(_SQL["delete_orders"], [component])
    connection.execute(_SQL["delete_profiles"], [component])
    return {
        ("total", "profiles"): 1,
        ("total", "identifiers"): identifiers,
        # The one that is undone is kept as a record, but counts no more.
        ("total", "merges"): 1 + sum(refusal == "" for (refusal,) in merges),
    }


def _reassign(batch: Batch, markers: list[tuple[Any, ...]]) -> None:
    """Give the activities to the profiles they are now known to belong to."""
    repoint(batch)
    rows = [(row.position, batch.root(row.profile_id), row.origin_id) for row in batch.activities]
    known = batch.graph.members
    rows += [(at, batch.root(origin), origin) for at, origin in markers if origin in known]
    if rows:
        columns = list(map(list, zip(*rows, strict=True)))
        batch.connection.execute(_SQL["reassign_activities"], columns)
    batch.activities.clear()


def _announce(batch: Batch, entry: Entry, component: list[int], found: tuple[Any, ...]) -> None:
    """Tell every profile that came out, so that whoever follows the activities looks again."""
    at = time_of(entry.event, entry.row.received_at)
    names = ("merge_id", "event_id", "winner_id", "loser_id", "kind", "value")
    properties = dict(zip(names, found, strict=True))
    del properties["event_id"]
    # Some of these may be gone: whoever keeps rows by profile tells them by this list.
    properties["profiles"] = component
    roots = {batch.root(profile_id) for profile_id in component if profile_id in batch.states}
    for profile_id in sorted(roots):
        batch.mark(profile_id, UNMERGED, properties, row=entry.row, at=at)
