"""What mail servers and complaints report later about messages of ours, as mailboxes bring it in.

The reports were believed when they came, by the signed address they name; here they reach the
ledger and the address. A report that comes again changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from amity.broadcast.logic.mail.smtp_replies import judge_bounce
from amity.broadcast.logic.sending import proving
from amity.broadcast.logic.sending.outcomes import FAILURES
from amity.infra import queries
from amity.infra.database import Connection
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity

_SQL: Final = queries.load("amity.broadcast")
_BOUNCE: Final = "Email Bounce Received"
_COMPLAINT: Final = "Email Complaint Received"


def take_reports(connection: Connection, activities: Sequence[Activity], now: datetime) -> None:
    """Do what reports ask for, in the caller's transaction."""
    for each in activities:
        if each.source_id != SYSTEM_SOURCE_ID or each.name not in (_BOUNCE, _COMPLAINT):
            continue
        try:
            send_id = UUID(str(each.properties.get("send_id")))
        except ValueError:
            continue
        row = connection.execute(_SQL["reported_send"], [send_id]).fetchone()
        if row is None or row[2]:  # forgotten, or a test that went to a colleague
            continue
        if each.name == _COMPLAINT:
            _complain(connection, each, row[0], now)
        elif each.properties.get("action") == "delivered":
            proving.prove(connection, {send_id: ""}, now)
        elif each.properties.get("action") == "failed":
            _bounce(connection, each, (send_id, row[0], row[1]), now)


def _complain(connection: Connection, each: Activity, address_key: str, now: datetime) -> None:
    store.suppress(
        channel="email", address_key=address_key, reason="complaint", now=now, connection=connection
    )
    send_id = str(each.properties["send_id"])
    store.record_event(
        connection=connection,
        profile_id=each.profile_id,
        name="Email Marked as Spam",
        properties={"send_id": send_id},
        message_id=f"email-marked-as-spam:{send_id}",
        now=now,
    )


def _bounce(
    connection: Connection, each: Activity, about: tuple[UUID, str, str], now: datetime
) -> None:
    send_id, address_key, subject = about
    code = str(each.properties.get("code", ""))
    kind = judge_bounce(code)
    given = {
        "id": send_id,
        "reason": FAILURES[kind],
        "reply": each.properties.get("diagnostic", ""),
    }
    if connection.execute(_SQL["reported_failed"], given).fetchone() is None:
        return  # it is known already
    if kind == "hard":
        store.suppress(
            channel="email",
            address_key=address_key,
            reason="hard_bounce",
            now=now,
            connection=connection,
        )
    elif kind == "full":
        store.record_soft_bounce(
            channel="email", address_key=address_key, now=now, connection=connection
        )
    said: dict[str, Any] = {"send_id": str(send_id), "subject": subject, "reason": code}
    store.record_event(
        connection=connection,
        profile_id=each.profile_id,
        name="Email Bounced",
        properties=said | {"is_hard": kind == "hard"},
        message_id=f"email-bounced:{send_id}",
        now=now,
    )
