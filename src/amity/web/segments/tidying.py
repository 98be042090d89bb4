"""Segments that can be tidied up: long empty, unused, or doubles of another."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.kernel.errors import Invalid
from amity.web.access import may, requires
from amity.web.segments.uses import list_unused

_DAYS: Final = "30"


@require_GET
@requires("segments.read")
def show_review(request: HttpRequest) -> HttpResponse:
    """Show what was last found to be tidied up, as far as it still stands."""
    review = api_segment_tools.find_review()
    followed = {each.segment_id: each for each in analysis.list_segments()}
    context: dict[str, Any] = {"review": review, "can_write": may(request, "segments.write")}
    if review:
        unused = {each.segment_id for each in list_unused()}
        context |= {
            "empty": [
                (each, each.segment_id in unused)
                for each in review.empty
                if each.segment_id in followed and not followed[each.segment_id].members
            ],
            "doubled": [
                each for each in review.doubled if all(one in followed for one in each.segment_ids)
            ],
            "unused": [each for key, each in followed.items() if key in unused],
        }
    return render(request, "segments/review.html", context)


@require_POST
@requires("segments.read")
def refresh_review(request: HttpRequest) -> HttpResponse:
    """Look anew; what is found is kept and shown."""
    text = request.POST.get("days", _DAYS)
    try:
        if not text.isdecimal():
            raise Invalid("days are a whole number", code="bad_days")
        api_segment_tools.refresh_review(now=datetime.now(UTC), empty_days=int(text))
    except Invalid as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    return redirect("segments_review")
