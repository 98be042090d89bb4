"""Those a phone number may belong to, for the screen and the API."""

from datetime import datetime

import msgspec

from amity.store import api as store
from amity.store.contracts_hooks import PhoneMatch
from amity.web.customers.words import who


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody a number may belong to."""

    profile_id: int
    name: str
    user_id: str | None
    order_count: int
    last_seen_at: datetime


def list_callers(match: PhoneMatch) -> list[Caller]:
    """Return who a number may belong to, who was here last first."""
    profiles = [store.get_profile(profile_id=each) for each in match.profile_ids]
    profiles.sort(key=lambda each: each.last_seen_at, reverse=True)
    return [
        Caller(
            profile_id=each.profile_id,
            name=who(each),
            user_id=None if each.is_restricted else each.user_id,
            order_count=0 if each.is_restricted else each.order_count,
            last_seen_at=each.last_seen_at,
        )
        for each in profiles
    ]
