"""The broadcast consumer: what customers do with messages, and what they ask for.

A message whose receiving server never answered is `unknown`. When a person follows a link in it or
opens it, it has arrived (rule D20). A scanner proves nothing: it may have looked at a message that
was then refused.

Whoever asks for a new link to her preferences gets one by mail (`link_requests`), whoever signs up
by a form is asked by mail whether she did (`signups`), and so is who asks for her data
(`data_requests`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from amity.broadcast.logic.asked import data_requests, link_requests, signups
from amity.broadcast.logic.sending import proving, reported
from amity.infra.database import transaction
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, FoldResult

CONSUMER: Final = "broadcast"
_PROOFS: Final = frozenset({"Email Link Clicked", "Email Opened"})


def follow_batch(*, now: datetime, limit: int) -> FoldResult:
    """Take one turn; see `api.follow_batch`."""
    with transaction() as connection:
        position = store.claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return FoldResult(events=0)
        activities = store.read_activity(connection=connection, after=position, limit=limit)
        if not activities:
            return FoldResult(events=0)
        proofs = _list_proofs(activities)
        if proofs:
            proving.prove(connection, proofs, now)
        link_requests.answer_requests(connection, activities, now)
        data_requests.answer_data_requests(connection, activities, now)
        reported.take_reports(connection, activities, now)
        signups.answer_signups(connection, activities, now)
        last = activities[-1].position
        store.advance_consumer(connection=connection, name=CONSUMER, position=last)
    return FoldResult(events=len(activities))


def _list_proofs(activities: Sequence[Activity]) -> dict[UUID, str]:
    """Return the messages that are shown to have arrived, with the decision that is named."""
    proofs: dict[UUID, str] = {}
    for each in activities:
        send_id = _proved_by(each)
        if send_id is not None:
            proofs[send_id] = proofs.get(send_id) or str(each.properties.get("decision_id", ""))
    return proofs


def _proved_by(activity: Activity) -> UUID | None:
    """Return the message that an activity shows to have arrived; only our own events are proof."""
    if activity.name not in _PROOFS or activity.source_id != SYSTEM_SOURCE_ID:
        return None
    if activity.properties.get("is_machine") is True:
        return None
    try:
        return UUID(str(activity.properties.get("send_id")))
    except ValueError:
        return None
