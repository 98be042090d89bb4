"""A segment's versions: what changed, who did it, and going back."""

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.kernel.errors import AmityError
from amity.web.access import may, requires, staff_of


@require_GET
@requires("segments.read")
def show_versions(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show every name, description and rule a segment had."""
    context = {
        "segment": analysis.get_segment(segment_id=segment_id),
        "versions": api_segment_tools.list_segment_versions(segment_id=segment_id),
        "can_write": may(request, "segments.write"),
    }
    return render(request, "segments/versions.html", context)


@require_POST
@requires("segments.write")
def restore_version(request: HttpRequest, segment_id: int, number: int) -> HttpResponse:
    """Give a segment the name, description and rule of a version again."""
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    try:
        segment = api_segment_tools.restore_segment_version(
            segment_id=segment_id, number=number, by=by, now=now
        )
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, f"{segment.name} stands as in version {number} again.")
    return redirect("segment_versions", segment_id)
