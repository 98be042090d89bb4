"""Offers: what can be shown, and to whom."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.personalization import api as personalization
from amity.personalization.contracts import Offer, OfferState
from amity.web.api.endpoints.placements import Key, Name, Text
from amity.web.api.given import given
from amity.web.api.routing import Call, SmallRowId, route

Rule = Annotated[
    dict[str, Any] | None,
    Meta(description="Who may see it, as docs/reference/operators.md describes; null: everybody."),
]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Days = Annotated[float, Meta(gt=0, le=36_500)]
Moment = Annotated[datetime, Meta(tz=True)]


class OfferChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an offer; what is absent stays, null takes a limit away."""

    name: Name | UnsetType = UNSET
    headline: Text | UnsetType = UNSET
    body: Text | UnsetType = UNSET
    image_url: Text | UnsetType = UNSET
    action_label: Text | UnsetType = UNSET
    action_url: Text | UnsetType = UNSET
    placement_ids: list[SmallRowId] | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    purpose: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    cap_count: Count | UnsetType | None = UNSET
    cap_days: Days | UnsetType | None = UNSET
    budget_count: Count | UnsetType | None = UNSET
    starts_at: Moment | UnsetType | None = UNSET
    ends_at: Moment | UnsetType | None = UNSET


class NewOffer(OfferChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An offer to make, as a draft; its key names it in events and stays."""

    key: Key


class NewOfferState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state an offer is to have."""

    state: OfferState


class OffersQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which offers."""

    search: Annotated[str, Meta(max_length=200)] = ""
    state: OfferState | None = None
    placement_id: SmallRowId | None = None


@route("GET", "/offers", scope="offers:read")
def list_offers(query: OffersQuery) -> Page[Offer]:
    """List offers by name."""
    return Page(
        personalization.list_offers(
            search=query.search, state=query.state, placement_id=query.placement_id
        )
    )


@route("POST", "/offers", scope="offers:write", status=201, location="/offers/{it.offer_id}")
def create_offer(body: NewOffer, call: Call) -> Offer:
    """Make an offer as a draft; nobody sees it before it is live."""
    return personalization.create_offer(by=call.caller, now=call.now, **given(body))


@route("GET", "/offers/{offer_id}", scope="offers:read")
def get_offer(offer_id: SmallRowId) -> Offer:
    """Get an offer."""
    return personalization.get_offer(offer_id=offer_id)


@route("PATCH", "/offers/{offer_id}", scope="offers:write")
def update_offer(offer_id: SmallRowId, body: OfferChange, call: Call) -> Offer:
    """Change an offer; what was learnt of it is kept."""
    return personalization.update_offer(
        offer_id=offer_id, by=call.caller, now=call.now, **given(body)
    )


@route("POST", "/offers/{offer_id}/state", scope="offers:write")
def set_offer_state(offer_id: SmallRowId, body: NewOfferState, call: Call) -> Offer:
    """Take an offer live, pause it, archive it or make it a draft again."""
    return personalization.set_offer_state(
        offer_id=offer_id, state=body.state, by=call.caller, now=call.now
    )
