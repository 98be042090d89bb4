"""Placements: where something is shown, what each offer brought there, and a place to try it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from amity.analysis import api_metrics
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest, Placement
from amity.store import api as store
from amity.web.access import may, requires, staff_of
from amity.web.offers.form import (
    TypedPlacement,
    placement_changes,
    read_placement,
    typed_placement,
)
from amity.web.offers.views import sentence
from amity.web.sources.snippets import collector_url


class PlacementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One placement as the list shows it."""

    placement: Placement
    offers: int
    impressions: int
    clicks: int


@require_GET
@requires("offers.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show every placement with how much was seen and clicked there."""
    offers = personalization.list_offers(state="live")
    lines = []
    for placement in personalization.list_placements():
        arms = personalization.report_arms(placement_id=placement.placement_id)
        lines.append(
            PlacementLine(
                placement=placement,
                offers=sum(placement.placement_id in one.placement_ids for one in offers),
                impressions=sum(arm.impressions for arm in arms),
                clicks=sum(arm.clicks for arm in arms),
            )
        )
    page = {"lines": lines, "can_manage": may(request, "offers.write")}
    return render(request, "offers/placements.html", page)


@require_http_methods(["GET", "POST"])
@requires("offers.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a placement; what was typed stays when it cannot be made."""
    if request.method == "GET":
        return _form(request, TypedPlacement())
    typed = read_placement(request.POST)
    try:
        made = personalization.create_placement(
            key=typed.key,
            kind="products" if typed.kind == "products" else "offers",
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
            **placement_changes(typed, has_switch=False),
        )
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, error=sentence(refusal))
    messages.success(request, f"{made.name} is there. Ask for it by its key.")
    return redirect("placement", made.placement_id)


@require_http_methods(["GET", "POST"])
@requires("offers.write")
def change(request: HttpRequest, placement_id: int) -> HttpResponse:
    """Change a placement; its key and kind stay."""
    placement = personalization.get_placement(placement_id=placement_id)
    if request.method == "GET":
        return _form(request, typed_placement(placement), placement=placement)
    typed = read_placement(request.POST)
    try:
        personalization.update_placement(
            placement_id=placement_id,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
            **placement_changes(typed, has_switch=True),
        )
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, placement=placement, error=sentence(refusal))
    messages.success(request, "Saved. Decisions follow within a second.")
    return redirect("placement", placement_id)


def _form(
    request: HttpRequest,
    typed: TypedPlacement,
    *,
    placement: Placement | None = None,
    error: str = "",
) -> HttpResponse:
    page = {
        "typed": typed,
        "placement": placement,
        "error": error,
        "policies": personalization.list_policies(),
        "recommenders": personalization.list_recommenders(),
        "metrics": api_metrics.list_customer_metrics(),
    }
    return render(request, "offers/placement_edit.html", page, status=422 if error else 200)


@require_GET
@requires("offers.read")
def show_one(request: HttpRequest, placement_id: int) -> HttpResponse:
    """Show one placement: what each offer brought, the code to ask with, and a place to try it."""
    placement = personalization.get_placement(placement_id=placement_id)
    host = request.get_host().rpartition(":")[0] or request.get_host()
    page = {
        "placement": placement,
        "arms": _arms(placement),
        "troubles": personalization.list_troubles(days=7),
        "url": collector_url(settings(), host).replace("/v1/batch", "/v1/decide"),
        "words": _words(placement),
        "run": _latest_run(placement),
        "can_manage": may(request, "offers.write"),
    }
    return render(request, "offers/placement.html", page)


@require_GET
@requires("offers.read")
def show_arms(request: HttpRequest, placement_id: int) -> HttpResponse:
    """Answer the table of what each offer brought, for a page that is open."""
    placement = personalization.get_placement(placement_id=placement_id)
    return render(request, "offers/_arms.html", {"placement": placement, "arms": _arms(placement)})


def _arms(placement: Placement) -> list[dict[str, Any]]:
    offers = {one.offer_id: one for one in personalization.list_offers()}
    arms = personalization.report_arms(placement_id=placement.placement_id)
    most = max((arm.high or 0 for arm in arms), default=0) or 1
    return [
        {"is": arm, "offer": offers[arm.offer_id], "most": most}
        for arm in sorted(arms, key=lambda arm: -(arm.share or 0))
        if arm.offer_id in offers
    ]


def _words(placement: Placement) -> str:
    for one in (*personalization.list_policies(), *personalization.list_recommenders()):
        if one.name == placement.policy:
            return one.words
    return ""


def _latest_run(placement: Placement) -> Any:
    if placement.kind == "offers":
        return None
    try:
        return personalization.get_latest_recommender_run(recommender=placement.policy)
    except AmityError:
        return None


@require_GET
@requires("decisions.read")
def try_it(request: HttpRequest, placement_id: int) -> HttpResponse:
    """Decide for one customer without logging it, and say why: nothing changes by it."""
    placement = personalization.get_placement(placement_id=placement_id)
    who = request.GET.get("who", "").strip()
    page: dict[str, Any] = {"placement": placement, "who": who}
    profile_id = None
    if who:
        found = store.list_profiles(search=who, limit=1).items
        page["missing"] = not found
        profile_id = found[0].profile_id if found else None
        page["row"] = found[0] if found else None
    if not page.get("missing"):
        context = {"product_id": request.GET["product"]} if request.GET.get("product") else {}
        page["decision"] = personalization.decide(
            request=DecideRequest(placement=placement.key, context=context, channel="trial"),
            profile_id=profile_id,
            now=datetime.now(UTC),
            is_logged=False,
        )
    return render(request, "offers/_try.html", page)
