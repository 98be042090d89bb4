"""Erasing a customer (rule D50, simple form): everything, everywhere, leaving keyed hashes.

What stays is one row in the erasure log with a keyed hash of each identifier, so that an
erasure can be repeated after a backup is restored, and the keyed hashes of her addresses in the
suppression list (rule D51): who is imported again from an old file is still not written to.
PostgreSQL frees the space of deleted rows
when it vacuums; backups age out by themselves.
"""

from datetime import datetime
from typing import Final

import msgspec

from amity.infra import queries, warehouse
from amity.infra.crypto import pseudonym
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound
from amity.store.follower import followers
from amity.store.logic.consent_ledger import blank_consents, copy_head
from amity.store.logic.consumers import stop_profiles
from amity.store.logic.contact_points import addresses_of, erase_contact_points
from amity.store.logic.folding import fold_batch
from amity.store.logic.folding_batch import MARKER
from amity.store.logic.folding_refold import find_component
from amity.store.logic.folding_write import add_tallies
from amity.store.logic.following import forget
from amity.store.logic.profiles import find_root

_SQL: Final = queries.load("amity.store")
_SHORTEST_NEEDLE: Final = 6
"""Shorter identifiers are searched for in quarantine only between quotes: `1` is everywhere."""


def erase_profile(*, profile_id: int, by: str, now: datetime) -> dict[str, int]:
    """Delete a customer and every profile merged into her from every table of the store.

    Events in the log go too, and what lies in quarantine with one of her identifiers in it.
    Returns how many rows went from each table. The engines above hold rows by profile id: ask
    `list_joined` for the ids first. What arrives later is a new, unknown customer's. Cost grows
    with her events. Raises NotFound.
    """
    while fold_batch().events:
        pass  # what is on its way into her profile must be there to be deleted
    with transaction() as connection:
        stop_profiles(connection)
        root = find_root(connection, profile_id)
        component, _ = find_component(connection, root)
        identifiers = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
        keys = [(row[0], row[1]) for row in identifiers]
        counts = _erase_events(connection, root, [value for _, value in keys])
        counts |= _erase_projections(connection, component, keys)
        for kind in followers():
            counts |= forget(connection, kind, component)
        told = connection.execute(_SQL["outbound_erase"], [component]).rowcount
        counts["store_delivery"] = told
        counts["store_consent"], head = blank_consents(connection, component, now)
        warehouse.ask_to_forget(connection, component)
        erase_contact_points(connection, addresses_of(keys), now)
        connection.execute(
            _SQL["insert_erasure"],
            [
                now,
                root,
                [pseudonym(f"{kind}:{value}") for kind, value in keys],
                by,
                msgspec.json.encode(counts).decode(),
            ],
        )
    copy_head(head)
    return counts


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
            "needles": [needle for value in values for needle in _needles(value)],
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


def _needles(value: str) -> list[str]:
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
