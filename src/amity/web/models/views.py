"""Models: what the estimators learned, how well they predicted, how revenue concentrates."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.analysis import api as analysis
from amity.analysis.contracts import ModelRun
from amity.kernel.errors import NotFound
from amity.web.access import requires
from amity.web.models import pictures, standing

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
    if buying is not None:
        page |= _calibration(buying)
    concentration = analysis.concentration()
    page["concentration"] = concentration
    if concentration.curve and concentration.top_share is not None:
        page["curve"] = pictures.draw_concentration(concentration)
    return render(request, "models/models.html", page)


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
