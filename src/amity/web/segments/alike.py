"""Who resembles the members of a segment: what it is told by, and a segment of the nearest."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.kernel.errors import AmityError
from amity.web.access import may, requires, staff_of
from amity.web.segments.figures_csv import answer_csv

_SHOWN: Final = 20


@require_GET
@requires("segments.read")
def show_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show what was last learnt of who resembles the members."""
    segment = analysis.get_segment(segment_id=segment_id)
    found = analysis.find_lookalikes(segment_id=segment_id)
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
    }
    return render(request, "segments/alike.html", context)


@require_POST
@requires("segments.read")
def find_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Learn anew."""
    try:
        analysis.refresh_lookalikes(
            segment_id=segment_id, now=datetime.now(UTC), rng=np.random.default_rng()
        )
    except AmityError as refusal:
        _tell(request, refusal)
    return redirect("segment_alike", segment_id)


@require_POST
@requires("segments.write")
def save_alike(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Make a segment of those most like the members."""
    text = request.POST.get("size", "")
    size = int(text) if text.isdecimal() and len(text) < 9 else 0
    try:
        made = analysis.save_lookalikes(
            segment_id=segment_id,
            size=size,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        _tell(request, refusal)
        return redirect("segment_alike", segment_id)
    messages.success(request, f"{made.name} is saved and is being filled.")
    return redirect("segment", made.segment_id)


def _tell(request: HttpRequest, refusal: AmityError) -> None:
    if refusal.code == "not_found":
        raise refusal
    messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
