"""What is decided about customers by hand: taking a merge back, taking identifiers apart.

Each is an event in the log, so a rebuild does it again at the same place. The evidence that
joined is retracted, not deleted, and all events of whom it concerns are folded anew.
"""

from typing import Final

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.contracts import SourceKind
from amity.store.logic.folding.batch import SPLIT, UNMERGED, UNSPLIT, Batch, Entry
from amity.store.logic.folding.fold import time_of
from amity.store.logic.folding.memory import Memory
from amity.store.logic.folding.refold import Cause, find_component, reconsider, refold, set_cuts
from amity.store.logic.folding.write import add_tallies
from amity.store.logic.identity.rules import UNDONE, Key

_SQL: Final = queries.load("amity.store")
BY_HAND: Final = frozenset({UNMERGED, SPLIT, UNSPLIT})


def take_apart(
    connection: Connection, entry: Entry, kinds: dict[int, SourceKind], *, position: int
) -> Batch:
    """Carry out one event of `BY_HAND`, in the caller's transaction.

    Nothing happens when there is nothing to take apart any more: it was done before, or the
    customer was erased.
    """
    does = {UNMERGED: _undo_merge, SPLIT: _split, UNSPLIT: _undo_split}[entry.event.name]
    done = does(connection, entry, kinds, position)
    return Batch(connection, Memory(), position=position) if done is None else done


def _undo_merge(
    connection: Connection, entry: Entry, kinds: dict[int, SourceKind], position: int
) -> Batch | None:
    merge_id = entry.event.properties.get("merge_id")
    if not isinstance(merge_id, int):
        return None
    found = connection.execute(_SQL["find_undoable"], [merge_id]).fetchone()
    row = entry.row
    event_id = merge_id // 10 if found is None else found[1]
    ties = connection.execute(
        _SQL["retract_ties"], [row.received_at, row.event_id, event_id]
    ).fetchall()
    if found is None:
        if not ties:
            return None
        # By hand, where older evidence that counts by then took the credit: no merge is the tie's.
        cause = Cause(entry, kinds, {"by": entry.event.properties.get("by", "")})
        origins = {each[0] for each in ties}
        return reconsider(connection, origins, cause, position=position, force=True)
    connection.execute(_SQL["set_undone"], [entry.row.event_id, merge_id])
    component, root = find_component(connection, found[2])
    names = ("merge_id", "event_id", "winner_id", "loser_id", "kind", "value")
    properties = dict(zip(names, found, strict=True))
    del properties["event_id"]
    cause = Cause(entry, kinds, properties)
    batch = refold(connection, {root: component}, cause, position=position)
    # It is kept as a record, but counts no more.
    add_tallies(connection, {("total", "merges"): -1})
    return _weigh(connection, batch, cause)


def _weigh(connection: Connection, batch: Batch, cause: Cause) -> Batch:
    """Let evidence count again that contradicted what was taken apart."""
    roots = sorted({batch.root(each) for each in batch.made})
    weighed = Cause(cause.entry, cause.kinds, {"reason": "evidence"})
    return reconsider(connection, roots, weighed, position=batch.position) or batch


def _split(
    connection: Connection, entry: Entry, kinds: dict[int, SourceKind], position: int
) -> Batch | None:
    told = entry.event.properties
    apart = [Key(kind, value) for kind, value in told.get("identifiers", [])]
    columns = [[key.kind for key in apart], [key.value for key in apart]]
    rows = connection.execute(_SQL["find_owners"], columns).fetchall() if apart else []
    if not rows or len({row[2] for row in rows}) > 1:
        return None
    component, root = find_component(connection, rows[0][2])
    row = entry.row
    edges = connection.execute(_SQL["read_area"], {"ids": component}).fetchall()
    crossing = [
        pair
        for pair in ((Key(*edge[1:3]), Key(*edge[3:5])) for edge in edges if not edge[8])
        if (pair[0] in apart) != (pair[1] in apart)
    ]
    set_cuts(connection, dict.fromkeys(crossing, UNDONE), at=row.received_at, by=row.event_id)
    cause = Cause(entry, kinds, {"by": told.get("by", ""), "split": True})
    batch = refold(connection, {root: component}, cause, position=position)
    after = {
        Key(each[0], each[1]): each[2]
        for each in connection.execute(_SQL["find_owners"], columns).fetchall()
    }
    others = sorted({batch.root(each) for each in batch.made} - set(after.values()))
    if after and others:
        first = min(after)
        connection.execute(
            _SQL["insert_split"],
            {
                "id": row.event_id * 10,
                "event_id": row.event_id,
                "winner_id": root if root in others else others[0],
                "loser_id": after[first],
                "kind": first.kind,
                "value": first.value,
                "at": time_of(entry.event, row.received_at),
                "source_id": row.source_id,
            },
        )
    return _weigh(connection, batch, cause)


def _undo_split(
    connection: Connection, entry: Entry, kinds: dict[int, SourceKind], position: int
) -> Batch | None:
    told = entry.event.properties
    split_id = told.get("split_id")
    if not isinstance(split_id, int):
        return None
    block = connection.execute(_SQL["delete_split"], [split_id * 10, split_id]).fetchall()
    undone = connection.execute(_SQL["restore_edges"], [split_id]).fetchall()
    origins = {each[0] for each in undone} | {each for pair in block for each in pair}
    if not undone:
        return None
    cause = Cause(entry, kinds, {"by": told.get("by", ""), "split": False})
    return reconsider(connection, origins, cause, position=position, force=True)
