"""Whose data may only be kept: screens and the control API ask before they show any of it."""

from datetime import UTC, datetime
from typing import Any, Final

from amity.store import api as store

_RECORDS: Final = "records"


def is_restricted(profile_id: Any) -> bool:
    """Say whether a customer's data may only be kept, so that no page shows it."""
    if not isinstance(profile_id, int):
        return False
    reasons = store.may_use(profile_ids=[profile_id], purpose=_RECORDS, now=datetime.now(UTC))
    return reasons[profile_id] == "restricted"
