"""Mail about a data request: asking whether it was she, that her copy is ready, what became of it.

These are service messages with fixed words around what staff say: they answer what she asked for,
so they go out even while the use of her data is restricted. They go to the address her preference
page was about, as long as it is hers; otherwise to the one she is written to.
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
from amity.store.contracts_requests import REQUEST_MESSAGE

_SUBJECTS: Final = {
    "confirm": "Please confirm what you asked for",
    "copy": "The copy of your data is ready",
    "words": "About your request",
}
_ASKED: Final = {
    "access": "a copy of your data",
    "portability": "your data, to take elsewhere",
    "erasure": "your data to be deleted",
    "rectification": "your data to be corrected",
    "restriction": "your data to be kept and not used",
    "objection": "no use of your data for marketing and profiling",
}
_GOOD_FOR: Final = timedelta(days=3)


def answer_data_requests(
    connection: Connection, activities: Sequence[Activity], now: datetime
) -> int:
    """Queue a message for each that is asked for among these, in the caller's transaction."""
    asked = [
        each
        for each in activities
        if each.name == REQUEST_MESSAGE
        and each.source_id == SYSTEM_SOURCE_ID
        and each.properties.get("message") in _SUBJECTS
    ]

    def write(each: Activity, root: int, key: str) -> NewSend:
        return _message(connection, each, root, key, now)

    return queue_answers(connection, asked, find_key=_find_key, write=write)


def _find_key(profile_id: int, email: str, activity: Activity) -> str:
    """Return the key of the address to write to; "" when there is none."""
    wanted = activity.properties.get("address_key")
    try:
        points = store.list_contact_points(profile_id=profile_id)
        hers = {point.address_key for point in points if point.channel == "email"}
        if wanted:
            return str(wanted) if wanted in hers else ""
        return store.contact_key(channel="email", address=email)
    except (NotFound, Invalid):
        return ""


def _message(
    connection: Connection, activity: Activity, profile_id: int, key: str, now: datetime
) -> NewSend:
    told = activity.properties
    kind, message = str(told.get("kind", "")), str(told["message"])
    said = {"words": str(told.get("words", "")), "asked": _ASKED.get(kind, kind)}
    return NewSend(
        run_kind="service",
        step_key=f"request:{activity.event_id}",
        contact_point=key,
        profile_id=profile_id,
        message_class="service",
        content_id=keep_starter(connection, f"request_{message}", _SUBJECTS[message], now),
        variables={"request": int(told["request_id"]), "event": said},
        priority=1,
        planned_at=now,
        not_before=now,
        not_after=activity.occurred_at + _GOOD_FOR,
    )
