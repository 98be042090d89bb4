"""Reading the consent ledger: pages of it, one record, and a customer's receipt."""

import base64
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries, signing
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_consent import ConsentReceipt, ConsentRecord, LedgerFilter
from amity.store.logic.consent.chain import canonical, digest_of
from amity.store.logic.consent.ledger import read_records, subject_of
from amity.store.logic.profiles.reading import find_root, list_joined

_SQL: Final = queries.load("amity.store")
_MOST: Final = 200
_MOST_IN_RECEIPT: Final = 1000
RECEIPT_SCHEMA: Final = "ISO/IEC TS 27560:2023 (simplified), Amity 1"


def list_consent_records(
    *, filters: LedgerFilter, cursor: str | None = None, limit: int = 50
) -> Page[ConsentRecord]:
    """Return a page of the ledger, the latest first. Raises NotFound for an unknown profile.

    The records of a customer are those of all profiles joined in her.
    """
    origins = None
    if filters.profile_id is not None:
        origins = list_joined(profile_id=filters.profile_id)
    arguments: dict[str, Any] = {
        "before": decode_cursor(cursor, (int,))[0] if cursor else None,
        "purpose": filters.purpose,
        "status": filters.status,
        "method": filters.method,
        "source_id": filters.source_id,
        "origins": origins,
        "limit": min(max(limit, 1), _MOST) + 1,
    }
    with transaction() as connection:
        rows = connection.execute(_SQL["consents_page"], arguments).fetchall()
        most = arguments["limit"] - 1
        more, rows = len(rows) > most, rows[:most]
        records = read_records(connection, rows)
    return Page(records, encode_cursor([rows[-1][0]]) if more else None)


def get_consent_record(*, record_id: int) -> ConsentRecord:
    """Return one record; raise NotFound."""
    with transaction() as connection:
        rows = connection.execute(_SQL["consents_chain"], [record_id - 1, 1]).fetchall()
        records = read_records(connection, rows)
    if not records or records[0].record_id != record_id:
        raise NotFound("there is no such record in the consent ledger", code="no_record")
    return records[0]


def count_consent_records() -> int:
    """Return how many records the ledger has; its numbers have no gaps."""
    with transaction() as connection:
        row = connection.execute(_SQL["consents_head"]).fetchone()
    return 0 if row is None else int(row[0])


def list_consent_methods() -> list[str]:
    """Return the methods that occur in the ledger, for a filter."""
    with transaction() as connection:
        return [row[0] for row in connection.execute(_SQL["consents_methods"])]


def make_consent_receipt(
    *, profile_id: int, now: datetime, connection: Connection | None = None
) -> ConsentReceipt:
    """Return a signed receipt of all that a customer said about consent; raise NotFound.

    Every record stands in it with the exact hash of the words it was asked in, and with its place
    in the chain. No address and no name is in it.
    """
    if connection is None:
        with transaction() as own:
            return make_consent_receipt(profile_id=profile_id, now=now, connection=own)
    root = find_root(connection, profile_id)
    origins = [row[0] for row in connection.execute(_SQL["consents_joined"], [root])]
    values: dict[str, Any] = {"before": None, "purpose": "", "status": "", "method": ""}
    values |= {"source_id": None, "origins": origins, "limit": _MOST_IN_RECEIPT}
    rows = connection.execute(_SQL["consents_page"], values).fetchall()
    found = read_records(connection, rows)
    head = connection.execute(_SQL["consents_head"]).fetchone()
    using = settings()
    receipt = ConsentReceipt(
        schema_version=RECEIPT_SCHEMA,
        receipt_id=digest_of(f"{root}\0{format_instant(now)}")[:32],
        issued_at=now,
        controller={"name": using.mail_from_name, "contact": using.mail_from}
        | {"address": using.postal_address, "public_key": signing.public_key()},
        pii_principal=subject_of(root),
        records=[_told(record) for record in found],
        ledger_head="" if head is None else bytes(head[1]).hex(),
        signature="",
    )
    signature = signing.sign(message_of(receipt))
    return msgspec.structs.replace(receipt, signature=base64.b64encode(signature).decode())


def message_of(receipt: ConsentReceipt) -> bytes:
    """Return what is signed of a receipt: all of it but the signature."""
    told = msgspec.to_builtins(receipt)
    del told["signature"]
    return canonical(told)


def _told(record: ConsentRecord) -> dict[str, Any]:
    """Return a record as its subject reads it."""
    return {
        "record_id": record.record_id,
        "purpose": record.purpose,
        "lawful_basis": record.basis,
        "channel": record.channel,
        "jurisdiction": record.jurisdiction,
        "status": record.status,
        "event_time": format_instant(record.event_time),
        "recorded_time": format_instant(record.recorded_time),
        "method": record.method,
        "notice": record.notice,
        "notice_sha256": record.notice_sha256,
        "expires_at": None if record.expires_at is None else format_instant(record.expires_at),
        "recipients": record.recipients,
        "record_hash": record.hash.hex(),
    }
