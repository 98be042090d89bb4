"""The message that asks whoever signed up by a form whether it was she (double opt-in, rule D44).

It is a service message with fixed words: nothing that was typed into the form is in it. It goes to
the address that was typed, through the ledger and its gate, and at most once a day, which the
store sees to: it records no second `Consent Requested` within 24 hours.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from amity.broadcast.logic.asked.answering import keep_starter
from amity.broadcast.logic.sending.ledger import NewSend, queue_sends
from amity.infra.database import Connection
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity

_NAME: Final = "Consent Requested"
_SUBJECT: Final = "Please confirm your address"
_GOOD_FOR: Final = timedelta(hours=24)
"""Who signed up longer ago than that does not expect it any more."""


def answer_signups(connection: Connection, activities: Sequence[Activity], now: datetime) -> int:
    """Queue a message for each request among these, in the caller's transaction."""
    asked = [
        each
        for each in activities
        if each.name == _NAME
        and each.source_id == SYSTEM_SOURCE_ID
        and isinstance(each.properties.get("address_key"), str)
    ]
    if not asked:
        return 0
    content_id = keep_starter(connection, "confirm", _SUBJECT, now)
    keys = [each.properties["address_key"] for each in asked]
    store.ensure_contact_points(connection=connection, channel="email", address_keys=keys)
    return queue_sends(connection, [_message(each, content_id, now) for each in asked])


def _message(request: Activity, content_id: int, now: datetime) -> NewSend:
    purposes = [str(each) for each in request.properties.get("purposes", [])]
    return NewSend(
        run_kind="service",
        step_key=f"confirm:{request.event_id}",
        contact_point=request.properties["address_key"],
        profile_id=request.profile_id,
        message_class="service",
        purpose=purposes[0] if purposes else "",
        content_id=content_id,
        variables={"confirm": request.event_id},
        priority=1,
        planned_at=now,
        not_before=now,
        not_after=request.occurred_at + _GOOD_FOR,
    )
