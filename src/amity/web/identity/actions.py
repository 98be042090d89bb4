"""Changing who is who: joining, splitting, deciding about pairs, and taking each back."""

from datetime import UTC, datetime
from typing import get_args

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from amity.kernel.errors import AmityError, Invalid
from amity.store import api_identity
from amity.store.contracts import IdentifierKind
from amity.store.contracts_identity import CandidateChoice
from amity.web.access import requires, staff_of
from amity.web.restricting import refuse_restricted

_DONE = {
    "accept": "Accepted: one person is being joined within a moment; the others are linked.",
    "reject": "They stay two; the pair will not be offered again.",
    "undo": "Taken back: the pair waits to be decided again.",
}


@requires("profiles.unmerge")
@require_POST
def merge(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Join another customer into this one."""
    other = request.POST.get("other", "").strip()
    try:
        if not other.isdecimal():
            raise Invalid("give the number of the other profile", code="bad_profile")
        refuse_restricted(profile_id, int(other))
        api_identity.merge_profiles(
            winner=profile_id,
            loser=int(other),
            by=staff_of(request).username,
            reason=request.POST.get("reason", "").strip(),
            now=datetime.now(UTC),
        )
    except AmityError as error:
        messages.error(request, f"Not joined: {error}.")
    else:
        messages.success(
            request, "They are being joined. It can be undone on the customer's page at any time."
        )
    return redirect("identity", profile_id=profile_id)


@requires("profiles.unmerge")
@require_POST
def undo_join(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Take a join made by hand back."""
    try:
        api_identity.undo_join(
            join_id=request.POST.get("join", ""),
            by=staff_of(request).username,
            now=datetime.now(UTC),
        )
    except AmityError as error:
        messages.error(request, f"Not taken back: {error}.")
    else:
        messages.success(request, "The join is being taken back; what evidence says holds.")
    return redirect("identity", profile_id=profile_id)


@requires("profiles.unmerge")
@require_POST
def split(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Take the chosen identifiers off a customer."""
    chosen: list[tuple[IdentifierKind, str]] = []
    for told in request.POST.getlist("identifier"):
        kind, _, value = told.partition(" ")
        for known in get_args(IdentifierKind):
            if known == kind:
                chosen.append((known, value))
    try:
        api_identity.split_profile(
            profile_id=profile_id,
            identifiers=chosen,
            by=staff_of(request).username,
            now=datetime.now(UTC),
        )
    except AmityError as error:
        messages.error(request, f"Nothing was split: {error}.")
    else:
        messages.success(request, "They are being taken apart. It can be undone here.")
    return redirect("identity", profile_id=profile_id)


@requires("profiles.unmerge")
@require_POST
def undo_split(request: HttpRequest, profile_id: int, split_id: int) -> HttpResponse:
    """Take a split back."""
    api_identity.undo_split(
        profile_id=profile_id,
        split_id=split_id,
        by=staff_of(request).username,
        now=datetime.now(UTC),
    )
    messages.success(request, "The split is being taken back: they are one customer again.")
    return redirect("identity", profile_id=profile_id)


@requires("profiles.unmerge")
@require_POST
def decide(request: HttpRequest, candidate_id: int) -> HttpResponse:
    """Join a pair, keep it apart, or take that back."""
    for choice in get_args(CandidateChoice):
        if choice == request.POST.get("choice"):
            try:
                api_identity.decide_candidate(
                    candidate_id=candidate_id,
                    choice=choice,
                    by=staff_of(request).username,
                    now=datetime.now(UTC),
                )
            except AmityError as error:
                messages.error(request, f"Not done: {error}.")
            else:
                messages.success(request, _DONE[choice])
    return redirect("review_pair", candidate_id=candidate_id)
