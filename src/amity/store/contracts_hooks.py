"""What crosses the store's doors about sources that call: their secrets, and what is asked of
others about a customer."""

from datetime import datetime

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
