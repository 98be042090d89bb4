"""Erasing one customer from every engine: for the screens, the control API and the CLI."""

from datetime import datetime
from uuid import UUID

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.personalization import api as personalization
from amity.store import api as store
from amity.store.contracts_erasure import Replay


def erase_customer(
    *, profile_id: int, by: str, now: datetime, receipt_id: UUID | None = None
) -> dict[str, int]:
    """Erase a customer for good; return how many rows went from each table.

    The store goes before the engines: it holds the events everything else is made from, so nothing
    above can learn of her anew; the warehouse last, which holds what all of them do. Mail in the
    local mailbox is found by address, so while there is one. Raises NotFound.
    """
    found = store.get_profile(profile_id=profile_id).profile_id
    identifiers = store.list_identifiers(profile_id=found)
    mails = broadcast.forget_addresses(
        addresses=[each.value for each in identifiers if each.kind == "email"]
    )
    values = [each.value for each in identifiers]
    decisions = personalization.forget_identifiers(values=values)
    counts = store.erase_profile(profile_id=found, by=by, now=now, receipt_id=receipt_id)
    for table, count in finish_erasures(now=now).items():
        counts[table] = counts.get(table, 0) + count
    if mails:
        counts["broadcast_mailbox"] = counts.get("broadcast_mailbox", 0) + mails
    if decisions:
        counts["decisions"] = counts.get("decisions", 0) + decisions
    return counts


def finish_erasures(*, now: datetime) -> dict[str, int]:
    """Carry on erasures the engines above have not heard of; return how many rows went.

    That is the one just begun, and one whose process died half way.
    """
    from amity.infra.warehouse_rewriting import forget  # noqa: PLC0415  # pyarrow is heavy

    counts: dict[str, int] = {}
    for erasure_id, profile_ids in store.list_unfinished_erasures().items():
        gone = analysis.forget_profiles(profile_ids=profile_ids)
        gone |= personalization.forget_profiles(profile_ids=profile_ids)
        gone |= broadcast.forget_profiles(profile_ids=profile_ids)
        gone |= forget(profile_ids)
        store.finish_erasure(erasure_id=erasure_id, counts=gone, now=now)
        for table, count in gone.items():
            counts[table] = counts.get(table, 0) + count
    return counts


def work_off_erasures(*, now: datetime) -> int:
    """Take one turn of what erasures leave to do; return how many it settled."""
    finish_erasures(now=now)
    return store.clean_space(now=now)


def replay_erasures(*, now: datetime) -> Replay:
    """Erase again whom an older database, put back, knows still; return how many that were.

    The receipts in the data folder tell, by keyed hash. Call it before anybody is served.
    """
    receipts = store.list_unreplayed()
    erased = 0
    named = store.find_named(receipts) if receipts else {}
    for receipt in receipts:
        for place, profile_id in enumerate(sorted(named[receipt.receipt_id])):
            first = UUID(receipt.receipt_id) if place == 0 else None
            erase_customer(profile_id=profile_id, by="restore", now=now, receipt_id=first)
            erased += 1
    store.note_replayed([each for each in receipts if not named[each.receipt_id]])
    return Replay(receipts=len(receipts), erased=erased)
