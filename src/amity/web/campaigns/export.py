"""The messages of a campaign as a CSV file, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.broadcast.contracts import Message
from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.access import may, requires
from amity.web.customers.export import Echo
from amity.web.purposes import list_allowed, read_purpose, remember

_HEAD: Final = (
    "send_id",
    "profile_id",
    "state",
    "reason",
    "reason_in_words",
    "planned_at",
    "settled_at",
    "attempts",
    "reply",
    "subject",
)
_PERSON: Final = ("user_id", "name", "email")
_AT_ONCE: Final = 1_000


@require_GET
@requires("messages.read", step_up=True)
def export(request: HttpRequest, campaign_id: int) -> StreamingHttpResponse:
    """Stream the messages of a campaign; with names only to those who may export customers.

    The address says what for; messages to whoever does not allow that now are left out.
    """
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    is_named, purpose = may(request, "profiles.export"), read_purpose(request)
    answer = StreamingHttpResponse(
        _lines(campaign_id, purpose, is_named=is_named), content_type="text/csv; charset=utf-8"
    )
    day = datetime.now(UTC).date().isoformat()
    name = f"campaign-{campaign.campaign_id}-{day}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return remember(answer, purpose)


def _lines(campaign_id: int, purpose: str, *, is_named: bool) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow([*_HEAD, *(_PERSON if is_named else ())])
    cursor: str | None = None
    while True:
        page = broadcast.list_messages(
            run_kind="campaign", run_id=campaign_id, cursor=cursor, limit=_AT_ONCE
        )
        allowed = list_allowed(
            {message.profile_id for message in page.items}, purpose, datetime.now(UTC)
        )
        messages = [message for message in page.items if message.profile_id in allowed]
        people = _people(messages) if is_named else {}
        for message in messages:
            cells = _cells(message)
            if is_named:
                row = people.get(message.profile_id)
                cells += (
                    [row.user_id or "", row.name or "", row.email or ""] if row else ["", "", ""]
                )
            yield writer.writerow([guard_cell(cell) for cell in cells])
        cursor = page.next_cursor
        if cursor is None:
            return


def _people(messages: list[Message]) -> dict[int, ProfileRow]:
    wanted = list({message.profile_id for message in messages})
    if not wanted:
        return {}
    found = store.list_profiles(profile_ids=wanted, limit=len(wanted))
    return {row.profile_id: row for row in found.items}


def _cells(message: Message) -> list[str]:
    return [
        str(message.send_id),
        str(message.profile_id),
        message.state,
        message.reason,
        message.words,
        format_instant(message.planned_at),
        format_instant(message.settled_at) if message.settled_at else "",
        str(message.attempts),
        message.reply,
        message.subject,
    ]
