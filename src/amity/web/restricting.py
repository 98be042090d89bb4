"""Whose data may only be kept: screens and the control API ask before they show any of it."""

from datetime import UTC, datetime
from typing import Any, Final

from amity.kernel.errors import Denied
from amity.store import api as store

_RECORDS: Final = "records"
RESTRICTED: Final = "the processing of this customer's data is restricted: it is only kept"


def is_restricted(profile_id: Any) -> bool:
    """Say whether a customer's data may only be kept, so that no page shows it."""
    if not isinstance(profile_id, int):
        return False
    reasons = store.may_use(profile_ids=[profile_id], purpose=_RECORDS, now=datetime.now(UTC))
    return reasons[profile_id] == "restricted"


def refuse_restricted(*profile_ids: int) -> None:
    """Raise Denied when one of these customers' data may only be kept.

    For what uses the data further. What serves the customer's own rights (an erasure, a choice
    they make, taking a wrong join apart) is done all the same.
    """
    if any(is_restricted(profile_id) for profile_id in profile_ids):
        raise Denied(RESTRICTED, code="restricted")
