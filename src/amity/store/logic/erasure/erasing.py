"""Erasing a customer (rule D50): everything, everywhere, leaving keyed hashes.

What stays is one row in the erasure log with a keyed hash of each identifier, so that an
erasure can be repeated after a backup is restored, and the keyed hashes of her addresses in the
suppression list (rule D51): who is imported again from an old file is still not written to.
The row is also a note of what is left to do: the engines above forget, files are deleted, the
space of the deleted rows is written anew; whoever finds it unfinished carries on.
"""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec

from amity.infra import queries, subject_keys, warehouse
from amity.infra.crypto import pseudonym
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_erasure import Erasure, Receipt
from amity.store.follower import followers
from amity.store.logic.consent.ledger import blank_consents, copy_head
from amity.store.logic.erasure.files import erase_files
from amity.store.logic.erasure.receipts import keep_receipt, make_receipt
from amity.store.logic.folding.batch import MARKER
from amity.store.logic.folding.consumer import fold_batch
from amity.store.logic.folding.consumers import stop_profiles
from amity.store.logic.folding.following import forget
from amity.store.logic.folding.refold import find_component
from amity.store.logic.folding.write import add_tallies
from amity.store.logic.profiles.contact_points import addresses_of, erase_contact_points
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.requests.forgetting import forget_requests

_SQL: Final = queries.load("amity.store")
_SHORTEST_NEEDLE: Final = 6
"""Shorter identifiers are searched for in quarantine only between quotes: `1` is everywhere."""

_Keys = list[tuple[str, str]]


def erase_profile(
    *, profile_id: int, by: str, now: datetime, receipt_id: UUID | None = None
) -> dict[str, int]:
    """Delete a customer and every profile merged into her from every table of the store.

    Events in the log go too, what lies in quarantine with one of her identifiers in it, and files
    that name her. Returns how many rows went from each table. The engines above hold rows by
    profile id and are told of it through `list_unfinished_erasures`. What arrives later is a new,
    unknown customer's. ``receipt_id`` repeats an erasure. Cost grows with her events. Raises
    NotFound.
    """
    while fold_batch().events:
        pass  # what is on its way into her profile must be there to be deleted
    with transaction() as connection:
        root = find_root(connection, profile_id)
        values = [value for _, value in _read_keys(connection, root)]
    # Before the commit as well: were this process to die after it, nobody would know the names.
    files = erase_files(values)
    with transaction() as connection:
        stop_profiles(connection)
        root = find_root(connection, profile_id)
        component, _ = find_component(connection, root)
        keys = _read_keys(connection, root)
        counts = _erase_rows(connection, root, component, keys)
        counts["store_consent"], head = blank_consents(connection, component, now)
        subject_keys.destroy_keys(connection, component)
        warehouse.ask_to_forget(connection, component)
        erase_contact_points(connection, addresses_of(keys), now)
        made = (receipt_id or uuid4(), by, now)
        values = [value for _, value in keys]
        counts |= forget_requests(connection, component, values, by=by, receipt_id=made[0], now=now)
        ids = [root, *(each for each in component if each != root)]
        # Before the commit: an erasure that is forgotten in a restore is worse than one done twice.
        keep_receipt(_note(connection, ids, keys, (made, counts)))
    copy_head(head)
    files += erase_files([value for _, value in keys])
    return counts | {"files": files} if files else counts


def _read_keys(connection: Connection, root: int) -> _Keys:
    rows = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
    return [(row[0], row[1]) for row in rows]


def _erase_rows(
    connection: Connection, root: int, component: list[int], keys: _Keys
) -> dict[str, int]:
    counts = _erase_events(connection, root, [value for _, value in keys])
    counts |= _erase_projections(connection, component, keys)
    for kind in followers():
        counts |= forget(connection, kind, component)
    counts["store_delivery"] = connection.execute(_SQL["outbound_erase"], [component]).rowcount
    asked = connection.execute(_SQL["enrichment_erase"], [component]).rowcount
    counts["store_enrichment_ask"] = asked
    words = sorted({value.lower() for _, value in keys if len(value) >= _SHORTEST_NEEDLE})
    row = connection.execute(_SQL["erasure_import_problems"], {"words": words}).fetchone()
    assert row is not None
    return counts | {"store_import_problem": row[0]}


def _note(
    connection: Connection,
    component: list[int],
    keys: _Keys,
    done: tuple[tuple[UUID, str, datetime], dict[str, int]],
) -> Receipt:
    """Write the erasure down, tell whoever wanted to hear of it, and return its receipt."""
    (receipt_id, by, now), counts = done
    root = component[0]
    hashes = [pseudonym(f"{kind}:{value}") for kind, value in keys]
    receipt = make_receipt(
        receipt_id=receipt_id,
        subject=pseudonym(f"profile:{root}"),
        hashes=hashes,
        counts=counts,
        now=now,
    )
    row = connection.execute(
        _SQL["erasure_insert"],
        {
            "now": now,
            "root": root,
            "ids": component,
            "hashes": hashes,
            "by": by,
            "counts": msgspec.json.encode(counts).decode(),
            "receipt_id": receipt_id,
            "receipt": msgspec.json.encode(receipt).decode(),
        },
    ).fetchone()
    assert row is not None
    connection.execute(_SQL["erasure_tell"], [row[0]])
    return receipt


