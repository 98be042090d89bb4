"""Models: what the estimators learned, how well they predicted, how revenue concentrates."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from amity.analysis import api as analysis
from amity.analysis import api_models
from amity.analysis.contracts import ModelRun
from amity.kernel.errors import NotFound
from amity.web.access import may, requires, staff_of
from amity.web.models import pictures, standing
from amity.web.working import progress_of

_Z95: Final = 1.96
_MEANINGS: Final = {
    "r": "how alike customers’ buying rates are; larger is more alike",
    "alpha": "scale of the buying rates: r / α purchases a week on average",
    "a": "with b, how likely a purchase is the last: a / (a + b) on average",
    "b": "see a",
    "p": "how alike one customer’s baskets are among each other",
    "q": "how alike customers’ average baskets are; above 1 the average exists",
    "v": "scale of the average basket",
    "s": "how alike customers’ rates of leaving are; larger is more alike",
    "beta": "scale of the rates of leaving: s / β leave a week on average",
}


@requires("models.read")
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Show the latest run of each model with its proof, and the concentration of revenue."""
    buying, spending, rival = _latest("bgnbd"), _latest("gamma_gamma"), _latest("pareto_nbd")
    page: dict[str, Any] = {
        "runs": [
            _told("How often they buy, and whether they still do", "BG/NBD", buying),
            _told("How much they spend at a time", "Gamma-Gamma", spending),
            _told("A second opinion on how often they buy", "Pareto/NBD", rival),
        ],
        "contest": _compare(buying, rival),
        "cards": [words.card for words in analysis.list_estimators()],
        "has_run": buying is not None,
        "standing": standing.list_rows(),
    }
    page |= _scoring(request)
    if buying is not None:
        page |= _calibration(buying)
    concentration = analysis.concentration()
    page["concentration"] = concentration
    if concentration.curve and concentration.top_share is not None:
        page["curve"] = pictures.draw_concentration(concentration)
    return render(request, "models/models.html", page)


@require_POST
@requires("segments.write")
def score(request: HttpRequest) -> HttpResponse:
    """Have everybody scored anew by what they ordered; the page says how far it is."""
    api_models.ask_scores(by=staff_of(request).get_username(), now=datetime.now(UTC))
    return redirect("models")


@require_POST
@requires("segments.write")
def score_store(request: HttpRequest) -> HttpResponse:
    """Have the scores of what the warehouse holds made anew."""
    api_models.ask_store_estimates(by=staff_of(request).get_username(), now=datetime.now(UTC))
    return redirect("models")


def _scoring(request: HttpRequest) -> dict[str, Any]:
    """Return how far scoring everybody is, and who may ask for it."""
    by_orders, by_warehouse = api_models.find_scores_work()
    can_score = may(request, "segments.write")
    routes = ("models_score", "models_score_store")
    works = [
        progress_of(request, work, again=reverse(route) if can_score else "")
        for work, route in zip((by_orders, by_warehouse), routes, strict=True)
    ]
    return {"works": works, "can_score": can_score}


def _latest(estimator: str) -> ModelRun | None:
    try:
        return analysis.get_latest_run(estimator=estimator)
    except NotFound:
        return None


def _told(title: str, model: str, run: ModelRun | None) -> dict[str, Any]:
    told: dict[str, Any] = {"title": title, "model": model, "run": run, "parameters": []}
    if run is None:
        return told
    errors: dict[str, float | None] = run.report.get("standard_errors") or {}
    known = [name for name in _MEANINGS if name in run.parameters]
    for name in [*known, *(set(run.parameters) - set(known))]:
        value = run.parameters[name]
        error = errors.get(name)
        told["parameters"].append(
            {
                "name": name,
                "value": value,
                "low": None if error is None else max(0.0, value - _Z95 * error),
                "high": None if error is None else value + _Z95 * error,
                "meaning": _MEANINGS.get(name, ""),
            }
        )
    return told


def _compare(buying: ModelRun | None, rival: ModelRun | None) -> str:
    """Say which of two models came closer on the same held-out time; nothing when one did not."""
    checks = [run.report.get("calibration") or {} for run in (buying, rival) if run is not None]
    misses = [check["mean_absolute_error"] for check in checks if check.get("groups")]
    if len(misses) < 2:
        return ""
    one, other = misses
    if abs(one - other) < 0.01 * max(one, other):
        return "BG/NBD and Pareto/NBD came equally close in the held-out time."
    closer, farther = ("BG/NBD", "Pareto/NBD") if one < other else ("Pareto/NBD", "BG/NBD")
    return (
        f"In the held-out time {closer} came closer: it missed a customer by {min(misses):.3f} "
        f"purchases on average, {farther} by {max(misses):.3f}."
    )


def _calibration(run: ModelRun) -> dict[str, Any]:
    calibration = run.report.get("calibration") or {}
    if not calibration.get("groups"):
        return {"uncalibrated": calibration.get("refused") or "there is no held-out time yet"}
    return {"calibration": calibration, "proof": pictures.draw_calibration(calibration)}
