"""Erasing one customer from every engine: for the screens, the control API and the CLI."""

from datetime import datetime

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.infra import warehouse
from amity.personalization import api as personalization
from amity.store import api as store


def erase_customer(*, profile_id: int, by: str, now: datetime) -> dict[str, int]:
    """Erase a customer for good; return how many rows went from each table.

    The store goes first: it holds the events everything else is made from, so nothing above
    can learn of her anew; the warehouse last, which holds what all of them do. Raises NotFound.
    """
    profile_ids = store.list_joined(profile_id=profile_id)
    counts = store.erase_profile(profile_id=profile_id, by=by, now=now)
    counts |= analysis.forget_profiles(profile_ids=profile_ids)
    counts |= personalization.forget_profiles(profile_ids=profile_ids)
    counts |= broadcast.forget_profiles(profile_ids=profile_ids)
    return counts | warehouse.forget(profile_ids)
