"""What journeys ask to send, as rows of the send ledger; its gate decides what leaves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from amity.broadcast.logic.journeys.enrolling_runs import Run
from amity.broadcast.logic.journeys.stepping import Planned
from amity.broadcast.logic.sending.ledger import NewSend
from amity.infra import queries
from amity.infra.database import Connection
from amity.store import api as store

_SQL: Final = queries.load("amity.broadcast")
_GOOD_FOR: Final = timedelta(hours=24)
"""What could not leave within this time does not leave any more (rule D21)."""

_Planned = Sequence[tuple[Run, Planned]]


def make_sends(connection: Connection, planned: _Planned, now: datetime) -> list[NewSend]:
    """Return the messages, each with its template's content as it is now.

    The key names the way, the node and the visit, so the same step asks for the same message.
    """
    if not planned:
        return []
    templates = sorted({each.action.template_id for _, each in planned})
    contents = {
        row[0]: (row[1], row[2])
        for row in connection.execute(_SQL["journeys_contents"], [templates])
    }
    people = sorted({run.profile_id for run, _ in planned})
    points = {
        profile_id: store.contact_key(channel="email", address=email)
        for profile_id, email in connection.execute(_SQL["journeys_addresses"], [people])
    }
    sends = []
    for run, each in planned:
        content_id, message_class = contents.get(each.action.template_id, (0, "marketing"))
        variables: dict[str, Any] = {"event": run.state.entry.properties}
        if each.action.placement_key:
            variables["placement"] = each.action.placement_key
        sends.append(
            NewSend(
                run_kind="journey",
                run_id=run.drawing.journey_id,
                step_key=f"{run.enrolment_id}:{each.key}",
                contact_point=points.get(run.profile_id, f"profile:{run.profile_id}"),
                profile_id=run.profile_id,
                message_class=message_class,
                purpose="marketing.email" if message_class == "marketing" else "",
                content_id=content_id,
                variables=variables,
                # A template is never deleted; should it be, the message is not lost silently.
                reason="" if content_id else "template",
                planned_at=now,
                not_before=now,
                not_after=now + _GOOD_FOR,
            )
        )
    return sends
