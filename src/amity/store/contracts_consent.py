"""What crosses the store's doors about consent: purposes, notices, the ledger and its receipts."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from amity.store.contracts import Consent

LawfulBasis = Literal[
    "consent", "contract", "legitimate_interest", "soft_opt_in", "legal_obligation"
]
LedgerStatus = Literal["given", "denied", "withdrawn", "expired", "invalidated", "pending"]
UseReason = Literal[
    "",
    "restricted",
    "no_consent",
    "consent_expired",
    "objected",
    "suppressed",
    "on_pause",
    "under_age",
    "unknown",
]
"""Why a customer's data may not be used for a purpose; "" when it may.

`restricted`: it may only be kept (GDPR Art. 18). `on_pause`: she wants nothing for a while.
`under_age`: she is too young for it, and no guardian has agreed.
`unknown`: there is no such customer, for instance since they were erased.
"""


def is_spoken(name: str) -> bool:
    """Say whether a name among a profile's consents is a purpose, and no mark of the gate's own."""
    return not name.startswith("~")


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What data is used for. Without ``needs_consent`` it is allowed until the customer objects."""

    key: str
    title: str
    """How it is called in a sentence."""
    covers: str
    """What it covers, told to the person."""
    channels: list[str] = []
    basis: LawfulBasis = "consent"
    needs_consent: bool = True
    expiry_months: int | None = None
    """How long a yes is worth something; None = until it is taken back."""
    is_shown: bool = True
    """Whether the preference centre asks about it."""
    place: int = 100
    updated_at: datetime | None = None
    updated_by: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a customer stands to one purpose: what was said last, and what the gate makes of it."""

    purpose: str
    title: str
    """How the purpose is called in a sentence; its key where nobody has described it."""
    reason: UseReason
    """Why her data may not be used for it, "" when it may."""
    said: Consent | None
    """The last word; None when nothing was ever said."""


class AskedPurpose(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose as the preference centre asks about it, and which words these are."""

    key: str
    title: str
    covers: str
    notice: str
    """The name of the notice with exactly these words; "" without one."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The exact words of one version of a notice in one language."""

    key: str
    version: int
    language: str
    wording: str
    sha256: str
    created_at: datetime
    created_by: str

    @property
    def name(self) -> str:
        """Return how the ledger and events call it: `marketing.email@3`, or `…@3/de`."""
        suffix = "" if self.language == "en" else f"/{self.language}"
        return f"{self.key}@{self.version}{suffix}"


class ConsentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the consent ledger."""

    record_id: int
    origin_id: int | None
    """The profile it was said for, before any merge; None once the customer was erased."""
    subject: str
    event_id: int
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
    """JSON; None once the customer was erased."""
    evidence_sha256: str
    expires_at: datetime | None
    recipients: list[str]
    prev_hash: bytes
    hash: bytes
    seal: bytes


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain had come to at a moment, signed with the installation's key."""

    record_id: int
    hash: str
    """In hexadecimal."""
    signed_at: datetime
    signature: str
    """Ed25519, in base64."""


class LedgerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger is whole. ``bad_record`` is the first that is not as it was written."""

    is_whole: bool
    records: int
    heads: int
    """How many signed heads were compared."""
    bad_record: int | None = None
    fault: str = ""
    """What is wrong with it, for people."""
    head_hash: str = ""


class LedgerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are wanted; "" and None mean all."""

    purpose: str = ""
    status: str = ""
    method: str = ""
    source_id: int | None = None
    profile_id: int | None = None


class ConsentReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer said, for the customer to keep (the shape of ISO/IEC TS 27560)."""

    schema_version: str
    receipt_id: str
    issued_at: datetime
    controller: dict[str, str]
    pii_principal: str
    """A keyed id: it names nobody to who finds the receipt."""
    records: list[dict[str, Any]]
    """The latest first."""
    ledger_head: str
    signature: str
    """Ed25519 over the SHA-256 of everything above as RFC 8785 canonical JSON, in base64."""


class Signup(msgspec.Struct, frozen=True, kw_only=True):
    """What a form of the shop's says: an address that wants messages, not yet shown to be hers."""

    address: str
    purposes: list[str]
    source_id: int
    notice: str = ""
    """The words she read: `marketing.email@3`, or `…@3/de`."""
    language: str = ""
    name: str = ""
    browser: str = ""
    """The family of her browser, such as Firefox."""
    network: str = ""
    """A keyed hash of her network address; "" when it is the shop's server that asks."""


class Confirmation(msgspec.Struct, frozen=True, array_like=True):
    """What the link of a confirmation message carries."""

    profile_id: int
    address_key: str
    event_id: int
    """The request that is confirmed."""
    send_id: str
