"""The list of campaigns, and one: its plan before it begins, its progress and report after."""

from datetime import UTC, datetime
from typing import Any, Final, get_args

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from amity.broadcast import api_campaigns
from amity.broadcast.contracts import Campaign, CampaignState, SendCounts
from amity.web.access import may, requires
from amity.web.campaigns.editing import estimate_of
from amity.web.campaigns.previews import addresses, preview_of
from amity.web.campaigns.reporting import (
    arms_of,
    draw_arms,
    figures_of,
    major,
    metric_lines_of,
    money_range,
    outcomes_of,
    parts_of,
)
from amity.web.messages.sending import show
from amity.web.messages.words import STATES
from amity.web.purposes import what_for
from amity.web.sources.views import Chip

_PAGE: Final = 30
_LOOKS: Final[dict[CampaignState, str]] = {
    "draft": "",
    "scheduled": "info",
    "targeting": "accent",
    "sending": "accent",
    "paused": "warn",
    "finished": "good",
    "stopped": "bad",
    "archived": "",
}
_PLANNED: Final = ("draft", "scheduled")
_RUNNING: Final = ("targeting", "sending", "paused")
_OVER: Final = ("finished", "stopped")


class CampaignLine(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign as the list shows it."""

    campaign: Campaign
    counts: SendCounts
    look: str


@require_GET
@requires("campaigns.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List campaigns, the latest made first, as the address filters them."""
    search = request.GET.get("q", "").strip()[:100]
    state = request.GET.get("state", "")
    page = api_campaigns.list_campaigns(
        search=search,
        state=state if state in _LOOKS else None,
        cursor=request.GET.get("after") or None,
        limit=_PAGE,
    )
    told: dict[str, Any] = {
        "lines": _lines(page.items),
        "next_cursor": page.next_cursor,
        "search": search,
        "state": state,
    }
    if request.htmx and request.htmx.target == "rows-more":  # type: ignore[attr-defined]  # django_htmx
        return render(request, "campaigns/_rows.html", told)
    is_any = bool(page.items or search or state or request.GET.get("after"))
    told |= {
        "is_any": is_any or bool(api_campaigns.list_campaigns(limit=1).items),
        "chips": _chips(state),
        "can_write": may(request, "campaigns.write"),
    }
    return show(request, "campaigns/list.html", told)


def _lines(found: list[Campaign]) -> list[CampaignLine]:
    counts = api_campaigns.list_campaign_counts(
        campaign_ids=[campaign.campaign_id for campaign in found]
    )
    return [
        CampaignLine(
            campaign=campaign,
            counts=counts.get(campaign.campaign_id, SendCounts()),
            look=_LOOKS[campaign.state],
        )
        for campaign in found
    ]


def _chips(chosen: str) -> list[Chip]:
    labels = {"": "All"} | {state: state.capitalize() for state in get_args(CampaignState)}
    return [
        Chip(label=label, value=value, count=None, is_on=value == chosen)
        for value, label in labels.items()
    ]


@require_GET
@requires("campaigns.read")
def show_observed(request: HttpRequest) -> HttpResponse:
    """List campaigns that were run elsewhere and are known from events only."""
    return show(
        request,
        "campaigns/elsewhere.html",
        {"observed": api_campaigns.list_observed_campaigns()},
    )


@require_GET
@requires("campaigns.read")
def show_one(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Show one campaign: the plan with its preview, or what is coming of it."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    told = _common(request, campaign)
    if campaign.state in _PLANNED or campaign.began_at is None:
        told |= _planned(request, campaign)
        return show(request, "campaigns/plan.html", told)
    told |= reported(campaign_id)
    return show(request, "campaigns/report.html", told)


def _common(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "look": _LOOKS[campaign.state],
        "is_planned": campaign.state in _PLANNED,
        "is_running": campaign.state in _RUNNING,
        "is_over": campaign.state in _OVER,
        "can_write": may(request, "campaigns.write"),
        "can_launch": may(request, "campaigns.launch"),
        "can_export": may(request, "messages.read"),
        **what_for(request),
        "export_holds": "A CSV file with every message and what became of it"
        + (", with names and addresses." if may(request, "profiles.export") else "."),
    }


def _planned(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    return {
        **estimate_of(campaign),
        **preview_of(request, campaign),
        "addresses": addresses(request),
        "zone": timezone.get_current_timezone_name(),
        "soonest": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
    }


def reported(campaign_id: int) -> dict[str, Any]:
    """Return a campaign's report for the page."""
    report = api_campaigns.report_campaign(campaign_id=campaign_id, now=datetime.now(UTC))
    return {
        "report": report,
        "campaign": report.campaign,
        "look": _LOOKS[report.campaign.state],
        "is_running": report.campaign.state in _RUNNING,
        "figures": figures_of(report),
        "states": STATES,
        "parts": parts_of(report.counts),
        "done": report.counts.targeted - report.counts.pending,
        "outcomes": outcomes_of(report),
        "arms": arms_of(report),
        "chart_of": draw_arms(report),
        "metric_lines": metric_lines_of(report),
        "lift": major(report.lift.value, report.currency) if report.lift else "",
        "lift_range": money_range(report.lift, report.currency),
    }


@require_GET
@requires("campaigns.read")
def show_progress(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Answer how far the sending is; the whole page when the campaign's state has changed."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    counts = api_campaigns.list_campaign_counts(campaign_ids=[campaign_id])[campaign_id]
    told = {
        "campaign": campaign,
        "counts": counts,
        "parts": parts_of(counts),
        "done": counts.targeted - counts.pending,
        "is_running": campaign.state in _RUNNING,
        "is_piece": True,
    }
    response = render(request, "campaigns/_progress.html", told)
    if request.GET.get("was", campaign.state) != campaign.state:
        response["HX-Refresh"] = "true"
    return response


@require_GET
@requires("campaigns.read")
def show_outcome(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Answer what came of a campaign, as of now."""
    return render(request, "campaigns/_outcome.html", reported(campaign_id))
