"""Making and changing a campaign, with whom it would reach beside the form."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.broadcast.contracts import Campaign, CampaignEstimate
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.web.access import requires, staff_of
from amity.web.campaigns.form import Typed, choices, chosen, number, plan_of, read_typed, typed_of
from amity.web.messages.sending import sentence, show


@require_http_methods(["GET", "POST"])
@requires("campaigns.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a campaign as a draft; what was typed stays when it cannot be made."""
    if request.method == "GET":
        return _form(request, read_typed(request.GET))
    typed = read_typed(request.POST)
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    try:
        made = api_campaigns.create_campaign(plan=plan_of(typed), by=by, now=now)
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, error=sentence(refusal))
    notes.success(request, f"{made.name} is a draft. Look at it, then launch it.")
    return redirect("campaign", made.campaign_id)


@require_http_methods(["GET", "POST"])
@requires("campaigns.write")
def change(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Change a campaign that has not begun."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    if request.method == "GET":
        return _form(request, typed_of(campaign), campaign=campaign)
    typed = read_typed(request.POST)
    try:
        api_campaigns.update_campaign(
            campaign_id=campaign_id, plan=plan_of(typed), now=datetime.now(UTC)
        )
    except (Invalid, Conflict) as refusal:
        return _form(request, typed, campaign=campaign, error=sentence(refusal))
    notes.success(request, "The changes are saved.")
    return redirect("campaign", campaign_id)


def _form(
    request: HttpRequest, typed: Typed, *, campaign: Campaign | None = None, error: str = ""
) -> HttpResponse:
    told: dict[str, Any] = {
        "typed": typed,
        "campaign": campaign,
        "error": error,
        **choices(),
        **estimated(typed),
    }
    return show(request, "campaigns/edit.html", told, status=422 if error else 200)


@require_GET
@requires("campaigns.read")
def estimate(request: HttpRequest) -> HttpResponse:
    """Answer whom the campaign being typed would reach."""
    return render(request, "campaigns/_estimate.html", estimated(read_typed(request.GET)))


def estimated(typed: Typed) -> dict[str, Any]:
    """Return whom a typed campaign would reach, or what is missing to say so."""
    try:
        found = api_campaigns.estimate_campaign(
            segment_id=chosen(typed.segment_id, "choose a segment and the numbers appear here"),
            purpose=typed.purpose,
            holdout_rate=min(max(number(typed.holdout, "the share held out") / 100, 0.0), 0.5),
            now=datetime.now(UTC),
        )
    except (Invalid, NotFound) as refusal:
        return {"estimate": None, "missing": sentence(refusal)}
    return tell(found)


def estimate_of(campaign: Campaign) -> dict[str, Any]:
    """Return whom a saved campaign would reach now."""
    try:
        found = api_campaigns.estimate_campaign(
            segment_id=campaign.segment_id,
            purpose=campaign.purpose,
            holdout_rate=campaign.holdout_rate,
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        return {"estimate": None, "missing": sentence(refusal)}
    return tell(found)


def tell(found: CampaignEstimate) -> dict[str, Any]:
    """Return an estimate for the page, reasons in words."""
    reasons = sorted(found.excluded.items(), key=lambda item: -item[1])
    words = broadcast.list_reasons()
    return {
        "estimate": found,
        "missing": "",
        "reasons": [(words.get(reason, reason), count) for reason, count in reasons],
    }
