"""A segment's versions: what changed, who did it, and going back."""

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.kernel.errors import AmityError, NotFound
from amity.web.access import may, requires, staff_of
from amity.web.segments.building import Built, describe_change
from amity.web.segments.draft import EMPTY
from amity.web.segments.meanwhile import Side
from amity.web.segments.shown import show_uses


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


@require_http_methods(["GET", "POST"])
@requires("segments.write")
def restore_version(request: HttpRequest, segment_id: int, number: int) -> HttpResponse:
    """Say what going back to a version would do; sent, give the segment all of it again."""
    if request.method == "GET":
        return _ask(request, segment_id, number)
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


def _ask(request: HttpRequest, segment_id: int, number: int) -> HttpResponse:
    segment = analysis.get_segment(segment_id=segment_id)
    versions = api_segment_tools.list_segment_versions(segment_id=segment_id)
    version = next((each for each in versions if each.number == number), None)
    if version is None:
        raise NotFound(f"{segment.name} has no version {number}")
    built = Built(draft=EMPTY, rule=version.rule, problems=[])
    change = describe_change(built, segment, datetime.now(UTC))
    context = {
        "segment": segment,
        "version": version,
        "sides": [
            Side(label="Name", saved=segment.name, typed=version.name),
            Side(label="What it is for", saved=segment.description, typed=version.description),
            Side(label="Rule", saved=segment.words, typed=version.words),
        ],
        **change,
        "uses": show_uses(request, change.get("uses", [])),
    }
    return render(request, "segments/restore.html", context)
