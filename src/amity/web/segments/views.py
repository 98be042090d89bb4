"""One segment: its rule, its size over time, its members."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis.contracts import Membership, Segment, SegmentCount
from amity.kernel.errors import AmityError, Conflict
from amity.rules import decode_rule, mentions
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.access import may, requires, staff_of
from amity.web.customers.words import who
from amity.web.purposes import what_for
from amity.web.segments.shown import show_uses
from amity.web.segments.sizes import change_since, draw_sizes
from amity.web.segments.uses import list_uses

_PAGE: Final = 50
_LATELY: Final = 8


class MemberLine(msgspec.Struct, frozen=True, kw_only=True):
    """One stay in a segment, and whose it is."""

    membership: Membership
    label: str
    row: ProfileRow | None


def _counts(segment_id: int) -> list[SegmentCount]:
    return sorted(analysis.list_counts(segment_id=segment_id), key=lambda count: count.day)


@require_GET
@requires("segments.read")
def show_one(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show one segment."""
    segment = analysis.get_segment(segment_id=segment_id)
    counts = _counts(segment_id)
    context = _members(segment, request.GET.get("cursor") or None)
    context |= {
        "rule_json": msgspec.json.format(msgspec.json.encode(segment.rule), indent=2).decode(),
        "counts": counts[::-1],
        "chart_of": draw_sizes(counts, segment.name),
        "has_reconstructed": any(count.method == "reconstructed" for count in counts),
        "used_by": _users_of(segment_id),
        "uses": show_uses(request, list_uses([segment_id])),
        "can_write": may(request, "segments.write"),
        "can_export": may(request, "profiles.export"),
        **what_for(request),
        "export_question": f"Export {_count(segment.members, 'customer')}?",
        "export_holds": "A CSV file with ids, names, e-mail addresses, phone numbers and figures, "
        f"for {_count(segment.members, 'person', 'people')} as of now.",
    }
    context |= _now(segment, counts)
    return render(request, "segments/one.html", context)


def _members(segment: Segment, cursor: str | None) -> dict[str, Any]:
    """Return a page of members; the first can be followed, and its mark says what it shows."""
    page = analysis.list_members(segment_id=segment.segment_id, cursor=cursor, limit=_PAGE)
    last = page.items[0] if page.items else None
    newest = f"{last.profile_id}-{last.entered_at.timestamp()}" if last else ""
    return {
        "members": name_members(page.items),
        "next_cursor": page.next_cursor,
        "page_size": _PAGE,
        "mark": "" if cursor else f"{segment.state}-{segment.members}-{newest}",
    }


@require_GET
@requires("segments.read")
def show_members(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show the first members when these are others than the page shows; else nothing."""
    segment = analysis.get_segment(segment_id=segment_id)
    context = _members(segment, None)
    if request.GET.get("was") == context["mark"]:
        return HttpResponse(status=204)
    return render(request, "segments/_members.html", context | {"segment": segment})


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _now(segment: Segment, counts: list[SegmentCount]) -> dict[str, Any]:
    moves = analysis.list_moves(segment_id=segment.segment_id, limit=_LATELY)
    everyone = store.count_profiles()
    return {
        "segment": segment,
        "rate": segment.members / everyone if everyone else None,
        "change_7": change_since(counts, segment.members, days=7),
        "change_30": change_since(counts, segment.members, days=30),
        "entered": name_members(moves.entered),
        "left": name_members(moves.left),
    }


def _users_of(segment_id: int) -> list[str]:
    """Return the names of the segments whose rules ask for this one."""
    return [
        segment.name
        for segment in analysis.list_segments()
        if segment.state != "archived"
        and segment_id in mentions(decode_rule(segment.rule)).segments
    ]


def name_members(memberships: list[Membership]) -> list[MemberLine]:
    """Put names to memberships, in their order."""
    ids = [membership.profile_id for membership in memberships]
    rows = {}
    if ids:
        found = store.list_profiles(profile_ids=list(dict.fromkeys(ids)), limit=len(ids))
        rows = {row.profile_id: row for row in found.items}
    return [
        MemberLine(
            membership=membership,
            label=who(rows[membership.profile_id])
            if membership.profile_id in rows
            else f"Visitor {membership.profile_id}",
            row=rows.get(membership.profile_id),
        )
        for membership in memberships
    ]


@require_GET
@requires("segments.read")
def show_live(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show what changes by itself: the size, who entered, who left; the whole page when built."""
    segment = analysis.get_segment(segment_id=segment_id)
    response = render(request, "segments/_live.html", _now(segment, _counts(segment_id)))
    if request.GET.get("was", segment.state) != segment.state:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@requires("segments.write")
def archive(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Stop following a segment; its history stays."""
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    try:
        segment = analysis.archive_segment(segment_id=segment_id, by=by, now=now)
    except Conflict as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, f"{segment.name} is archived. You can bring it back here.")
    return redirect("segment", segment_id)


@require_POST
@requires("segments.write")
def restore(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Follow an archived segment again, filled anew from history."""
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    try:
        segment = analysis.restore_segment(segment_id=segment_id, by=by, now=now)
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, f"{segment.name} is back and is being filled from history.")
    return redirect("segment", segment_id)
