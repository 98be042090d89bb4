"""Deciding many pairs at once: what would be done, doing it, and taking it back."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from amity.kernel.errors import AmityError, Invalid
from amity.store import api_identity
from amity.store.contracts_identity import CandidateChoice, CandidateKind
from amity.web.access import requires, staff_of
from amity.web.identity.views import row_of
from amity.web.identity.words import CANDIDATES

_CHOICES: Final[dict[str, CandidateChoice]] = {"accept": "accept", "reject": "reject"}
_KINDS: Final[dict[str, CandidateKind]] = {
    "person": "person",
    "household": "household",
    "company": "company",
}
_USUAL: Final = {"accept": 99, "reject": 60}


@requires("profiles.unmerge")
@require_safe
def ahead(request: HttpRequest) -> HttpResponse:
    """Show what deciding all pairs from a probability on would do; nothing is done."""
    page: dict[str, Any] = {"kinds": CANDIDATES.items(), "kind": "person", "choice": "accept"}
    page |= {"percent": _USUAL["accept"]}
    if "percent" in request.GET:
        try:
            asked = _read(request.GET)
            page |= asked | {"percent": round(asked["bound"] * 100)}
            found = api_identity.forecast_decisions(
                **asked, by=staff_of(request).username, now=datetime.now(UTC)
            )
        except AmityError as error:
            page["problem"] = str(error)
        else:
            page |= {"ahead": found, "rows": [row_of(pair) for pair in found.some]}
            page["left"] = found.pairs - sum(found.refused.values())
            page["kind_words"] = CANDIDATES[asked["kind"]]
    return render(request, "identity/bulk.html", page)


@requires("profiles.unmerge")
@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """Decide them."""
    try:
        asked = _read(request.POST)
        done = api_identity.decide_candidates(
            **asked, by=staff_of(request).username, now=datetime.now(UTC)
        )
    except AmityError as error:
        messages.error(request, f"Nothing was decided: {error}.")
        return redirect("review_bulk")
    words = "accepted" if done.state == "accepted" else "kept apart"
    messages.success(request, f"{done.pairs} pairs were {words}. It can be undone below.")
    return redirect(f"{reverse('review')}?show={done.state}")


@requires("profiles.unmerge")
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what was decided at once."""
    try:
        count = api_identity.undo_decisions(
            batch=request.POST.get("batch", ""),
            by=staff_of(request).username,
            now=datetime.now(UTC),
        )
    except AmityError as error:
        messages.error(request, f"Not taken back: {error}.")
    else:
        messages.success(request, f"{count} pairs wait to be decided again.")
    return redirect("review")


def _read(asked: QueryDict) -> dict[str, Any]:
    percent = asked.get("percent", "").strip()
    if not percent.isdecimal() or int(percent) > 100:
        raise Invalid("the probability is a whole number from 0 to 100", code="bad_bound")
    choice, kind = _CHOICES.get(asked.get("choice", "")), _KINDS.get(asked.get("kind", ""))
    if choice is None or kind is None:
        raise Invalid("say which pairs, and what to do with them", code="bad_choice")
    return {"choice": choice, "kind": kind, "bound": int(percent) / 100}
