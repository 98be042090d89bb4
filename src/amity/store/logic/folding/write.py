"""Writing what a batch came to, set-wise: a handful of statements whatever its size."""

from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.logic.folding.batch import Batch
from amity.store.logic.folding.fold import State
from amity.store.logic.folding.orders import Order, add_orders, combine_orders, sum_orders
from amity.store.logic.folding.pack import (
    IdentifierRow,
    pack_activities,
    pack_identifiers,
    pack_profiles,
)

_SQL: Final = queries.load("amity.store")
_REFUNDS: Final = 1 + Order.__struct_fields__.index("refunds")
"""Where a row of an order has its refunds, its profile standing first."""


def write_batch(batch: Batch) -> None:
    """Write profiles, identifiers, merges, orders, activities and counts of a batch."""
    repoint(batch)
    write_profiles(batch)
    batch.evidence.write(batch.connection)
    if batch.activities:
        packed = pack_activities(batch.activities, batch.root)
        copy_in(batch.connection, "copy_activities", packed)
    add_tallies(batch.connection, {**totals_of(batch), **event_tallies(batch)})


def repoint(batch: Batch) -> None:
    """Give what losers owned before this batch to the profiles that live on."""
    losers = [profile_id for profile_id in batch.losers if profile_id not in batch.made]
    if losers:
        pairs = [losers, [batch.root(profile_id) for profile_id in losers]]
        batch.connection.execute(_SQL["repoint_identifiers"], pairs)
        batch.connection.execute(_SQL["repoint_activities"], pairs)


def write_profiles(batch: Batch) -> None:
    """Write profiles, identifiers, merges and orders."""
    _write_orders(batch)
    _settle(batch)
    made = [batch.states[profile_id] for profile_id in sorted(batch.made)]
    if made:
        copy_in(batch.connection, "copy_profiles", pack_profiles(made))
    old = [batch.states[profile_id] for profile_id in sorted(batch.changed - batch.made)]
    if old:
        _update_profiles(batch.connection, old)
    if batch.identifiers:
        rows: list[IdentifierRow] = batch.identifiers
        copy_in(batch.connection, "copy_identifiers", pack_identifiers(rows, batch.root))
    if batch.raised:
        raised = list(map(list, zip(*sorted(batch.raised), strict=True)))
        batch.connection.execute(_SQL["raise_identifiers"], raised)
    if batch.merges:
        _insert_merges(batch)


def totals_of(batch: Batch) -> dict[tuple[str, str], int]:
    """Return by how much a batch changes the numbers of profiles, identifiers and merges."""
    return {
        ("total", "profiles"): len(batch.made) - len(batch.losers),
        ("total", "identifiers"): len(batch.identifiers),
        ("total", "merges"): len(batch.losers),
    }


def event_tallies(batch: Batch) -> dict[tuple[str, str], int]:
    """Return how many events of each name a batch has."""
    return {("event", name): count for name, count in batch.names.items()}


def add_tallies(connection: Connection, tallies: dict[tuple[str, str], int]) -> None:
    """Add to the counts kept beside the projections."""
    rows = sorted((*key, amount) for key, amount in tallies.items() if amount)
    if rows:
        connection.execute(_SQL["add_tallies"], list(map(list, zip(*rows, strict=True))))


def copy_in(connection: Connection, query: str, packed: bytes) -> None:
    """Send packed rows by binary COPY."""
    with connection.cursor().copy(_SQL[query]) as copy:
        copy.write(packed)


def _settle(batch: Batch) -> None:
    """Bring what identity knows of the changed profiles into their states."""
    for profile_id in batch.changed:
        state, member = batch.states[profile_id], batch.graph.members[profile_id]
        if state.merged_into is None and (
            (state.user_id, state.identifier_count) != (member.user_id, member.identifier_count)
            or (state.email_count, state.phone_count) != (member.email_count, member.phone_count)
            or (state.is_known, state.is_contested) != (member.is_known, member.is_contested)
        ):
            batch.states[profile_id] = msgspec.structs.replace(
                state,
                user_id=member.user_id,
                identifier_count=member.identifier_count,
                email_count=member.email_count,
                phone_count=member.phone_count,
                is_known=member.is_known,
                is_contested=member.is_contested,
            )


