"""Who was in a segment at the end of a day, and why somebody was or was not."""

from datetime import UTC, date, datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.analysis import api as analysis
from amity.kernel.errors import AmityError
from amity.web.access import may, requires
from amity.web.purposes import what_for
from amity.web.segments.moving import end_of, read_day
from amity.web.segments.views import name_members

_PAGE: Final = 50


def read_moment(text: str, now: datetime) -> tuple[date, datetime]:
    """Return the day that was asked for, today at the latest, and its end (UTC)."""
    today = now.date()
    day = min(read_day(text) or today, today)
    return day, end_of(day, now)


@require_GET
@requires("segments.read")
def show_past(request: HttpRequest, segment_id: int) -> HttpResponse:
    """List who was in a segment at the end of a day (UTC), those who entered last first."""
    segment = analysis.get_segment(segment_id=segment_id)
    now = datetime.now(UTC)
    day, moment = read_moment(request.GET.get("on", ""), now)
    page = analysis.list_members_at(
        segment_id=segment_id, at=moment, cursor=request.GET.get("cursor") or None, limit=_PAGE
    )
    context = {
        "segment": segment,
        "day": day,
        "today": now.date().isoformat(),
        "members": name_members(page.items),
        "next_cursor": page.next_cursor,
        "page_size": _PAGE,
        "can_export": may(request, "profiles.export"),
        "carried": {"on": day.isoformat()},
        "export_question": f"Export who was in it on {day.isoformat()}?",
        "export_holds": "A CSV file with ids, names, e-mail addresses, phone numbers and figures "
        "of today, for all who were in it then.",
        **what_for(request),
    }
    return render(request, "segments/past.html", context)


@require_GET
@requires("segments.read")
def show_why(request: HttpRequest, segment_id: int, profile_id: int) -> HttpResponse:
    """Say of every part of the rule of then whether somebody passed it at the end of a day."""
    segment = analysis.get_segment(segment_id=segment_id)
    now = datetime.now(UTC)
    day, moment = read_moment(request.GET.get("on", ""), now)
    context = {"segment": segment, "day": day, "profile_id": profile_id}
    try:
        context["found"] = analysis.explain_at(
            segment_id=segment_id, profile_id=profile_id, at=moment
        )
    except AmityError as refusal:
        context["failure"] = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
    return render(request, "segments/why.html", context)
