"""The list of offers, and one offer: what it shows, to whom, and what came of it."""

from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.analysis import api as analysis
from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.personalization import api as personalization
from amity.personalization.contracts import ArmReport, Offer, OfferState, Placement
from amity.web.access import may, requires, staff_of
from amity.web.offers.form import (
    AUDIENCES,
    TypedOffer,
    offer_changes,
    read_offer,
    typed_offer,
)
from amity.web.sources.views import Chip

STATES: Final = {"live": "Live", "draft": "Drafts", "paused": "Paused", "archived": "Archived"}
_SAID: Final = {
    "live": "is live: it may be shown from the next decision on",
    "paused": "is paused: nobody sees it",
    "archived": "is archived; its name and what was learnt are kept",
    "draft": "is a draft again",
}


class OfferLine(msgspec.Struct, frozen=True, kw_only=True):
    """One offer as the list shows it."""

    offer: Offer
    placements: list[Placement]
    impressions: int
    clicks: int
    orders: int


def count_live() -> int | None:
    """Return how many offers are live, for the rail."""
    return len(personalization.list_offers(state="live")) or None


@require_GET
@requires("offers.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the offers, searched and filtered, with what each brought."""
    search, chosen = request.GET.get("q", "").strip(), request.GET.get("show", "")
    chosen = chosen if chosen in STATES else ""
    everything = personalization.list_offers()
    found = personalization.list_offers(search=search)
    shown = [
        offer
        for offer in found
        if offer.state == chosen or (not chosen and offer.state != "archived")
    ]
    placements = {one.placement_id: one for one in personalization.list_placements()}
    page = {
        "lines": _lines(shown, placements),
        "has_any": bool(everything),
        "search": search,
        "chosen": chosen,
        "chips": _chips(everything, chosen),
        "placements": list(placements.values()),
        "can_manage": may(request, "offers.write"),
    }
    return render(request, "offers/list.html", page)


def _chips(offers: list[Offer], chosen: str) -> list[Chip]:
    chips = [
        Chip(
            label="In use",
            value="",
            count=sum(offer.state != "archived" for offer in offers),
            is_on=not chosen,
        )
    ]
    for value, label in STATES.items():
        count = sum(offer.state == value for offer in offers)
        if count or value == chosen:
            chips.append(Chip(label=label, value=value, count=count, is_on=value == chosen))
    return chips


def _lines(offers: list[Offer], placements: dict[int, Placement]) -> list[OfferLine]:
    arms: dict[int, list[ArmReport]] = {}
    for placement_id in placements:
        for arm in personalization.report_arms(placement_id=placement_id):
            arms.setdefault(arm.offer_id, []).append(arm)
    return [
        OfferLine(
            offer=offer,
            placements=[placements[one] for one in offer.placement_ids if one in placements],
            impressions=sum(arm.impressions for arm in arms.get(offer.offer_id, [])),
            clicks=sum(arm.clicks for arm in arms.get(offer.offer_id, [])),
            orders=sum(arm.orders for arm in arms.get(offer.offer_id, [])),
        )
        for offer in offers
    ]


@require_http_methods(["GET", "POST"])
@requires("offers.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make an offer; what was typed stays when it cannot be made."""
    if request.method == "GET":
        chosen = request.GET.getlist("placement")
        return _form(request, TypedOffer(placement_ids=chosen))
    typed = read_offer(request.POST)
    try:
        made = personalization.create_offer(
            key=typed.key,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
            **offer_changes(typed),
        )
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, error=sentence(refusal))
    messages.success(request, f"{made.name} is kept as a draft. Take it live when it is ready.")
    return redirect("offer", made.offer_id)


@require_http_methods(["GET", "POST"])
@requires("offers.read")
def change(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Show one offer, and change it for those who may."""
    offer = personalization.get_offer(offer_id=offer_id)
    if request.method == "GET" or not may(request, "offers.write"):
        return _form(request, typed_offer(offer), offer=offer)
    typed = read_offer(request.POST)
    try:
        personalization.update_offer(
            offer_id=offer_id,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
            **offer_changes(typed),
        )
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, offer=offer, error=sentence(refusal))
    messages.success(request, "Saved. Decisions follow within a second.")
    return redirect("offer", offer_id)


@require_POST
@requires("offers.write")
def set_state(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Take an offer live, pause it, archive it."""
    state = request.POST.get("state", "")
    try:
        if state not in get_args(OfferState):
            raise Invalid("an offer has no such state")
        offer = personalization.set_offer_state(
            offer_id=offer_id,
            state=cast("OfferState", state),
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except (Invalid, Conflict) as refusal:
        messages.error(request, sentence(refusal))
    else:
        messages.success(request, f"{offer.name} {_SAID[offer.state]}.")
    return redirect("offer", offer_id)


def sentence(error: AmityError) -> str:
    """Return what an error says as a sentence."""
    return f"{error.message[:1].upper()}{error.message[1:]}."


def _form(
    request: HttpRequest, typed: TypedOffer, *, offer: Offer | None = None, error: str = ""
) -> HttpResponse:
    placements = personalization.list_placements()
    page: dict[str, Any] = {
        "typed": typed,
        "offer": offer,
        "error": error,
        "audiences": AUDIENCES,
        "segments": analysis.list_segments(),
        "placements": [one for one in placements if one.kind == "offers"],
        "brought": _brought(offer, placements) if offer else [],
        "can_manage": may(request, "offers.write"),
    }
    return render(request, "offers/edit.html", page, status=422 if error else 200)


def _brought(offer: Offer, placements: list[Placement]) -> list[tuple[Placement, ArmReport]]:
    """Return what an offer brought in each placement it was seen in."""
    found = []
    for placement in placements:
        if placement.kind == "offers":
            for arm in personalization.report_arms(placement_id=placement.placement_id):
                if arm.offer_id == offer.offer_id:
                    found.append((placement, arm))
    return found
