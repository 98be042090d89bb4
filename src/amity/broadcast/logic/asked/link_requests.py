"""A new link to her preferences, for whoever asked for one because hers was too old.

It is a service message: it needs no consent, and goes through the ledger and its gate like all
others, so nothing goes to an address that is suppressed or erased. It is written to the address
the customer has now and its link is about that one; whoever holds an old link learns nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from amity.broadcast.logic.asked.answering import keep_starter, queue_answers
from amity.broadcast.logic.sending.ledger import NewSend
from amity.infra.database import Connection
from amity.kernel.errors import Invalid, NotFound
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity

_NAME: Final = "Preference Link Requested"
_SUBJECT: Final = "Your preferences"
_STARTER: Final = "preference_link"
_GOOD_FOR: Final = timedelta(hours=24)
"""Who asked longer ago than that is not waiting for it any more."""


def answer_requests(connection: Connection, activities: Sequence[Activity], now: datetime) -> int:
    """Queue a message for each request among these, in the caller's transaction.

    The event names the message, so a request that is read again asks for the same one. Nobody is
    written to whose address the old link was not about: an undone merge parts the two.
    """
    asked = [each for each in activities if _is_request(each)]

    def write(each: Activity, root: int, key: str) -> NewSend:
        return _message(each, root, key, keep_starter(connection, _STARTER, _SUBJECT, now), now)

    return queue_answers(connection, asked, find_key=_find_key, write=write)


def _is_request(activity: Activity) -> bool:
    return (
        activity.name == _NAME
        and activity.source_id == SYSTEM_SOURCE_ID
        and activity.properties.get("channel") == "email"
    )


def _find_key(profile_id: int, email: str, request: Activity) -> str:
    """Return the key of the address to write to, "" when the request is not about hers."""
    try:
        points = store.list_contact_points(profile_id=profile_id)
        key = store.contact_key(channel="email", address=email)
    except (NotFound, Invalid):
        return ""
    hers = {point.address_key for point in points if point.channel == "email"}
    return key if request.properties.get("address_key") in hers else ""


def _message(
    request: Activity, profile_id: int, key: str, content_id: int, now: datetime
) -> NewSend:
    return NewSend(
        run_kind="service",
        step_key=f"preferences:{request.event_id}",
        contact_point=key,
        profile_id=profile_id,
        message_class="service",
        content_id=content_id,
        priority=1,
        planned_at=now,
        not_before=now,
        not_after=request.occurred_at + _GOOD_FOR,
    )
