"""Who resembles the members of a segment: what it is told by, and a segment of the nearest."""

from datetime import UTC, datetime
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools, api_work
from amity.kernel.errors import AmityError
from amity.web.access import may, requires, staff_of
from amity.web.segments.figures_csv import answer_csv
from amity.web.working import progress_of

_SHOWN: Final = 20


@require_GET
@requires("segments.read")
def show_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show what was last learnt of who resembles the members."""
    segment = analysis.get_segment(segment_id=segment_id)
    found = api_segment_tools.find_lookalikes(segment_id=segment_id)
    if found and request.GET.get("as") == "csv":
        rows = [(each.words, each.kind, each.weight, each.strength) for each in found.traits]
        return answer_csv(
            f"segment-{segment_id}-alike", ("what", "kind", "weight", "strength"), rows
        )
    context = {
        "segment": segment,
        "found": found,
        "traits": found.traits[:_SHOWN] if found else [],
        "most": max((abs(each.strength) for each in found.traits), default=0) if found else 0,
        "size": segment.members or 100,
        "can_write": may(request, "segments.write"),
        "saved": api_work.find_saved_lookalikes(segment_id=segment_id) if found else None,
        "progress": progress_of(
            request,
            api_work.find_lookalikes_work(segment_id=segment_id),
            again=reverse("segment_alike_find", args=[segment_id]),
            result_at=found and found.computed_at,
        ),
        "saving": progress_of(
            request, api_work.find_saved_lookalikes_work(segment_id=segment_id), again=""
        ),
    }
    return render(request, "segments/alike.html", context)


@require_POST
@requires("segments.read")
def find_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Have it learnt anew; the page says how far it is."""
    by = staff_of(request).get_username()
    api_work.ask_lookalikes(segment_id=segment_id, by=by, now=datetime.now(UTC))
    return redirect("segment_alike", segment_id)


@require_POST
@requires("segments.write")
def save_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Make a segment of those most like the members."""
    text = request.POST.get("size", "")
    size = int(text) if text.isdecimal() and len(text) < 9 else 0
    try:
        api_work.ask_saved_lookalikes(
            segment_id=segment_id,
            size=size,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        if refusal.kind == "not_found":
            raise
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    return redirect("segment_alike", segment_id)
