"""What the store says about erasures: receipts, their list, and what a restore brought back."""

from datetime import datetime
from uuid import UUID

import msgspec


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of an erasure: keyed hashes alone, so it names nobody; signed (Ed25519)."""

    receipt_id: str
    erased_at: str
    subject: str
    """The keyed hash of the profile's number."""
    identifier_hashes: list[str]
    counts: dict[str, int]
    """How many rows went from each table in the transaction of the erasure."""
    public_key: str
    signature: str


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure as it is listed."""

    erasure_id: int
    erased_at: datetime
    requested_by: str
    counts: dict[str, int]
    receipt_id: UUID
    finished_at: datetime | None
    """When the engines above and the files were through."""
    cleaned_at: datetime | None
    """When the space of the deleted rows was written anew."""
    vacuumed_only: list[str]
    """Tables too large to be written anew: their freed space is overwritten as it is used."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What was done about an older database that was put back."""

    receipts: int
    """Erasures this database had not heard of."""
    erased: int
    """Customers who were back, and are erased again."""
