"""What crosses the store's doors about sources that call: their secrets, and what is asked of
others about a customer."""

from datetime import datetime
from typing import Literal

import msgspec


class SourceSecret(msgspec.Struct, frozen=True, kw_only=True):
    """That a source has a secret for one dialect; the secret itself is never shown again.

    Until ``former_until`` the one before it is good as well.
    """

    dialect: str
    former_until: datetime | None
    updated_at: datetime
    updated_by: str


class PhoneMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a phone number: when it is known as written, one; else those it may belong to."""

    number: str
    """As it is compared; "" for what is no phone number."""
    is_exact: bool
    profile_ids: list[int]


EnrichmentKey = Literal["email", "email_sha256", "email_domain", "phone", "user_id"]
"""What is told of a customer to ask about them; nothing else ever is."""


class EnrichmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask about customers, with what, and what of the answer is taken.

    ``url`` has `{value}` where the customer's identifier goes, after its host. ``mapping`` gives
    each trait the place of its value in the answer, as `company.size` or `results.0.name`.
    """

    name: str
    url: str
    key: EnrichmentKey
    purpose: str
    lawful_basis: str
    mapping: dict[str, str]
    header: str = ""
    """The name of the header its secret goes into, such as `Authorization`."""
    confidence: float = 0.7
    ttl_days: int = 180
    per_minute: int = 60
    is_automatic: bool = False
    """Whether customers who are seen from now on are asked about without being told to."""


class Enrichment(msgspec.Struct, frozen=True, kw_only=True):
    """One that is asked, and how it goes."""

    enrichment_id: int
    source_id: int
    plan: EnrichmentPlan
    has_secret: bool
    is_enabled: bool
    waiting: int
    answered: int
    unknown: int
    """Nothing is known there of these, or they have nothing to ask by."""
    withheld: int
    """These did not allow it; nothing of them was sent."""
    failed: int
    failure: str
    failed_at: datetime | None
    last_success_at: datetime | None
    created_by: str
    created_at: datetime


MailSecurity = Literal["tls", "starttls", "none"]


class MailboxPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which mailbox is read, and how it is reached.

    ``security`` of `none` is for a server on this machine only.
    """

    name: str
    host: str
    username: str
    port: int = 993
    security: MailSecurity = "tls"
    folder: str = "INBOX"
    interval_seconds: int = 60


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox that is read, and how far; its password is never shown."""

    mailbox_id: int
    source_id: int
    plan: MailboxPlan
    is_enabled: bool
    read: int
    stored: int
    left_out: int
    """Nobody's: automatic reports that are not about our mail, what cannot be read."""
    failure: str
    failed_at: datetime | None
    last_success_at: datetime | None
    created_at: datetime
