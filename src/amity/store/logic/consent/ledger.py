"""The consent ledger: what the log says about consent, written down in order, once, in a chain.

A consumer of the activities like any other: its position moves in the transaction of its records.
A record is never changed, so a rebuild of the profiles leaves it alone, and a merge or its undoing
too: each record knows the profile it was said for before any merge. Erasing a customer takes away
what is personal and adds a record that says so; the chain stays whole.
"""

import base64
import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec

from amity.infra import queries, signing, subject_keys
from amity.infra.crypto import installation_secrets, pseudonym
from amity.infra.database import Connection, transaction
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, Consent, SourceKind
from amity.store.contracts_consent import ConsentRecord, LedgerCheck, LedgerStatus, SignedHead
from amity.store.logic.consent import heads
from amity.store.logic.consent.chain import (
    ERASED,
    ERASURE,
    START,
    Checker,
    digest_of,
    hash_of,
    make_seal,
)
from amity.store.logic.consent.purposes import load_policies
from amity.store.logic.consent.statements import CONSENT_REQUESTED, ends_at
from amity.store.logic.consent.terms import LEDGER_EVENTS, Terms, list_terms
from amity.store.logic.folding.consumers import (
    activity,
    advance_consumer,
    claim_consumer,
    wait_consumer,
)

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger(__name__)
CONSUMER: Final = "consents"
_LAPSED_AT_ONCE: Final = 500
_READ_AT_ONCE: Final = 2000
EVERYTHING: Final = "*"
"""The purpose of a record that is about all purposes."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record before it has its place."""

    origin_id: int | None
    subject: str
    event_id: int
    event_time: datetime
    recorded_time: datetime
    source_id: int
    terms: Terms


@cache
def _seal_key(pepper: str) -> bytes:
    return hmac.digest(pepper.encode(), b"amity.consents", "sha256")


def subject_of(origin_id: int) -> str:
    """Return the keyed hash a profile goes by in the ledger, also after its erasure."""
    return pseudonym(f"profile:{origin_id}")


def write_consents(*, now: datetime, limit: int = 5000) -> int:
    """Take one turn: write down what up to ``limit`` activities say; return how many there were.

    Also writes down the consents that time has ended. Raises nothing for what events say.
    """
    with transaction() as connection:
        position = claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return 0
        arguments = {"after": position, "limit": limit, "names": sorted(LEDGER_EVENTS)}
        until: int = _one(connection, "consents_until", arguments)[0]
        entries: list[_Entry] = []
        if until > position:
            entries = _read_entries(connection, arguments | {"until": until})
            advance_consumer(connection=connection, name=CONSUMER, position=until)
        entries += _read_lapsed(connection, now)
        head = append(connection, entries, now)
    copy_head(head)
    return max(0, until - position)


def _read_entries(connection: Connection, arguments: dict[str, Any]) -> list[_Entry]:
    rows = connection.execute(_SQL["consents_activity"], arguments, binary=True).fetchall()
    if not rows:
        return []
    known = {
        row[0] for row in connection.execute(_SQL["consents_known"], [[row[2] for row in rows]])
    }
    policies = load_policies(connection)
    entries = []
    for row in rows:
        happened: Activity = activity(row)
        if happened.event_id in known or not _is_ours(happened):
            continue
        kind: SourceKind = row[11]
        for terms in list_terms(happened, kind, policies):
            ends = terms.expires_at
            if terms.status == "given":
                said = _as_consent(happened, terms)
                ends = ends_at(said, policies.get(terms.purpose))
            entries.append(
                _Entry(
                    origin_id=happened.origin_id,
                    subject=subject_of(happened.origin_id),
                    event_id=happened.event_id,
                    event_time=happened.occurred_at,
                    recorded_time=happened.received_at,
                    source_id=happened.source_id,
                    terms=msgspec.structs.replace(terms, expires_at=ends),
                )
            )
    return entries


def _is_ours(happened: Activity) -> bool:
    """Say whether an event means what its name says: some are only Amity's to record."""
    return happened.name != CONSENT_REQUESTED or happened.source_id == SYSTEM_SOURCE_ID


def _as_consent(happened: Activity, terms: Terms) -> Consent:
    return Consent(
        status="granted",
        at=happened.occurred_at,
        source_id=happened.source_id,
        event_id=happened.event_id,
        expires_at=terms.expires_at,
    )


