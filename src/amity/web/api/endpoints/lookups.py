"""Look-ups: who calls, for a screen that opens by itself."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.store import api as store
from amity.web.api.routing import route
from amity.web.customers.callers import list_callers


class CallerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody a number may belong to."""

    profile_id: int
    name: str
    user_id: str | None
    order_count: int
    last_seen_at: datetime
    path: str
    """The customer's page, below this installation's address."""


class PhoneDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a phone number."""

    number: str
    is_exact: bool
    customers: list[CallerDocument]


@route("GET", "/lookup/phone/{number}", scope="profiles:read")
def look_up_phone(
    number: Annotated[str, Meta(max_length=100, description="In any form.")],
) -> PhoneDocument:
    """Say who has a phone number, for a screen that opens when a call comes in.

    When the number is known as written, `is_exact` is true; else these are customers whose numbers
    are the same but for the country. Nobody is an empty list.
    """
    match = store.find_by_phone(number=number)
    return PhoneDocument(
        number=match.number,
        is_exact=match.is_exact,
        customers=[
            CallerDocument(
                profile_id=each.profile_id,
                name=each.name,
                user_id=each.user_id,
                order_count=each.order_count,
                last_seen_at=each.last_seen_at,
                path=f"/customers/{each.profile_id}/",
            )
            for each in list_callers(match)
        ],
    )
