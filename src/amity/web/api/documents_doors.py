"""What goes over the wire about doors that are changed by hand: as they were made, without the
figures that move by themselves, so that an ETag holds until somebody changes something."""

from datetime import datetime
from typing import TypeVar

import msgspec

from amity.store.contracts_hooks import EnrichmentPlan, MailboxPlan
from amity.store.contracts_outbound import OutboundFormat, OutboundState

Struct = TypeVar("Struct", bound=msgspec.Struct)


class WebhookDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as it was made; how it does is asked at `/health`."""

    endpoint_id: int
    name: str
    url: str
    format: OutboundFormat
    events: list[str]
    segment_ids: list[int]
    purpose: str
    state: OutboundState
    state_reason: str
    former_until: datetime | None
    """Until then the secret from before the rotation signs too."""
    created_by: str
    created_at: datetime


class MadeWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook just made or given a new secret, which is shown this once."""

    webhook: WebhookDocument
    secret: str


class MailboxDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox as it was set up; how far it is read is asked at `/health`."""

    mailbox_id: int
    source_id: int
    plan: MailboxPlan
    is_enabled: bool
    created_at: datetime


class EnrichmentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An enrichment as it was set up; how it goes is asked at `/health`."""

    enrichment_id: int
    source_id: int
    plan: EnrichmentPlan
    has_secret: bool
    is_enabled: bool
    created_by: str
    created_at: datetime


class PullDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A database as it was set up; how far it is read is asked at `/health`."""

    pull_id: int
    name: str
    source_id: int
    address: str
    """Where it is, without the password."""
    is_paused: bool
    schema: str
    relation: str
    """The table that is read; "" while none was chosen."""
    cursor_column: str
    key_columns: list[str]
    connector: str
    mapping: dict[str, str]
    interval_seconds: int
    overlap: int
    created_by: str
    created_at: datetime


def pick(kind: type[Struct], whole: msgspec.Struct) -> Struct:
    """Return the fields of a struct that another kind has too."""
    held = set(whole.__struct_fields__)
    names = [name for name in kind.__struct_fields__ if name in held]
    return kind(**{name: getattr(whole, name) for name in names})