def _read_lapsed(connection: Connection, now: datetime) -> list[_Entry]:
    arguments = {"now": now, "limit": _LAPSED_AT_ONCE}
    rows = connection.execute(_SQL["consents_lapsed"], arguments).fetchall()
    return [
        _Entry(
            origin_id=row[0],
            subject=subject_of(row[0]),
            event_id=0,
            event_time=row[5],
            recorded_time=now,
            source_id=SYSTEM_SOURCE_ID,
            terms=_own_terms(row[1], "expired", "clock", rest=row[2:5]),
        )
        for row in rows
    ]


def _own_terms(
    purpose: str, status: LedgerStatus, method: str, *, rest: Sequence[str] = ("", "", "")
) -> Terms:
    return Terms(
        purpose=purpose,
        status=status,
        channel=rest[0],
        basis=rest[1],
        jurisdiction=rest[2],
        method=method,
        notice="",
        notice_sha256="",
        expires_at=None,
        recipients=[],
        evidence="{}",
    )


def append(
    connection: Connection, entries: Iterable[_Entry], now: datetime
) -> tuple[SignedHead, bool] | None:
    """Chain entries on; return the new signed head and whether it is one to keep.

    The caller holds the consumer's turn, so nobody else appends. None when there is nothing new.
    """
    last = connection.execute(_SQL["consents_head"]).fetchone() or (0, START)
    records = list(_chain(entries, last[0], bytes(last[1])))
    if not records:
        return None
    sealed = list(_seal_evidence(connection, records))  # the keys are asked for before the COPY
    with connection.cursor().copy(_SQL["consents_copy"]) as copy:
        for record in sealed:
            copy.write_row(msgspec.structs.astuple(record))
    head = heads.sign_head(records[-1].record_id, records[-1].hash, now)
    kept = connection.execute(_SQL["consents_last_head"]).fetchone()
    if (
        kept is None
        or head.record_id - kept[0] >= heads.EVERY_RECORDS
        or now - kept[1] >= heads.EVERY
    ):
        connection.execute(
            _SQL["consents_add_head"],
            [head.record_id, records[-1].hash, now, base64.b64decode(head.signature)],
        )
        return head, True
    return head, False


def _chain(entries: Iterable[_Entry], record_id: int, prev_hash: bytes) -> Iterator[ConsentRecord]:
    seal = make_seal(_seal_key(installation_secrets().pepper))
    for entry in entries:
        record_id += 1
        terms = entry.terms
        draft = ConsentRecord(
            record_id=record_id,
            origin_id=entry.origin_id,
            subject=entry.subject,
            event_id=entry.event_id,
            purpose=terms.purpose,
            channel=terms.channel,
            basis=terms.basis,
            jurisdiction=terms.jurisdiction,
            status=terms.status,
            event_time=entry.event_time,
            recorded_time=entry.recorded_time,
            method=terms.method,
            notice=terms.notice,
            notice_sha256=terms.notice_sha256,
            source_id=entry.source_id,
            evidence=terms.evidence if entry.origin_id is not None else None,
            evidence_sha256=digest_of(terms.evidence),
            expires_at=terms.expires_at,
            recipients=terms.recipients,
            prev_hash=prev_hash,
            hash=b"",
            seal=b"",
        )
        prev_hash = hash_of(draft, prev_hash)
        yield msgspec.structs.replace(draft, hash=prev_hash, seal=seal(prev_hash))


def _seal_evidence(connection: Connection, records: list[ConsentRecord]) -> Iterator[ConsentRecord]:
    """Seal what is personal under each profile's own key; the hashes are of what was said."""
    keys = subject_keys.obtain_keys(
        connection, (each.origin_id for each in records if each.origin_id is not None)
    )
    for record in records:
        key = None if record.origin_id is None else keys.get(record.origin_id)
        if key is None or record.evidence is None:
            yield record
        else:
            sealed = subject_keys.seal_for(key, record.evidence, about=_place(record))
            yield msgspec.structs.replace(record, evidence=sealed)


def _place(record: ConsentRecord) -> str:
    return f"consent.{record.record_id}"


