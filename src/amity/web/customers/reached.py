"""What a customer was sent, what was held back and why, and the journeys they are in."""

from typing import Any, Final

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from amity.broadcast import api as broadcast
from amity.broadcast import api_journeys
from amity.broadcast.contracts import Held, Message
from amity.store import api as store
from amity.web.access import may
from amity.web.messages.words import STATES, StateWords, run_address

_SHOWN: Final = 6
_HELD: Final = {
    "suppressed": "held back",
    "held_out": "held out",
    "excluded": "left out",
    "cancelled": "cancelled",
    "expired": "expired",
}


class SentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One message on the customer's page."""

    message: Message
    state: StateWords


class HeldLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the customer did not get."""

    held: Held
    label: str
    href: str


def told_to(request: HttpRequest, profile_id: int) -> dict[str, Any]:
    """Return the page's part on reach; nothing of it for who may not read messages."""
    if not may(request, "messages.read"):
        return {"reach": None}
    profile_ids = store.list_joined(profile_id=profile_id)
    page = broadcast.list_messages(profile_ids=profile_ids, limit=_SHOWN)
    held = broadcast.list_held(profile_ids=profile_ids, limit=_SHOWN)
    journeys = api_journeys.list_enrolments(profile_ids=profile_ids, limit=_SHOWN)
    return {
        "reach": {
            "sent": [
                SentLine(message=one, state=STATES[one.state])
                for one in page.items
                if one.state not in _HELD
            ],
            "has_more": page.next_cursor is not None,
            "held": [
                HeldLine(
                    held=one, label=_HELD[one.kind], href=run_address(one.run_kind, one.run_id)
                )
                for one in held
            ],
            "journeys": journeys.items,
            "search": reverse("messages"),
        }
    }
