"""Tests: a message filled in for a customer, sent to somebody of the staff."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from amity.broadcast.contracts import Message
from amity.broadcast.logic.sending import ledger, messages
from amity.broadcast.logic.templates import keeping
from amity.infra.database import transaction
from amity.store import api as store

_HOURS: Final = 1


def queue_test(
    *,
    template_id: int,
    to: str,
    profile_id: int,
    placement_key: str = "",
    by: str,
    now: datetime,
) -> Message:
    """Put a test into the ledger; see `api.queue_test`."""
    template = keeping.get_template(template_id=template_id)
    profile = store.get_profile(profile_id=profile_id)
    key = store.contact_key(channel="email", address=to)
    occasion = f"{by}:{uuid4().hex}"
    row = ledger.NewSend(
        run_kind="test",
        step_key=occasion,
        contact_point=key,
        profile_id=profile.profile_id,
        message_class=template.message_class,
        content_id=template.content_id,
        variables={"placement": placement_key} if placement_key else {},
        test_address=to,
        priority=0,
        planned_at=now,
        not_before=now,
        not_after=now + timedelta(hours=_HOURS),
    )
    with transaction() as connection:
        store.ensure_contact_points(connection=connection, channel="email", address_keys=[key])
        ledger.queue_sends(connection, [row])
        found = connection.execute(
            "SELECT id FROM broadcast_send WHERE run_kind = 'test' AND step_key = %s", [occasion]
        ).fetchone()
    assert found is not None
    return messages.get_message(send_id=found[0])