def copy_head(head: tuple[SignedHead, bool] | None) -> None:
    """Copy a head outside the database, after the commit of its records.

    A head out there that the chain does not lead on from is kept: it shows that records are gone.
    """
    if head is None:
        return
    newest, is_kept = head
    before = heads.read_newest()
    if before is not None and not _is_in_chain(before):
        _log.error("the consent ledger has lost records it had: run `amity audit verify`")
        heads.keep(before)
    if is_kept:
        heads.keep(newest)
    heads.put_newest(newest)


def _is_in_chain(head: SignedHead) -> bool:
    with transaction() as connection:
        row = connection.execute(_SQL["consents_hash"], [head.record_id]).fetchone()
    return row is not None and bytes(row[0]).hex() == head.hash


def blank_consents(
    connection: Connection, origins: list[int], now: datetime
) -> tuple[int, tuple[SignedHead, bool] | None]:
    """Take away what is personal of these profiles, in the caller's transaction, and say so.

    Returns how many records that was, and the head to give to `copy_head` after the commit.
    """
    wait_consumer(connection, CONSUMER)
    blanked = connection.execute(_SQL["consents_blank"], [origins]).fetchall()
    entries = [
        _Entry(
            origin_id=None,
            subject=subject,
            event_id=0,
            event_time=now,
            recorded_time=now,
            source_id=SYSTEM_SOURCE_ID,
            terms=_own_terms(EVERYTHING, ERASED, ERASURE),
        )
        for subject, _ in blanked
    ]
    return sum(amount for _, amount in blanked), append(connection, entries, now)


def verify_consents(*, progress: Callable[[int], None] | None = None) -> LedgerCheck:
    """Go through the whole ledger and say whether it is as it was written.

    Compares every record with its hash, every hash with the one before it, and the chain with the
    signed heads in the database and outside. ``progress`` hears how many records were looked at.
    """
    checker = Checker(
        seal=make_seal(_seal_key(installation_secrets().pepper)), subject_of=subject_of
    )
    # The heads first: the chain may grow meanwhile, and may not shrink.
    kept = [*heads.read_kept(), *_read_heads()]
    wanted = {head.record_id: head for head in kept}
    place = 0
    while checker.bad_record is None:
        with transaction() as connection:
            arguments = [place, _READ_AT_ONCE]
            rows = connection.execute(_SQL["consents_chain"], arguments, binary=True).fetchall()
            records = read_records(connection, rows)
        checker.take(records, wanted)
        if not records:
            break
        place = records[-1].record_id
        if progress:
            progress(place)
    if checker.record_id and not kept:
        return _without_heads(checker)
    return checker.finish(kept, signing.is_signed)


def _without_heads(checker: Checker) -> LedgerCheck:
    verdict = checker.finish([], signing.is_signed)
    if not verdict.is_whole:
        return verdict
    return msgspec.structs.replace(
        verdict,
        is_whole=False,
        bad_record=checker.record_id + 1,
        fault="all signed heads are gone, so nobody can say whether records are missing",
    )


def _read_heads() -> list[SignedHead]:
    with transaction() as connection:
        rows = connection.execute(_SQL["consents_heads"]).fetchall()
    return [
        SignedHead(
            record_id=row[0], hash=row[1], signed_at=row[2], signature=row[3].replace("\n", "")
        )
        for row in rows
    ]


def read_records(connection: Connection, rows: list[tuple[Any, ...]]) -> list[ConsentRecord]:
    """Make records of rows of the queries that select their columns, with evidence to be read.

    Evidence whose key was destroyed stays sealed.
    """
    records = [read_record(row) for row in rows]
    keys = subject_keys.read_keys(
        connection, (each.origin_id for each in records if each.origin_id is not None)
    )
    return [
        record
        if record.evidence is None or record.origin_id is None
        else msgspec.structs.replace(
            record,
            evidence=subject_keys.open_for(
                keys.get(record.origin_id), record.evidence, about=_place(record)
            ),
        )
        for record in records
    ]


def read_record(row: tuple[Any, ...]) -> ConsentRecord:
    """Make a record of a row as it lies there: its evidence sealed."""
    record = ConsentRecord(**dict(zip(ConsentRecord.__struct_fields__, row, strict=True)))
    return msgspec.structs.replace(
        record,
        prev_hash=bytes(record.prev_hash),
        hash=bytes(record.hash),
        seal=bytes(record.seal),
    )


def _one(connection: Connection, query: str, arguments: dict[str, Any]) -> tuple[Any, ...]:
    row = connection.execute(_SQL[query], arguments).fetchone()
    assert row is not None
    return row
