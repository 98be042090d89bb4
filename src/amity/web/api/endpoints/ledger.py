"""Consent ledger: every statement about a purpose, in the order it was written down."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts_consent import ConsentRecord, LedgerCheck, LedgerFilter, LedgerStatus
from amity.web.api.routing import Cursor, Limit, RowId, route

Word = Annotated[str, Meta(max_length=100)]


class LedgerQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records: of one purpose, status, method or customer."""

    purpose: Word = ""
    status: LedgerStatus | None = None
    method: Word = ""
    profile_id: RowId | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class LedgerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record; `profile_id` and `evidence` are null once the customer was erased."""

    record_id: int
    profile_id: int | None
    purpose: str
    channel: str
    basis: str
    jurisdiction: str
    status: LedgerStatus
    event_time: datetime
    recorded_time: datetime
    method: str
    notice: str
    notice_sha256: str
    source_id: int
    evidence: str | None
    expires_at: datetime | None
    recipients: list[str]
    hash: str


@route("GET", "/consent-records", scope="consents:read")
def list_consent_records(query: LedgerQuery) -> Page[LedgerRecord]:
    """List what was said about purposes, the latest record first."""
    filters = LedgerFilter(
        purpose=query.purpose,
        status=query.status or "",
        method=query.method,
        profile_id=query.profile_id,
    )
    page = store.list_consent_records(filters=filters, cursor=query.cursor, limit=query.limit)
    return Page([_record(each) for each in page.items], page.next_cursor)


@route("GET", "/consent-records/check", scope="consents:read")
def check_consent_records() -> LedgerCheck:
    """Go through the whole ledger and say whether it is as it was written.

    The same as `amity audit verify`; a long ledger takes a while.
    """
    return store.verify_consents()


def _record(record: ConsentRecord) -> LedgerRecord:
    return LedgerRecord(
        record_id=record.record_id,
        profile_id=record.origin_id,
        purpose=record.purpose,
        channel=record.channel,
        basis=record.basis,
        jurisdiction=record.jurisdiction,
        status=record.status,
        event_time=record.event_time,
        recorded_time=record.recorded_time,
        method=record.method,
        notice=record.notice,
        notice_sha256=record.notice_sha256,
        source_id=record.source_id,
        evidence=record.evidence,
        expires_at=record.expires_at,
        recipients=record.recipients,
        hash=record.hash.hex(),
    )
