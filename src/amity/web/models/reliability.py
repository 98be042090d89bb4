"""Whether predictions came true: what was predicted, kept, and later compared with what came."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.analysis import api_models
from amity.analysis.contracts_reliability import Reliability
from amity.web.access import requires
from amity.web.customers.words import describe_score
from amity.web.models import pictures
from amity.web.segments.figures_csv import answer_csv

_HEADS: Final = (
    *("score", "predicted_at", "due_at", "model_run_id", "customers", "expected", "observed"),
)
_UNITS: Final = {
    "churn": "share who bought nothing",
    "expected_purchases": "purchases a customer",
    "clv": "money a customer",
    "profit": "money a customer",
    "referral_value": "money a customer",
    "next_basket": "money a purchase",
    "answer_chance": "share of messages answered",
    "discount_share": "share of lines bought reduced",
}
_NEVER: Final = {
    "p_alive": "nobody can ever see whether somebody has left for good; the chance to buy "
    "nothing, which is made of it, is followed",
    "rfm": "it says where somebody stands, and predicts nothing",
    "next_purchase_days": "it is a median of those who still buy, whom nobody can tell; "
    "the number of purchases, by the same model, is followed",
    "pareto_zone": "it says where somebody stands, and predicts nothing",
    "pareto_tenth": "it says where somebody stands, and predicts nothing",
    "loyalty_cell": "it says where somebody stands, and predicts nothing",
    "send_hour": "the chance to answer at that hour is followed",
    "send_channel": "no later message shows what another channel would have brought",
}
"""Scores that no time proves right or wrong, and why."""


@requires("models.read")
@require_safe
def reliability(request: HttpRequest) -> HttpResponse:
    """Show of each followed score what was predicted by tenths of customers, and what came."""
    found = analysis.list_reliability(now=datetime.now(UTC))
    shown = [_told(each) for each in found]
    page: dict[str, Any] = {
        "scores": [one for one in shown if one["chart"]],
        "waiting": [one for one in shown if not one["chart"]],
        "unfollowed": _unfollowed({each.score for each in found}),
    }
    return render(request, "models/reliability.html", page)


@requires("models.read")
@require_safe
def reliability_csv(request: HttpRequest) -> HttpResponse:
    """Hand out the rounds of predictions and what came, as a table."""
    rows = [
        (
            each.score,
            one.predicted_at.isoformat(),
            one.due_at.isoformat(),
            one.model_run_id,
            one.customers,
            f"{one.expected:.6g}",
            None if one.observed is None else f"{one.observed:.6g}",
        )
        for each in analysis.list_reliability(now=datetime.now(UTC))
        for one in each.rounds
    ]
    return answer_csv("reliability", _HEADS, rows)


def _unfollowed(followed: set[str]) -> list[dict[str, str]]:
    """Say of scores no round is kept of why, in what they are called."""
    rows = [{"title": describe_score(name)[0], "why": why} for name, why in _NEVER.items()]
    waiting = [
        words.name
        for state in api_models.list_store_estimates()
        for words in state.scores
        if words.name not in followed and words.name not in _NEVER
    ]
    waiting += [
        state.model.score for state in api_models.list_models() if state.model.score not in followed
    ]
    why = "nothing predicted yet: it was not computed, or the data could not carry it"
    return [*rows, *({"title": describe_score(name)[0], "why": why} for name in waiting)]


def _told(found: Reliability) -> dict[str, Any]:
    title, meaning = describe_score(found.score)
    unit = _UNITS.get(found.score, "share who did" if found.is_share else "average")
    return {
        "is": found,
        "id": f"reliability-{found.score.replace(':', '-')}",
        "title": title,
        "meaning": meaning,
        "due_at": min((one.due_at for one in found.rounds), default=None),
        "chart": pictures.draw_reliability(found, unit) if found.groups else None,
    }