def _update_profiles(connection: Connection, states: list[State]) -> None:
    connection.execute(_SQL["make_stage"])
    copy_in(connection, "copy_stage", pack_profiles(states))
    connection.execute(_SQL["apply_stage"])


def _insert_merges(batch: Batch) -> None:
    rows = [
        (
            *(merge.merge_id, merge.event_id, merge.join.winner_id, merge.join.loser_id),
            *(merge.join.key.kind, merge.join.key.value, merge.occurred_at, merge.source_id),
            *(msgspec.json.encode(merge.before).decode(), merge.join.refusal),
        )
        for merge in batch.merges
    ]
    batch.connection.execute(_SQL["insert_merges"], list(map(list, zip(*rows, strict=True))))


def _write_orders(batch: Batch) -> None:
    """Fold the batch's orders into the order table and the totals of their profiles.

    New orders are only added up; what changes an order that is known already, or joins two
    customers' orders, is summed anew from all orders of the profile.
    """
    donors = {winner: ids for winner, ids in batch.order_donors.items() if ids}
    profiles = batch.orders.keys() | donors.keys()
    if not profiles:
        return
    anew = set(donors) | _touching_known(batch)
    held = _load_orders(batch.connection, [*anew, *(i for ids in donors.values() for i in ids)])
    changed: list[tuple[int, Order]] = []
    for profile_id in sorted(profiles):
        state = batch.states[profile_id]
        told = batch.orders.get(profile_id, [])
        if profile_id in anew:
            known = held.get(profile_id, {})
            for donor in donors.get(profile_id, []):
                told = [*held.get(donor, {}).values(), *told]
            orders, touched = _join_orders(known, told)
            totals = sum_orders(list(orders.values()), batch.home_currency)
            changed += [(profile_id, orders[order_id]) for order_id in touched]
        else:
            totals = add_orders(state.orders, told, batch.home_currency)
            changed += [(profile_id, order) for order in told]
        batch.states[profile_id] = msgspec.structs.replace(state, orders=totals)
        batch.changed.add(profile_id)
    if donors:
        gone = [donor for ids in donors.values() for donor in ids]
        batch.connection.execute(_SQL["delete_orders"], [gone])
    _upsert_orders(batch.connection, changed)


def _join_orders(known: dict[str, Order], told: list[Order]) -> tuple[dict[str, Order], list[str]]:
    orders = dict(known)
    for order in told:
        held = orders.get(order.order_id)
        orders[order.order_id] = order if held is None else combine_orders(held, order)
    return orders, sorted({order.order_id for order in told})


def _touching_known(batch: Batch) -> set[int]:
    """Return the profiles of which an order is told that is known, or told twice."""
    pairs = [(owner, order.order_id) for owner, orders in batch.orders.items() for order in orders]
    if not pairs:
        return set()
    columns = list(map(list, zip(*pairs, strict=True)))
    found = {row[0] for row in batch.connection.execute(_SQL["find_orders"], columns)}
    seen: set[tuple[int, str]] = set()
    for pair in pairs:
        if pair in seen:
            found.add(pair[0])
        seen.add(pair)
    return found


def _load_orders(connection: Connection, ids: list[int]) -> dict[int, dict[str, Order]]:
    held: dict[int, dict[str, Order]] = {}
    if ids:
        for profile_id, *columns in connection.execute(_SQL["load_orders"], [ids]):
            held.setdefault(profile_id, {})[columns[0]] = Order(*columns)
    return held


def _upsert_orders(connection: Connection, changed: list[tuple[int, Order]]) -> None:
    if changed:
        rows: list[tuple[Any, ...]] = [
            (profile_id, *msgspec.structs.astuple(order), order.refunded_minor)
            for profile_id, order in changed
        ]
        columns = list(map(list, zip(*rows, strict=True)))
        columns[_REFUNDS] = [msgspec.json.encode(told).decode() for told in columns[_REFUNDS]]
        connection.execute(_SQL["upsert_orders"], columns)
