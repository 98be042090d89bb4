"""Customers: the list, and one customer."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts import Merge, Profile, ProfileRow
from amity.web.access import may, requires
from amity.web.customers.decided import decided_for
from amity.web.customers.filters import MEMBERS_SEEN, SORTS, find_rows, read_filter
from amity.web.customers.past import day_control, show_past
from amity.web.customers.reached import told_to
from amity.web.customers.refused import consents_of, refused_at
from amity.web.customers.sentences import FILTERS
from amity.web.customers.timeline import read_timeline
from amity.web.customers.truths import traits_of
from amity.web.customers.visited import visited_by
from amity.web.customers.words import (
    KINDS,
    REFUSALS,
    describe_score,
    is_known,
    is_reasoned,
    who,
    why_of,
)
from amity.web.identity.together import linked
from amity.web.purposes import what_for

PAGE: Final = 50


@requires("profiles.read")
@require_safe
def customers(request: HttpRequest) -> HttpResponse:
    """List customers: searched, filtered and sorted as the address says, by pages."""
    chosen = read_filter(request)
    page = find_rows(chosen, cursor=request.GET.get("after"), limit=PAGE)
    told: dict[str, Any] = {
        "rows": [_row(row) for row in page.items],
        "next_cursor": page.next_cursor,
        "chosen": chosen,
        "sorts": SORTS,
        "is_first": not request.GET.get("after"),
    }
    htmx = request.htmx  # type: ignore[attr-defined]  # django_htmx's middleware sets it
    if htmx and htmx.target == "rows-more":
        return render(request, "customers/_rows.html", told)
    told["total"] = store.count_profiles()
    told["segments"] = [segment for segment in analysis.list_segments() if segment.state == "live"]
    told["can_export"] = may(request, "profiles.export")
    told |= what_for(request)
    told["carried"] = {
        name: value
        for name, value in request.GET.items()
        if name in ("q", "known", "segment", "sort")
    }
    told["members_seen"] = MEMBERS_SEEN
    if htmx and htmx.target == "found":
        return render(request, "customers/_found.html", told)
    return render(request, "customers/list.html", told)


def _row(row: ProfileRow) -> dict[str, Any]:
    return {"is": row, "who": who(row), "is_known": is_known(row)}


@requires("profiles.read")
@require_safe
def customer(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Show one customer; the address of a joined profile leads to the one it was joined to."""
    sources, now = _sources(), datetime.now(UTC)
    if request.GET.get("as_of"):
        return show_past(request, profile_id, request.GET["as_of"], sources)
    profile = store.get_profile(profile_id=profile_id)
    if profile.profile_id != profile_id:
        return redirect("customer", profile_id=profile.profile_id)
    memberships = analysis.list_memberships(profile_id=profile_id)
    merges = store.list_merges(profile_id=profile_id, limit=100).items
    page = {
        "profile": profile,
        "who": who(profile),
        "is_known": is_known(profile),
        "traits": traits_of(profile, sources, now),
        "can_see_rules": may(request, "sources.read"),
        **day_control(profile_id, None, now),
        "identifiers": [
            {"is": one, "kind": KINDS[one.kind], "source": sources.get(one.source_id, "")}
            for one in store.list_identifiers(profile_id=profile_id)
        ],
        "merges": [_merge(merge, profile_id, sources) for merge in merges],
        "inside": [one for one in memberships if one.left_at is None],
        "was_inside": [one for one in memberships if one.left_at is not None][:10],
        "scores": _scores(profile_id),
        **consents_of(store.list_standings(profile_id=profile.profile_id, now=now), sources),
        **refused_at(request, profile),
        **told_to(request, profile_id),
        **decided_for(request, profile_id),
        **visited_by(profile_id, now),
        **linked(profile_id, api_identity.list_links(profile_id=profile_id)),
        "can_unmerge": may(request, "profiles.unmerge"),
        "can_erase": may(request, "profiles.erase"),
        **_timeline(request, profile, sources),
    }
    return render(request, "customers/customer.html", page)


@requires("profiles.read")
@require_safe
def timeline(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Answer one more page of a customer's timeline, or the timeline by another filter."""
    profile = store.get_profile(profile_id=profile_id)
    if not request.htmx:  # type: ignore[attr-defined]  # django_htmx's middleware sets it
        return redirect("customer", profile_id=profile.profile_id)
    page = _timeline(request, profile, _sources())
    name = "_lines.html" if request.GET.get("after") else "_timeline.html"
    return render(request, f"customers/{name}", {"profile": profile, **page})


def _timeline(request: HttpRequest, profile: Profile, sources: dict[int, str]) -> dict[str, Any]:
    kind = request.GET.get("show", "")
    kind = kind if kind in FILTERS else ""
    filters = []
    for key, (label, names) in FILTERS.items():
        count = sum(profile.event_counts.get(name, 0) for name in names)
        # Amity's own events are not counted among the customer's, so these may have no number.
        if count or key in (kind, "segments", "campaigns"):
            filters.append((key, label, count))
    return {
        "timeline": read_timeline(
            profile_id=profile.profile_id,
            kind=kind,
            cursor=request.GET.get("after"),
            sources=sources,
            now=datetime.now(UTC),
        ),
        "kind": kind,
        "filters": filters,
    }


def _sources() -> dict[int, str]:
    return {source.source_id: source.name for source in store.list_sources()} | {1: "Amity"}


def _merge(merge: Merge, profile_id: int, sources: dict[int, str]) -> dict[str, Any]:
    return {
        "is": merge,
        "other_id": merge.loser_id if merge.winner_id == profile_id else merge.winner_id,
        "kind": KINDS.get(merge.kind, merge.kind),
        "refusal": REFUSALS.get(merge.refusal, merge.refusal.replace("_", " ")),
        "source": sources.get(merge.source_id, ""),
    }


def _scores(profile_id: int) -> list[dict[str, Any]]:
    rows = []
    reasons = analysis.explain_scores(profile_id=profile_id, now=datetime.now(UTC))
    for score in analysis.list_scores(profile_id=profile_id):
        title, meaning = describe_score(score.name)
        row = {"is": score, "title": title, "meaning": meaning}
        row["reasons"] = reasons.get(score.name, [])
        rows.append({**row, "is_reasoned": is_reasoned(score.name), "why": why_of(score)})
    return rows
