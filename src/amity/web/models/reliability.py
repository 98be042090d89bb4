"""Whether predictions came true: what was predicted, kept, and later compared with what came."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.analysis.contracts_reliability import Reliability
from amity.web.access import requires
from amity.web.customers.words import SCORES, spell
from amity.web.models import pictures
from amity.web.segments.figures_csv import answer_csv

_HEADS: Final = (
    *("score", "predicted_at", "due_at", "model_run_id", "customers", "expected", "observed"),
)
_UNITS: Final = {
    "churn": "share who bought nothing",
    "expected_purchases": "purchases a customer",
    "clv": "money a customer",
}


@requires("models.read")
@require_safe
def reliability(request: HttpRequest) -> HttpResponse:
    """Show of each followed score what was predicted by tenths of customers, and what came."""
    found = analysis.list_reliability(now=datetime.now(UTC))
    shown = [_told(each) for each in found]
    page: dict[str, Any] = {"scores": shown, "has_chart": any(one["chart"] for one in shown)}
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


def _told(found: Reliability) -> dict[str, Any]:
    title, meaning = SCORES.get(found.score, (spell(found.score), ""))
    unit = _UNITS.get(found.score, "share who did" if found.is_share else "average")
    return {
        "is": found,
        "id": f"reliability-{found.score.replace(':', '-')}",
        "title": title,
        "meaning": meaning,
        "chart": pictures.draw_reliability(found, unit) if found.groups else None,
    }
