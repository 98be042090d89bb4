"""The catalogue of metrics: what each means, where it is used, and what changing one changes."""

from datetime import UTC, datetime
from typing import Any, cast, get_args

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis.contracts_metrics import Metric, MetricImpact
from amity.analysis.contracts_reports import Unit, say_value
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Invalid
from amity.web.access import may, requires, staff_of
from amity.web.metric_uses import describe_metric_impact, find_metric_uses
from amity.web.reports.metric_words import say_expression


@require_GET
@requires("reports.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the metrics that hold."""
    context = {
        "metrics": reports.list_metrics(),
        "can_write": may(request, "reports.write"),
    }
    return render(request, "reports/metrics.html", context)


@require_GET
@requires("reports.read")
def show_one(request: HttpRequest, name: str) -> HttpResponse:
    """Show one metric: its definition, its versions, where it is used."""
    return render(request, "reports/metric.html", _context(request, name))


def _context(request: HttpRequest, name: str) -> dict[str, Any]:
    versions = reports.list_metric_versions(name=name)
    return {
        "name": name,
        "metric": versions[0],
        "versions": versions,
        "uses": find_metric_uses(name=name),
        "units": get_args(Unit),
        "expression": _expression(versions[0]),
        "facts": say_expression(versions[0].definition.expression),
        "told": versions[0].definition,
        "can_write": may(request, "reports.write"),
    }


def _expression(metric: Metric) -> str:
    text = msgspec.json.encode(metric.definition.expression)
    return msgspec.json.format(text, indent=2).decode()


@require_POST
@requires("reports.write")
def save(request: HttpRequest, name: str) -> HttpResponse:
    """Keep a new version, or with `look` say first what it would change."""
    now = datetime.now(UTC)
    context = _context(request, name)
    context["expression"] = request.POST.get("expression", "")
    context["is_typed"] = context["expression"].split() != _expression(context["metric"]).split()
    context["told"] = {key: request.POST.get(key, "") for key in ("title", "definition", "unit")}
    context["told"] |= {key: request.POST.get(key, "") for key in ("direction", "owner")}
    try:
        definition = _read(request)
        if request.POST.get("look"):
            impact = describe_metric_impact(name=name, definition=definition, now=now)
            context |= {"impact": impact} | _moves(impact, context["told"]["unit"])
            return render(request, "reports/metric.html", context)
        by = staff_of(request).get_username()
        made = reports.save_metric(name=name, definition=definition, by=by, now=now)
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        return render(request, "reports/metric.html", context)
    messages.success(request, f"Version {made.version} holds from the next answers on.")
    return redirect("metric", name)


def _moves(impact: MetricImpact, unit: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return what would move, metrics and campaigns: title, now and then, with their unit."""
    known = {one.name: one.definition for one in reports.list_metrics()}
    currency = settings().currency

    def say(value: float | None, name: str) -> str:
        found = known[name].unit if name in known and name != impact.name else unit
        return say_value(value, cast(Unit, found), currency)

    return {
        "moves": [
            (known[name].title if name in known else name, say(before, name), say(after, name))
            for name, before, after in impact.values
        ],
        "tried": [
            (campaign, say(before, impact.name), say(after, impact.name))
            for campaign, before, after in impact.campaigns
        ],
    }


def _read(request: HttpRequest) -> dict[str, Any]:
    posted = request.POST
    try:
        expression = msgspec.json.decode(posted.get("expression", ""))
    except msgspec.DecodeError:
        raise Invalid("the expression is not JSON") from None
    told = ("title", "definition", "unit", "direction", "owner")
    return {key: posted.get(key, "").strip() for key in told} | {"expression": expression}
