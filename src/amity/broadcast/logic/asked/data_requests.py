"""Mail about a data request: asking whether it was she, that her copy is ready, what became of it.

These are service messages with fixed words around what staff say: they answer what she asked for,
so they go out even while the use of her data is restricted. They go to the address her preference
page was about, as long as it is hers; otherwise to the one she is written to.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Final

from amity.broadcast.logic.sending.ledger import NewSend, queue_sends
from amity.broadcast.logic.templates import keeping
from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.errors import Invalid, NotFound
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_requests import REQUEST_MESSAGE

_SQL: Final = queries.load("amity.broadcast")
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
    if not asked:
        return 0
    wanted = sorted({each.profile_id for each in asked})
    people = {
        row[0]: (row[1], row[2]) for row in connection.execute(_SQL["sending_people"], [wanted])
    }
    sends = []
    for each in asked:
        root, email = people.get(each.profile_id, (0, ""))
        key = _find_key(root, email, each.properties.get("address_key")) if root else ""
        if key:
            sends.append(_message(connection, each, root, key, now))
    keys = [send.contact_point for send in sends]
    store.ensure_contact_points(connection=connection, channel="email", address_keys=keys)
    return queue_sends(connection, sends)


def _find_key(profile_id: int, email: str, wanted: Any) -> str:
    """Return the key of the address to write to; "" when there is none."""
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
    kind = str(told.get("kind", ""))
    said = {"words": str(told.get("words", "")), "asked": _ASKED.get(kind, kind)}
    return NewSend(
        run_kind="service",
        step_key=f"request:{activity.event_id}",
        contact_point=key,
        profile_id=profile_id,
        message_class="service",
        content_id=_content(connection, str(told["message"]), now),
        variables={"request": int(told["request_id"]), "event": said},
        priority=1,
        planned_at=now,
        not_before=now,
        not_after=activity.occurred_at + _GOOD_FOR,
    )


def _content(connection: Connection, message: str, now: datetime) -> int:
    """Return what is sent, kept once; the consumer's turn makes sure that nobody else does so."""
    place = files("amity.broadcast.starters").joinpath(f"request_{message}.mjml")
    draft = keeping.Draft(
        message_class="service", subject=_SUBJECTS[message], source=place.read_text("utf-8")
    )
    return keeping.keep_once(connection, draft, now)