def list_unfinished_erasures() -> dict[int, list[int]]:
    """Return the profiles of erasures that the engines above have not heard of, by erasure."""
    with transaction() as connection:
        return {row[0]: row[1] for row in connection.execute(_SQL["erasure_unfinished"])}


def finish_erasure(*, erasure_id: int, counts: dict[str, int], now: datetime) -> None:
    """Note that all engines forgot the profiles of an erasure, with how many rows it was."""
    with transaction() as connection:
        values = {"id": erasure_id, "counts": msgspec.json.encode(counts).decode(), "now": now}
        connection.execute(_SQL["erasure_finish"], values)


def note_replayed(receipts: list[Receipt]) -> None:
    """Note erasures of whom nothing is here, so that they are not looked for again."""
    with transaction() as connection:
        for receipt in receipts:
            values = {
                "at": receipt.erased_at,
                "hashes": receipt.identifier_hashes,
                "receipt_id": receipt.receipt_id,
                "receipt": msgspec.json.encode(receipt).decode(),
            }
            connection.execute(_SQL["erasure_note"], values)


def list_erasures(*, cursor: str | None = None, limit: int = 50) -> Page[Erasure]:
    """Return the erasures that were carried out, the latest first."""
    before = decode_cursor(cursor, (int,))[0] if cursor else None
    with transaction() as connection:
        found = {"before": before, "limit": limit + 1}
        rows = connection.execute(_SQL["erasure_list"], found).fetchall()
    names = Erasure.__struct_fields__
    items = [Erasure(**dict(zip(names, row, strict=True))) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, encode_cursor([items[-1].erasure_id]) if more else None)


def _erase_events(connection: Connection, root: int, values: list[str]) -> dict[str, int]:
    rows = connection.execute(_SQL["lock_component_events"], [root]).fetchall()
    own = [row for row in rows if row[4] != MARKER]
    if not rows:
        raise NotFound(f"there is no profile {root}")
    gone = connection.execute(
        _SQL["erase_log"], [[row[1] for row in own], [row[0] for row in own]]
    ).fetchall()
    keys = connection.execute(
        _SQL["erase_keys"], [[row[0] for row in gone], [row[1] for row in gone]]
    ).rowcount
    quarantined = connection.execute(
        _SQL["erase_quarantine"],
        {
            "sources": [row[0] for row in gone],
            "messages": [row[2][:100] for row in gone],
            "needles": [needle for value in values for needle in needles_of(value)],
        },
    ).rowcount
    connection.execute(_SQL["erase_activities"], [root])
    _lower_event_tallies(connection, [row[3] for row in own])
    return {
        "store_event_log": len(gone),
        "store_event_key": keys,
        "store_quarantine": quarantined,
        "store_activity": len(rows),
    }


def needles_of(value: str) -> list[str]:
    """Return what to look for in raw bytes, as PostgreSQL's `encode(…, 'escape')` writes them."""
    forms = {value, msgspec.json.encode(value).decode()[1:-1]}
    escaped = [
        "".join(
            f"\\{byte:03o}" if byte > 126 or byte == 0 else "\\\\" if byte == 92 else chr(byte)
            for byte in form.lower().encode()
        )
        for form in sorted(forms)
    ]
    if len(value) >= _SHORTEST_NEEDLE:
        return escaped
    return [f'"{form}"' for form in escaped]


def _erase_projections(
    connection: Connection, component: list[int], keys: list[tuple[str, str]]
) -> dict[str, int]:
    identifiers = connection.execute(_SQL["delete_identifiers"], [component]).rowcount
    merges = connection.execute(
        _SQL["erase_merges"],
        {
            "ids": component,
            "kinds": [kind for kind, _ in keys],
            "values": [value for _, value in keys],
        },
    ).fetchall()
    about = {
        "ids": component,
        "kinds": [kind for kind, _ in keys],
        "values": [value for _, value in keys],
    }
    evidence = connection.execute(_SQL["erase_evidence"], about).rowcount
    candidates = connection.execute(_SQL["erase_candidates"], about).rowcount
    links = connection.execute(_SQL["erase_links"], about).rowcount
    orders = connection.execute(_SQL["delete_orders"], [component]).rowcount
    profiles = connection.execute(_SQL["delete_profiles"], [component]).rowcount
    add_tallies(
        connection,
        {
            ("total", "profiles"): -1,
            ("total", "identifiers"): -identifiers,
            ("total", "merges"): -sum(live for (live,) in merges),
        },
    )
    return {
        "store_identifier": identifiers,
        "store_merge": len(merges),
        "store_evidence": evidence,
        "store_link_candidate": candidates,
        "store_link": links,
        "store_order": orders,
        "store_profile": profiles,
    }


def _lower_event_tallies(connection: Connection, names: list[str]) -> None:
    tallies: dict[tuple[str, str], int] = {}
    for name in names:
        tallies["event", name] = tallies.get(("event", name), 0) - 1
    add_tallies(connection, tallies)
