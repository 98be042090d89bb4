"""What is done to a campaign: launched, paused, stopped, copied, put away. Each asks once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from amity.broadcast import api_campaigns
from amity.broadcast.contracts import Campaign
from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.web.access import requires, staff_of
from amity.web.messages.sending import sentence

# A segment lives: a few more or fewer since the page was drawn are no surprise, many are.
_SURPRISE_RATE: Final = 0.05
_SURPRISE_COUNT: Final = 5


@require_POST
@requires("campaigns.launch", step_up=True)
def launch(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Have a campaign begin, now or later, once the number of receivers was typed."""
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    try:
        _check_number(request, campaign)
        at = read_time(request.POST.get("at", "")) if request.POST.get("when") == "at" else None
        made = api_campaigns.launch_campaign(
            campaign_id=campaign_id,
            at=at,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
        return redirect("campaign", campaign_id)
    when = f"{timezone.localtime(at):%-d %b %Y, %H:%M}" if at else ""
    notes.success(request, f"{made.name} begins on {when}." if at else f"{made.name} has begun.")
    return redirect("campaign", campaign_id)


def _check_number(request: HttpRequest, campaign: Campaign) -> None:
    """Raise Invalid unless the number typed is how many would get the message, by now too."""
    typed = request.POST.get("confirm", "").strip().replace(",", "")
    if not typed.isdecimal() or typed != request.POST.get("expected", ""):
        raise Invalid("nothing was sent: the number typed was not how many get the message")
    found = api_campaigns.estimate_campaign(
        segment_id=campaign.segment_id,
        purpose=campaign.purpose,
        holdout_rate=campaign.holdout_rate,
        now=datetime.now(UTC),
    )
    apart = abs(found.treatment - int(typed))
    if apart > max(_SURPRISE_COUNT, _SURPRISE_RATE * found.treatment):
        raise Conflict(
            f"nothing was sent: {found.treatment:,} would get it by now, not {int(typed):,}; "
            "look again and launch with the new number"
        )


def read_time(text: str) -> datetime:
    """Read a date and time of the reader's zone; raise Invalid when it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("say on which day and at what time it should begin") from None
    return at if at.tzinfo else at.replace(tzinfo=timezone.get_current_timezone())


@require_POST
@requires("campaigns.launch")
def pause(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Let nothing more leave until it is resumed."""
    by = staff_of(request).get_username()
    return _move(
        request,
        campaign_id,
        lambda: api_campaigns.pause_campaign(campaign_id=campaign_id, by=by, now=datetime.now(UTC)),
        "{} is paused. What is on the wire already arrives; the rest waits.",
    )


@require_POST
@requires("campaigns.launch")
def resume(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Go on with a paused campaign."""
    by = staff_of(request).get_username()
    return _move(
        request,
        campaign_id,
        lambda: api_campaigns.resume_campaign(
            campaign_id=campaign_id, by=by, now=datetime.now(UTC)
        ),
        "{} goes on.",
    )


@require_POST
@requires("campaigns.launch")
def stop(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """End a campaign for good: what has not left is cancelled."""
    by = staff_of(request).get_username()
    return _move(
        request,
        campaign_id,
        lambda: api_campaigns.stop_campaign(campaign_id=campaign_id, by=by, now=datetime.now(UTC)),
        "{} is stopped. What had not left was cancelled.",
    )


@require_POST
@requires("campaigns.write")
def archive(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Put a campaign away; its figures stay."""
    return _move(
        request,
        campaign_id,
        lambda: api_campaigns.archive_campaign(campaign_id=campaign_id, now=datetime.now(UTC)),
        "{} is archived. Its figures stay.",
    )


@require_POST
@requires("campaigns.write")
def copy(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Make a draft like another campaign."""
    by = staff_of(request).get_username()
    try:
        made = api_campaigns.copy_campaign(campaign_id=campaign_id, by=by, now=datetime.now(UTC))
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
        return redirect("campaign", campaign_id)
    notes.success(request, f"{made.name} is a draft.")
    return redirect("campaign_edit", made.campaign_id)


def _move(
    request: HttpRequest, campaign_id: int, move: Callable[[], Campaign], words: str
) -> HttpResponse:
    try:
        made = move()
    except Conflict as refusal:
        notes.error(request, sentence(refusal))
    else:
        notes.success(request, words.format(made.name))
    return redirect("campaign", campaign_id)
