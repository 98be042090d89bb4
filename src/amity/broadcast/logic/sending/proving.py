"""A doubtful message is known to have arrived: the customer's history says so as of any other.

The event has the message's own id, as when a sender heard the reply itself
(`settling`), so it is there once however it was found out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from amity.infra import queries
from amity.infra.database import Connection
from amity.store import api as store

_SQL: Final = queries.load("amity.broadcast")
_NAME: Final = "Email Sent"


class Arrived(NamedTuple):
    """A message that was doubtful a moment ago; the columns of the queries that resolve it."""

    send_id: UUID
    run_kind: str
    run_id: int
    profile_id: int
    subject: str
    is_test: bool
    wire_at: datetime | None


def prove(connection: Connection, proofs: Mapping[UUID, str], now: datetime) -> None:
    """Settle those of these messages that are doubtful as sent, in the caller's transaction.

    With each the decision its proof names, "" when it names none. A second time changes nothing.
    """
    rows = connection.execute(_SQL["measure_prove"], [sorted(proofs)]).fetchall()
    record_sent(connection, [Arrived(*row) for row in rows], now, decisions=proofs)


def record_sent(
    connection: Connection,
    arrived: Sequence[Arrived],
    now: datetime,
    *,
    decisions: Mapping[UUID, str] | None = None,
) -> None:
    """Record that messages were sent, at the time they left, for customers who are still there."""
    asked = sorted({each.profile_id for each in arrived if not each.is_test})
    if not asked:
        return
    roots = {row[0]: row[1] for row in connection.execute(_SQL["sending_people"], [asked])}
    events = [
        _event(each, roots[each.profile_id], (decisions or {}).get(each.send_id, ""))
        for each in arrived
        if not each.is_test and each.profile_id in roots
    ]
    if events:
        store.record_events(connection=connection, events=events, now=now)


def _event(each: Arrived, root: int, decision: str) -> store.SystemEvent:
    properties: dict[str, Any] = {"send_id": str(each.send_id), "subject": each.subject}
    if each.run_kind in {"campaign", "journey"}:
        properties[f"{each.run_kind}_id"] = each.run_id
    if decision:
        properties["decision_id"] = decision
    return store.SystemEvent(
        profile_id=root,
        name=_NAME,
        properties=properties,
        message_id=f"email-sent:{each.send_id}",
        occurred_at=each.wire_at,
    )
