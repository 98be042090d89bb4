"""What customers will do: models anybody can make, each with its proof and what it looks at."""

import re
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from amity.analysis import api as analysis
from amity.analysis import api_models
from amity.analysis.contracts_models import ModelState
from amity.kernel.errors import AmityError, Invalid, NotFound
from amity.web.access import may, requires, staff_of
from amity.web.charts import SERIES, Chart, make_chart
from amity.web.working import progress_of

_MOST_SHOWN = 12


@requires("models.read")
@require_safe
def predictions(request: HttpRequest) -> HttpResponse:
    """Show the models there are, and a form for one more."""
    return render(
        request,
        "models/predictions.html",
        {
            "states": [_row(state) for state in api_models.list_models()],
            "segments": analysis.list_segments(),
            "can_write": may(request, "segments.write"),
        },
    )


@requires("models.read")
@require_safe
def prediction(request: HttpRequest, key: str) -> HttpResponse:
    """Show one model: what it says came true, what it looks at, what to mind."""
    try:
        state = api_models.get_model(key=key)
    except NotFound as error:
        raise Http404 from error
    page: dict[str, Any] = {
        "state": state,
        "can_write": may(request, "segments.write"),
        "progress": progress_of(
            request,
            api_models.find_model_work(key=key),
            again=reverse("prediction_learn", args=[key]) if may(request, "segments.write") else "",
            result_at=state.run and state.run.computed_at,
        ),
    }
    report = state.run.report if state.run else {}
    if report.get("quality"):
        page |= {
            "quality": report["quality"],
            "proof": draw_proof(report),
            "weights": _weights(report),
            "judged_at": datetime.fromtimestamp(report["cutoffs"][-1], UTC),
        }
    return render(request, "models/prediction.html", page)


@require_POST
@requires("segments.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a model out of the form."""
    name = request.POST.get("name", "").strip()
    try:
        segment = request.POST.get("segment", "")
        made = api_models.create_model(
            key=_key_of(name),
            name=name,
            event=request.POST.get("event", ""),
            horizon_days=_days(request.POST.get("days", "")),
            segment_id=int(segment) if segment.isdecimal() else None,
            is_first=bool(request.POST.get("first")),
            traits=[each.strip() for each in _parts(request) if each.strip()],
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        return redirect("predictions")
    return redirect("prediction", made.key)


@require_POST
@requires("segments.write")
def learn(request: HttpRequest, key: str) -> HttpResponse:
    """Have a model learnt anew; the page says how far it is."""
    try:
        api_models.ask_model(key=key, by=staff_of(request).get_username(), now=datetime.now(UTC))
    except NotFound as error:
        raise Http404 from error
    return redirect("prediction", key)


@require_POST
@requires("segments.write")
def archive(request: HttpRequest, key: str) -> HttpResponse:
    """Take a model out of use."""
    try:
        api_models.archive_model(key=key, now=datetime.now(UTC))
    except NotFound as error:
        raise Http404 from error
    messages.success(request, "The model is archived and its scores are gone.")
    return redirect("predictions")


def _parts(request: HttpRequest) -> list[str]:
    return str(request.POST.get("traits", "")).split(",")


def _key_of(name: str) -> str:
    """Return a key made of a name: small letters, digits and dashes."""
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return key if key[:1].isalpha() else f"m-{key}"[:40]


def _days(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise Invalid("the days ahead are a whole number, such as 30")
    return int(text)


def _row(state: ModelState) -> dict[str, Any]:
    report = state.run.report if state.run else {}
    return {
        "model": state.model,
        "run": state.run,
        "refused": report.get("refused"),
        "auc": (report.get("quality") or {}).get("auc"),
        "warnings": len(report.get("warnings", [])),
    }


def _weights(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the model looks at most, with how far each has moved since."""
    drift: dict[str, float] = report["drift"]
    # The database keeps no order of keys.
    best = sorted(report["weight"].items(), key=lambda each: -each[1])[:_MOST_SHOWN]
    return [{"name": name, "weight": weight, "drift": drift.get(name)} for name, weight in best]


def draw_proof(report: dict[str, Any]) -> Chart:
    """Draw what was said of customers before the time held out, and what came."""
    groups = report["quality"]["groups"]
    said = [group["predicted"] for group in groups]
    figure = go.Figure()
    figure.add_scatter(
        x=said,
        y=[group["actual"] for group in groups],
        name="came",
        mode="markers",
        marker={"size": 9, "color": SERIES[0]},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [group["actual_high"] - group["actual"] for group in groups],
            "arrayminus": [group["actual"] - group["actual_low"] for group in groups],
            "color": SERIES[0],
            "thickness": 1.2,
        },
        hovertemplate="%{y:.1%} came<extra></extra>",
    )
    top = max(*said, *(group["actual_high"] for group in groups))
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        name="as said",
        mode="lines",
        line={"color": "var(--line-strong)", "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(tickformat=".0%")
    inside = sum(
        group["actual_low"] <= group["predicted"] <= group["actual_high"] for group in groups
    )
    title = (
        f"In {inside} of {len(groups)} groups of customers, what was said lies within what came, "
        "give or take chance"
    )
    return make_chart(figure, title=title, x="said", y="came")
