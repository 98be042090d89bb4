"""The palette: what a few letters lead to."""

from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns, api_journeys
from amity.store import api as store
from amity.web.access import may, requires, staff_of
from amity.web.customers.words import who
from amity.web.shell import visible

_EACH: Final = 6


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: what it is called, what it is, where it leads."""

    label: str
    kind: str
    href: str


@requires("overview.read")
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Answer the palette with the best few of each kind; pages alone when nothing is typed."""
    query = request.GET.get("q", "").strip()[:200]
    found = _pages(request, query)
    if query:
        if may(request, "segments.read"):
            found += _segments(query)
        if may(request, "campaigns.read"):
            found += _campaigns(query)
        if may(request, "journeys.read"):
            found += _journeys(query)
        if may(request, "profiles.read"):
            found += _customers(query)
    return render(request, "find/found.html", {"found": found, "query": query})


def _pages(request: HttpRequest, query: str) -> list[Found]:
    return [
        Found(label=entry.label, kind="page", href=reverse(entry.url_name))
        for entry in visible(staff_of(request))
        if query.casefold() in entry.label.casefold()
    ]


def _segments(query: str) -> list[Found]:
    return [
        Found(
            label=segment.name,
            kind=f"segment, {segment.members:,}",
            href=f"/segments/{segment.segment_id}/",
        )
        for segment in analysis.list_segments()
        if query.casefold() in segment.name.casefold()
    ][:_EACH]


def _campaigns(query: str) -> list[Found]:
    campaigns = [
        Found(
            label=campaign.name,
            kind=f"campaign, {campaign.state}",
            href=reverse("campaign", args=[campaign.campaign_id]),
        )
        for campaign in api_campaigns.list_campaigns(search=query, limit=_EACH).items
    ]
    templates = [
        Found(
            label=template.name,
            kind="template",
            href=reverse("template", args=[template.template_id]),
        )
        for template in broadcast.list_templates()
        if query.casefold() in template.name.casefold()
    ]
    return campaigns + templates[:_EACH]


def _journeys(query: str) -> list[Found]:
    return [
        Found(
            label=journey.name,
            kind=f"journey, {journey.state}",
            href=reverse("journey", args=[journey.journey_id]),
        )
        for journey in api_journeys.list_journeys()
        if query.casefold() in journey.name.casefold()
    ][:_EACH]


def _customers(query: str) -> list[Found]:
    page = store.list_profiles(search=query, limit=_EACH)
    return [
        Found(
            label=who(row),
            kind=row.email if row.email and row.email != who(row) else "customer",
            href=reverse("customer", args=[row.profile_id]),
        )
        for row in page.items
    ]
