"""The chain of the consent ledger (pure): how a row is hashed, and what shows that one was touched.

`hash_n = SHA-256(hash_n-1 ‖ canonical JSON of row n)` (rule D52, RFC 8785). Personal detail stands
outside the row's JSON and its own hash inside, so that it can be taken away and the chain stays
whole. A keyed seal over each hash shows the first row of a chain that was written anew by somebody
without the installation's key; signed heads kept elsewhere show that a tail is missing.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from amity.infra.subject_keys import is_sealed
from amity.kernel.clock import format_instant
from amity.store.contracts_consent import ConsentRecord, LedgerCheck, LedgerStatus, SignedHead

SCHEMA: Final = 1
START: Final = bytes(32)
"""What comes before the first row."""

ERASED: Final[LedgerStatus] = "invalidated"
ERASURE: Final = "erasure"
"""The method of the row that says why earlier rows about the same subject are blank."""

_SEAL_BYTES: Final = 16

Seal = Callable[[bytes], bytes]
Signed = Callable[[bytes, bytes], bool]


def canonical(value: Any) -> bytes:
    """Return RFC 8785 canonical JSON of texts, whole numbers, booleans, lists and objects.

    Object keys must be ASCII: then sorting by code point is sorting by UTF-16 code unit. There are
    no fractions here: their canonical form is another language's.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_seal(key: bytes) -> Seal:
    """Return what seals hashes with a key."""
    return lambda digest: hmac.digest(key, digest, "sha256")[:_SEAL_BYTES]


def content_of(record: ConsentRecord) -> dict[str, Any]:
    """Return what of a record is hashed."""
    return {
        "schema": SCHEMA,
        "record_id": record.record_id,
        "subject": record.subject,
        "event_id": record.event_id,
        "purpose": record.purpose,
        "channel": record.channel,
        "basis": record.basis,
        "jurisdiction": record.jurisdiction,
        "status": record.status,
        "event_time": format_instant(record.event_time),
        "recorded_time": format_instant(record.recorded_time),
        "method": record.method,
        "notice": record.notice,
        "notice_sha256": record.notice_sha256,
        "source_id": record.source_id,
        "evidence_sha256": record.evidence_sha256,
        "expires_at": None if record.expires_at is None else format_instant(record.expires_at),
        "recipients": list(record.recipients),
    }


def hash_of(record: ConsentRecord, prev_hash: bytes) -> bytes:
    """Return the hash of a record that follows on ``prev_hash``."""
    return hashlib.sha256(prev_hash + canonical(content_of(record))).digest()


def head_message(record_id: int, digest: str, signed_at: datetime) -> bytes:
    """Return what is signed of a head."""
    return canonical(
        {"ledger": "consents", "record_id": record_id, "hash": digest}
        | {"signed_at": format_instant(signed_at)}
    )


class Checker:
    """Goes through the ledger in its order and remembers the first record that is wrong."""

    def __init__(self, *, seal: Seal, subject_of: Callable[[int], str]) -> None:
        self._seal = seal
        self._subject_of = subject_of
        self._hash = START
        self._blank: dict[str, int] = {}
        self.record_id = 0
        self.bad_record: int | None = None
        self.fault = ""
        self.hashes: dict[int, str] = {}
        """Of the records whose numbers were asked for."""

    def take(self, records: Iterable[ConsentRecord], wanted: Mapping[int, Any]) -> None:
        """Look at the next records; keep the hashes of those that are ``wanted``."""
        for record in records:
            if self.bad_record is not None:
                return
            fault = self._find_fault(record)
            if fault:
                self._blame(min(record.record_id, self.record_id + 1), fault)
                return
            self.record_id, self._hash = record.record_id, record.hash
            if record.record_id in wanted:
                self.hashes[record.record_id] = record.hash.hex()
            if record.evidence is None or is_sealed(record.evidence):
                self._blank.setdefault(record.subject, record.record_id)
            if record.method == ERASURE and record.status == ERASED:
                self._blank.pop(record.subject, None)

    def _find_fault(self, record: ConsentRecord) -> str:
        if record.record_id != self.record_id + 1:
            return f"the record {self.record_id + 1} is missing"
        if record.prev_hash != self._hash:
            return "it does not follow on the record before it"
        if record.hash != hash_of(record, self._hash):
            return "it is not what was written"
        if not hmac.compare_digest(record.seal, self._seal(record.hash)):
            return "it was not written by this installation"
        return self._find_personal_fault(record)

    def _find_personal_fault(self, record: ConsentRecord) -> str:
        """Return what is wrong with what stands outside the hash."""
        if record.origin_id is None or record.evidence is None:
            is_blank = record.origin_id is None and record.evidence is None
            return "" if is_blank else "a part of what is personal is gone"
        # Sealed still: its key was destroyed, which an erasure must account for.
        is_readable = not is_sealed(record.evidence)
        if is_readable and digest_of(record.evidence) != record.evidence_sha256:
            return "its evidence is not what was written"
        if self._subject_of(record.origin_id) != record.subject:
            return "it was moved to another customer"
        return ""

    def finish(self, heads: Iterable[SignedHead], is_signed: Signed) -> LedgerCheck:
        """Compare with the signed heads and return the verdict."""
        count, good = 0, 0
        for head in sorted(heads, key=lambda each: each.record_id):
            count += 1
            fault, place = self._compare(head, good, is_signed)
            if fault:
                self._blame(place, fault)
            else:
                good = head.record_id
        if self._blank:
            first = min(self._blank.values())
            self._blame(first, "it is blank, and no erasure is recorded")
        return LedgerCheck(
            is_whole=self.bad_record is None,
            records=self.record_id,
            heads=count,
            bad_record=self.bad_record,
            fault=self.fault,
            head_hash=self._hash.hex() if self.record_id else "",
        )

    def _compare(self, head: SignedHead, good: int, is_signed: Signed) -> tuple[str, int]:
        """Return what a head shows to be wrong, and from which record on."""
        message = head_message(head.record_id, head.hash, head.signed_at)
        if not is_signed(message, _raw(head.signature)):
            return f"the signed head at record {head.record_id} is not ours", head.record_id
        if self.bad_record is not None:
            return "", 0
        if head.record_id > self.record_id:
            words = f"records are missing: the chain had come to {head.record_id}"
            return words, self.record_id + 1
        if self.hashes.get(head.record_id) != head.hash:
            words = (
                f"the records from {good + 1} to {head.record_id} are not those that were signed"
            )
            return words, good + 1
        return "", 0

    def _blame(self, record_id: int, fault: str) -> None:
        if self.bad_record is None or record_id < self.bad_record:
            self.bad_record, self.fault = record_id, fault


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
