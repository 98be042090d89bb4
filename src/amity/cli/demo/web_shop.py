"""The web shop: visitors' steps become page and track events, and some visitors sign in.

The clicks are of another shop than the tills, so who signs in as which card holder is simulated.
The clicks say that somebody bought, not what or for how much: that is `Checkout Completed` and
not an order.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.cli.demo.people import Holder
from amity.cli.demo.shop import Calendar, Click, Event, number_of

_PAGES: Final = {
    "home": ("Home", "/"),
    "account_page": ("Account", "/account"),
    "review_page": ("Reviews", "/reviews"),
    "compare": ("Compare", "/compare"),
    "error_page": ("Error", "/error"),
}
_TRACKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "catalog": ("Product List Viewed", {"list_id": "catalogue"}),
    "search": ("Products Searched", {}),
    "filter_results": ("Product List Filtered", {"list_id": "catalogue"}),
    "product_view": ("Product Viewed", {}),
    "wishlist_add": ("Product Added to Wishlist", {}),
    "promo_page": ("Promotion Viewed", {"promotion_id": "promo-page"}),
    "add_to_cart": ("Product Added", {}),
    "cart": ("Cart Viewed", {}),
    "shipping_details": ("Checkout Step Viewed", {"step": 1, "step_name": "shipping"}),
    "payment_details": ("Checkout Step Viewed", {"step": 2, "step_name": "payment"}),
    "payment_error": ("Payment Failed", {}),
    "checkout_bug": ("Checkout Interrupted", {}),
    "purchase": ("Checkout Completed", {}),
    "support_chat": ("Live Chat Conversation Started", {}),
}
_SIGN_IN_AT: Final = frozenset(("account_page", "payment_details"))


class Visit(msgspec.Struct):
    """What is remembered of a visitor while the clicks are read: the session signed in to."""

    signed_in_session: str = ""


def choose_sign_ins(clicks: list[Click], holders: list[Holder]) -> dict[str, Holder]:
    """Say which visitor is which card holder, by dice: every tenth card with an e-mail address.

    A visitor who never reaches the account or the payment page never signs in. The choice does
    not depend on whether the other nine tenths of the cards are loaded.
    """
    able = sorted({click.visitor for click in clicks if click.action in _SIGN_IN_AT})
    able.sort(key=lambda visitor: number_of("visitor", visitor))
    known = [h for h in holders if h.email and h.household.household_id % 10 == 0]
    known.sort(key=lambda holder: number_of("sign-in", holder.household.household_id))
    return dict(zip(able, known, strict=False))


def iter_web_events(
    clicks: list[Click], sign_ins: dict[str, Holder], calendar: Calendar
) -> Iterator[Event]:
    """Give the events of all steps in the order of time, sign-ins among them."""
    visits: dict[str, Visit] = {}
    for click in clicks:
        at = calendar.move(click.at)
        if at is None:
            continue
        if click.visitor not in visits:
            visits[click.visitor] = Visit()
            yield _arrival(click, at)
        visit = visits[click.visitor]
        holder = sign_ins.get(click.visitor)
        if holder and click.action in _SIGN_IN_AT and visit.signed_in_session != click.session:
            visit.signed_in_session = click.session
            yield from _sign_in(click, holder, at)
        is_signed_in = visit.signed_in_session == click.session
        yield _step(click, at) | ({"userId": holder.card} if holder and is_signed_in else {})


def anonymous_id(visitor: str) -> str:
    """Return the cookie of a visitor."""
    return str(UUID(int=number_of("cookie", visitor) << 64 | number_of("cookie-low", visitor)))


def _arrival(click: Click, at: str) -> Event:
    """Tell what brought a visitor the first time."""
    return {
        "type": "identify",
        "messageId": f"jm-visitor-{click.visitor}",
        "anonymousId": anonymous_id(click.visitor),
        "timestamp": at,
        "traits": {"acquisition_channel": click.channel, "web_cohort": click.cohort},
    }


def _sign_in(click: Click, holder: Holder, at: str) -> Iterator[Event]:
    who = {
        "anonymousId": anonymous_id(click.visitor),
        "userId": holder.card,
        "timestamp": at,
    }
    yield {
        "type": "identify",
        "messageId": f"jm-sign-in-{click.number}",
        "traits": {"email": holder.email},
    } | who
    yield {
        "type": "track",
        "event": "Signed In",
        "messageId": f"jm-signed-in-{click.number}",
        "properties": {"session_id": click.session},
    } | who


def _step(click: Click, at: str) -> Event:
    event: Event = {
        "messageId": f"jm-click-{click.number}",
        "anonymousId": anonymous_id(click.visitor),
        "timestamp": at,
        "context": {"device": {"type": click.device}},
    }
    where = {"session_id": click.session, "channel": click.channel}
    if click.action in _PAGES:
        name, path = _PAGES[click.action]
        return event | {"type": "page", "name": name, "properties": where | {"path": path}}
    name, more = _TRACKS[click.action]
    return event | {"type": "track", "event": name, "properties": where | more}
