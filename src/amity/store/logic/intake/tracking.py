"""Opens and clicks on their way into the log: only of those who agree to it now.

Whoever takes back consent to `tracking.email` is counted no more, also in messages that were sent
before (SAFETY 3.6). Profiles that are gone are left out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.profiles.contact_points import contact_key

_SQL: Final = queries.load("amity.store")
EMAIL_TRACKING: Final = "tracking.email"


def record_tracked(*, events: Sequence[SystemEvent], now: datetime) -> int:
    """Record what customers did with messages, of those who agree; say how many that is.

    One transaction; an event whose message id is known is left out.
    """
    if not events:
        return 0
    with transaction() as connection:
        agreeing = _list_agreeing(connection, {event.profile_id for event in events}, now)
        allowed = [event for event in events if event.profile_id in agreeing]
        if allowed:
            record_events(connection=connection, events=allowed, now=now)
    return len(allowed)


def _list_agreeing(connection: Connection, profile_ids: set[int], now: datetime) -> set[int]:
    """Return those the gate lets be counted and who did not object at any of their addresses."""
    rows = connection.execute(_SQL["read_agreeing"], [sorted(profile_ids), now]).fetchall()
    keys = {
        (profile_id, contact_key(channel="email", address=address))
        for profile_id, _, addresses in rows
        for address in addresses
    }
    granted_at = {profile_id: datetime.fromisoformat(at) for profile_id, at, _ in rows}
    found = connection.execute(
        _SQL["read_objections"],
        {"purpose": EMAIL_TRACKING, "keys": sorted({key for _, key in keys})},
    ).fetchall()
    objected_at = {key: datetime.fromisoformat(at) for key, at in found}
    objecting = {
        profile_id
        for profile_id, key in keys
        if key in objected_at and objected_at[key] >= granted_at[profile_id]
    }
    return granted_at.keys() - objecting
