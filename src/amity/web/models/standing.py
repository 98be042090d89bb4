"""Scores made of the warehouse: each with its card, what it rests on, its proof, or why not."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.analysis import api_models
from amity.analysis.contracts_models import StoreEstimateState
from amity.kernel.errors import NotFound
from amity.web.access import requires
from amity.web.models import pictures

_SHARES = frozenset({"send_time", "send_channel", "discounts"})
_MEANINGS = {
    "answer_rate": "of all messages were answered",
    "hour_strength": "as much as so many answers weigh the hours of all against one’s own",
    "hour_p_value": "how often chance alone makes all together prefer hours so",
    "own_hours_p_value": "how often chance alone makes customers differ so in their hours",
    "channel_strength": "as much as so many answers weigh the channels of all against one’s own",
    "own_channels_p_value": "how often chance alone makes customers differ so in their channels",
    "share_reduced": "of lines were bought reduced",
    "spread": "how far customers differ in seeking reductions (standard deviation)",
    "p_value": "how often chance alone makes customers differ so",
    "elasticity": "per cent more sold with a price one per cent higher; no cause",
    "retain": "customers in the zone Retain",
    "grow": "customers in the zone Grow",
    "select": "customers in the zone Select",
    "true": "customers truly loyal",
    "latent": "customers who think well and buy seldom",
    "spurious": "customers who buy often and do not think well",
    "none": "customers who do neither",
    "decay": "of a value is credited at each step",
    "total": "credited in all",
}


@requires("models.read")
@require_safe
def standing(request: HttpRequest, name: str) -> HttpResponse:
    """Show one estimate over the store: card, data, time, proof, limits, or its refusal."""
    try:
        state = api_models.get_store_estimate(name=name)
    except NotFound as error:
        raise Http404 from error
    report = state.run.report if state.run else {}
    calibration = report.get("calibration") or {}
    page: dict[str, Any] = {
        "state": state,
        "report": report,
        "calibration": calibration,
        "is_share": name in _SHARES,
        "parameters": _parameters(state),
    }
    if calibration.get("groups"):
        page["proof"] = pictures.draw_groups(calibration, is_share=name in _SHARES)
    return render(request, "models/standing.html", page)


def list_rows() -> list[dict[str, Any]]:
    """Return the estimates over the store as the page of models lists them."""
    rows = []
    for state in api_models.list_store_estimates():
        report = state.run.report if state.run else {}
        rows.append(
            {
                "state": state,
                "refused": report.get("refused"),
                "sentence": report.get("sentence"),
                "warnings": len(report.get("warnings", [])),
            }
        )
    return rows


def _parameters(state: StoreEstimateState) -> list[dict[str, Any]]:
    if state.run is None:
        return []
    return [
        {"name": name.replace("_", " "), "value": value, "meaning": _meaning(name)}
        for name, value in sorted(state.run.parameters.items())
    ]


def _meaning(name: str) -> str:
    if name.startswith("answered_by_"):
        return "of the messages by this channel were answered"
    return _MEANINGS.get(name, "")
