"""A campaign's message as a member of its segment would get it, and as a test."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.broadcast import api as broadcast
from amity.broadcast import api_campaigns
from amity.broadcast.contracts import Campaign, Rendered
from amity.infra.config import settings
from amity.kernel.errors import AmityError
from amity.web.access import requires, staff_of
from amity.web.customers.filters import members_of
from amity.web.customers.words import who
from amity.web.messages.frames import frame, frame_words
from amity.web.messages.people import list_people
from amity.web.messages.sending import sentence
from amity.web.staff.models import Staff

_SHOWN: Final = 8


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a test may go: somebody of the staff."""

    value: str
    label: str


def preview_of(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Return what the preview tells: whom one can look as, and the message for the chosen one."""
    search = request.GET.get("who", "").strip()[:200]
    asked = request.GET.get("profile", "")
    people = list_people(search, within=members_of(campaign.segment_id), limit=_SHOWN)
    profile_id = int(asked) if asked.isdecimal() and len(asked) < 19 else None
    if profile_id is None and people:
        profile_id = people[0].profile_id
    made = render_for(campaign, profile_id)
    return {
        "campaign": campaign,
        "people": [{"is": row, "who": who(row)} for row in people],
        "who_search": search,
        "chosen_id": profile_id,
        "made": made,
        "headers": headers_of(made),
    }


def render_for(campaign: Campaign, profile_id: int | None) -> Rendered:
    """Return a campaign's message filled in for one customer."""
    template = broadcast.get_template(template_id=campaign.template_id)
    return broadcast.preview_template(
        subject=template.subject,
        preheader=template.preheader,
        source=template.source,
        text=template.text,
        message_class=template.message_class,
        profile_id=profile_id,
        placement_key=campaign.placement_key,
        now=datetime.now(UTC),
    )


def headers_of(made: Rendered) -> list[tuple[str, str]]:
    """Return the headers a reader of the message would meet."""
    using = settings()
    return [
        ("From", f"{using.mail_from_name} <{using.mail_from}>"),
        ("To", made.to or "–"),
        ("Subject", made.subject),
        ("List-Unsubscribe", "a link of this person's own, and one click is enough (RFC 8058)"),
    ]


@require_GET
@requires("campaigns.read")
def preview(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Answer the preview for another customer; without HTMX the campaign's page shows it."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    if not request.htmx:  # type: ignore[attr-defined]  # django_htmx's middleware sets it
        query = urlencode({key: request.GET.get(key, "") for key in ("who", "profile")})
        return redirect(f"{reverse('campaign', args=[campaign_id])}?{query}#preview")
    return render(request, "campaigns/_preview.html", preview_of(request, campaign))


@require_GET
@requires("campaigns.read")
def show_body(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Answer the message's HTML for one customer, for its frame."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    asked = request.GET.get("profile", "")
    profile_id = int(asked) if asked.isdecimal() and len(asked) < 19 else None
    try:
        made = render_for(campaign, profile_id)
    except AmityError as refusal:
        return frame_words(sentence(refusal))
    return frame_words(made.problem) if made.problem else frame(made.html)


def addresses(request: HttpRequest) -> list[Address]:
    """Return where a test may go: whoever is signed in first, then the other staff.

    Who has no address gets one only this machine's mailbox knows.
    """
    me = staff_of(request)
    people = [me, *Staff.objects.filter(is_active=True).exclude(pk=me.pk).order_by("username")]
    return [
        Address(value=_address(person), label=person.get_full_name() or person.get_username())
        for person in people
        if _address(person)
    ]


def _address(person: Staff) -> str:
    if person.email:
        return str(person.email)
    # Reserved for what leads nowhere (RFC 2606): only the local mailbox takes it.
    return "" if settings().smtp_url else f"{_plain(person.get_username())}@staff.example"


def _plain(name: str) -> str:
    kept = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
    return kept or "staff"


@require_POST
@requires("campaigns.write")
def send_test(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Send the message, filled in for a customer, to somebody of the staff."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    to, asked = request.POST.get("to", ""), request.POST.get("profile", "")
    if to not in {address.value for address in addresses(request)}:
        notes.error(request, "A test goes to somebody of the staff only.")
        return redirect("campaign", campaign_id)
    if not asked.isdecimal() or len(asked) > 18:
        notes.error(request, "There is nobody to fill the message in for.")
        return redirect("campaign", campaign_id)
    try:
        broadcast.queue_test(
            template_id=campaign.template_id,
            to=to,
            profile_id=int(asked),
            placement_key=campaign.placement_key,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
    else:
        notes.success(request, f"A test is on its way to {to}.")
    return redirect("campaign", campaign_id)
