"""Receipts of erasures: signed, without identifiers, and kept outside the database as well.

`erasures.jsonl` in the data folder belongs to the backups of the folder, not to those of the
database: when an older database is put back, what was erased since then is found in it by keyed
hash and erased again before anybody is served.
"""

import base64
import os
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from amity.infra import queries, signing
from amity.infra.config import settings
from amity.infra.crypto import pseudonym
from amity.infra.database import transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import NotFound
from amity.store.contracts_erasure import Receipt

_SQL: Final = queries.load("amity.store")


def make_receipt(
    *, receipt_id: UUID, subject: str, hashes: list[str], counts: dict[str, int], now: datetime
) -> Receipt:
    """Return a receipt with the installation's signature."""
    draft = Receipt(
        receipt_id=str(receipt_id),
        erased_at=format_instant(now),
        subject=subject,
        identifier_hashes=sorted(hashes),
        counts=counts,
        public_key=signing.public_key(),
        signature="",
    )
    signature = base64.b64encode(signing.sign(_message(draft))).decode()
    return msgspec.structs.replace(draft, signature=signature)


def is_genuine(receipt: Receipt) -> bool:
    """Say whether this installation signed exactly this receipt."""
    try:
        signature = base64.b64decode(receipt.signature, validate=True)
    except ValueError:
        return False
    return signing.is_signed(_message(receipt), signature)


def _message(receipt: Receipt) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(receipt, signature=""), order="sorted")


def receipts_path() -> Path:
    """Return where the receipts lie outside the database."""
    return settings().data / "erasures.jsonl"


def keep_receipt(receipt: Receipt) -> None:
    """Write a receipt to the file, on the disk for sure."""
    descriptor = os.open(receipts_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(msgspec.json.encode(receipt) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_receipts() -> list[Receipt]:
    """Return the receipts of the file that are whole and ours."""
    try:
        lines = receipts_path().read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            receipt = msgspec.json.decode(line, type=Receipt)
        except msgspec.MsgspecError:
            continue  # the last line of a process that was killed
        if is_genuine(receipt):
            found.append(receipt)
    return found


def get_receipt(*, receipt_id: UUID) -> Receipt:
    """Return the receipt of an erasure; raise NotFound."""
    with transaction() as connection:
        row = connection.execute(_SQL["erasure_read_receipt"], [receipt_id]).fetchone()
    if row is None or not row[0]:
        raise NotFound("there is no such receipt")
    return msgspec.json.decode(row[0], type=Receipt)


def list_unreplayed() -> list[Receipt]:
    """Return the receipts of the file that this database knows nothing of: it is an older one."""
    receipts = {receipt.receipt_id: receipt for receipt in read_receipts()}
    if not receipts:
        return []
    with transaction() as connection:
        ids = [UUID(each) for each in receipts]
        known = connection.execute(_SQL["erasure_known_receipts"], [ids]).fetchall()
    for (receipt_id,) in known:
        del receipts[str(receipt_id)]
    return list(receipts.values())


def find_named(receipts: list[Receipt]) -> dict[str, set[int]]:
    """Return, by receipt, the profiles that are here and were erased under it."""
    wanted: dict[str, set[str]] = {}
    for receipt in receipts:
        for each in receipt.identifier_hashes:
            wanted.setdefault(each, set()).add(receipt.receipt_id)
    found: dict[str, set[int]] = {receipt.receipt_id: set() for receipt in receipts}
    with transaction() as connection, connection.cursor("identifiers") as cursor:
        for kind, value, profile_id in cursor.execute(_SQL["erasure_every_identifier"]):
            for receipt_id in wanted.get(pseudonym(f"{kind}:{value}"), ()):
                found[receipt_id].add(profile_id)
    return found
