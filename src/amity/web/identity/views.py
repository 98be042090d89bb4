"""Showing who is who: one customer's identity, and the queue of doubtful pairs."""

from typing import Any, Final, Literal, get_args

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from amity.kernel.errors import AmityError
from amity.store import api as store
from amity.store import api_identity
from amity.store.contracts import Profile
from amity.store.contracts_identity import (
    Candidate,
    CandidateKind,
    CandidateState,
    EvidenceEdge,
)
from amity.web.access import may, requires
from amity.web.customers.words import KINDS, who
from amity.web.identity.drawing import HEIGHT, WIDTH, draw
from amity.web.identity.together import linked
from amity.web.identity.words import CANDIDATES, CUTS, sum_up, tell, tell_weights

PAGE: Final = 25
STATES: Final = {"open": "To decide", "accepted": "Accepted", "rejected": "Kept apart"}
ORIGINS: Final = {
    "conflict": "contradicting evidence",
    "linkage": "comparison of records",
    "told": "said by staff",
}
_TRAITS: Final = 12
_SPLITS: Final = 20


@requires("profiles.read")
@require_safe
def identity(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Draw a customer's identity, and list beside it what is drawn."""
    profile = store.get_profile(profile_id=profile_id)
    if profile.profile_id != profile_id:
        return redirect("identity", profile_id=profile.profile_id)
    sources = _sources()
    identifiers = store.list_identifiers(profile_id=profile_id)
    edges = api_identity.list_evidence(profile_id=profile_id)
    places = api_identity.list_places(profile_id=profile_id)
    links = api_identity.list_links(profile_id=profile_id)
    page = {
        "profile": profile,
        "who": who(profile),
        "picture": draw(identifiers, edges, places, links),
        "node_width": WIDTH,
        "node_height": HEIGHT,
        "kinds": KINDS,
        "identifiers": [{"is": one, "kind": KINDS[one.kind]} for one in identifiers],
        "edges": [tell(edge, sources) for edge in edges],
        "places": places,
        **linked(profile_id, links),
        "joins": _joins(profile_id, edges),
        "splits": _splits(profile_id),
        "can_change": may(request, "profiles.unmerge"),
        **_explained(request, profile_id, sources),
    }
    return render(request, "identity/one.html", page)


def _explained(request: HttpRequest, profile_id: int, sources: dict[int, str]) -> dict[str, Any]:
    """Return why another profile is, or is not, the same person, when the address asks."""
    joined = [one for one in store.list_joined(profile_id=profile_id) if one != profile_id]
    asked = request.GET.get("with", "")
    told: dict[str, Any] = {"joined": joined, "asked": asked}
    if asked.isdecimal():
        try:
            path = api_identity.explain_identity(profile_a=profile_id, profile_b=int(asked))
        except AmityError as error:
            return told | {"problem": str(error)}
        told |= {"path": path, "steps": [tell(step, sources) for step in path.steps]}
    return told


def _joins(profile_id: int, edges: list[EvidenceEdge]) -> list[dict[str, Any]]:
    """Return the joins made by hand that still hold."""
    ties = {edge.event_id for edge in edges if edge.way == "manual" and not edge.cut}
    if not ties:
        return []
    events = store.list_activity(
        profile_id=profile_id, names=["Profiles Joined"], limit=_SPLITS
    ).items
    return [
        {
            "join_id": event.properties.get("join_id", ""),
            "at": event.occurred_at,
            "by": event.properties.get("by", ""),
            "reason": event.properties.get("reason", ""),
        }
        for event in events
        if event.event_id in ties
    ]


def _splits(profile_id: int) -> list[dict[str, Any]]:
    """Return the splits of a customer that are not taken back."""
    seen: dict[int, dict[str, Any]] = {}
    events = store.list_activity(
        profile_id=profile_id, names=["Profile Unmerged"], limit=_SPLITS
    ).items
    retracted = {edge.retracted_by for edge in api_identity.list_evidence(profile_id=profile_id)}
    for event in events:
        if event.properties.get("split") and event.event_id in retracted:
            seen[event.event_id] = {"at": event.occurred_at, "by": event.properties.get("by", "")}
    return [{"split_id": split_id, **told} for split_id, told in seen.items()]


@requires("profiles.read")
@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """List doubtful pairs."""
    state, origin = _state(request), request.GET.get("from", "")
    origin = origin if origin in ORIGINS else ""
    kind = read_kind(request)
    page = api_identity.list_candidates(
        state=state, origin=origin, kind=kind, cursor=request.GET.get("after"), limit=PAGE
    )
    rows = [row_of(candidate) for candidate in page.items]
    return render(
        request,
        "identity/review.html",
        {
            "rows": rows,
            "next_cursor": page.next_cursor,
            "state": state,
            "states": STATES.items(),
            "origin": origin,
            "origins": ORIGINS.items(),
            "kind": kind,
            "kinds": CANDIDATES.items(),
            "batches": api_identity.list_decisions(),
            "can_change": may(request, "profiles.unmerge"),
        },
    )


def read_kind(request: HttpRequest) -> CandidateKind | Literal[""]:
    """Return which kind of pairs is asked for; "" for all."""
    for kind in get_args(CandidateKind):
        if kind == request.GET.get("kind"):
            found: CandidateKind = kind
            return found
    return ""


def _state(request: HttpRequest) -> CandidateState:
    for state in get_args(CandidateState):
        if state == request.GET.get("show"):
            found: CandidateState = state
            return found
    return "open"


@requires("profiles.read")
@require_safe
def pair(request: HttpRequest, candidate_id: int) -> HttpResponse:
    """Show two customers side by side."""
    candidate = api_identity.get_candidate(candidate_id=candidate_id)
    row = row_of(candidate)
    path = None
    if row["one"] and row["other"]:
        path = api_identity.explain_identity(
            profile_a=candidate.one_id, profile_b=candidate.other_id
        )
    sources = _sources()
    page = {
        **row,
        "weights": tell_weights(candidate.explanation),
        "lines": _compare(row["one"], row["other"]),
        "steps": [tell(step, sources) for step in path.steps] if path else [],
        "can_change": may(request, "profiles.unmerge"),
        "state_words": STATES[candidate.state],
    }
    return render(request, "identity/pair.html", page)


def row_of(candidate: Candidate) -> dict[str, Any]:
    """Return a pair with what to call the two and why it is here."""
    one, other = _profile(candidate.one_id), _profile(candidate.other_id)
    said = candidate.explanation
    reason = ""
    if said.get("refusal"):
        kind = KINDS.get(said.get("kind", ""), "identifier")
        why = CUTS.get(said["refusal"], "")
        reason = f"Both carry the {kind} {said.get('value', '')}; {why}."
    return {
        "is": candidate,
        "one": one,
        "other": other,
        "one_who": who(one) if one else f"Profile {candidate.one_id}",
        "other_who": who(other) if other else f"Profile {candidate.other_id}",
        "reason": reason or sum_up(said),
        "kind_words": CANDIDATES[candidate.kind],
        "origin_words": ORIGINS.get(candidate.origin, candidate.origin),
        "percent": None if candidate.probability is None else round(candidate.probability * 100),
    }


def _profile(profile_id: int) -> Profile | None:
    try:
        return store.get_profile(profile_id=profile_id)
    except AmityError:
        return None


def _compare(one: Profile | None, other: Profile | None) -> list[dict[str, Any]]:
    """Return what is known of both, line by line; lines that agree say so."""
    if one is None or other is None:
        return []
    left, right = _facts(one), _facts(other)
    return [
        {
            "name": name.replace("_", " "),
            "one": left.get(name, ""),
            "other": right.get(name, ""),
            "is_same": bool(left.get(name)) and left.get(name) == right.get(name),
        }
        for name in dict.fromkeys([*left, *right])
    ]


def _facts(profile: Profile) -> dict[str, str]:
    facts = {
        "name": profile.name or "",
        "e-mail": profile.email or "",
        "phone": profile.phone or "",
        "customer id": profile.user_id or "",
        "events": f"{profile.event_count:,}",
        "orders": f"{profile.order_count:,}",
        "first seen": f"{profile.first_seen_at:%-d %b %Y}",
        "last seen": f"{profile.last_seen_at:%-d %b %Y}",
    }
    shown = {"name", "email", "phone"}
    more = [name for name in sorted(profile.traits) if name not in shown][:_TRAITS]
    return facts | {name: _flat(profile.traits[name])[:120] for name in more}


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(_flat(each) for each in value.values())
    if isinstance(value, list):
        return ", ".join(_flat(each) for each in value)
    return str(value)


def _sources() -> dict[int, str]:
    return {source.source_id: source.name for source in store.list_sources()} | {1: "Amity"}
