"""Segments that suggest themselves: the words of RFM, and groups of alike customers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools, api_work
from amity.analysis.contracts_segments import ClusterSet
from amity.infra.config import settings
from amity.kernel.errors import AmityError
from amity.web.access import may, requires, staff_of
from amity.web.charts import SERIES, Chart, make_chart
from amity.web.segments.figures_csv import answer_csv
from amity.web.working import progress_of


@require_GET
@requires("segments.read")
def show_automatic(request: HttpRequest) -> HttpResponse:
    """Show the words of RFM and the groups last found, with their age."""
    clusters = api_segment_tools.find_clusters()
    if clusters and request.GET.get("as") == "csv":
        rows = [
            (cluster.name, cluster.customers, trait.words, trait.median, trait.median_of_all)
            for cluster in clusters.clusters
            for trait in cluster.traits
        ]
        return answer_csv("groups", ("group", "customers", "what", "median", "of_all"), rows)
    made = {each.name for each in analysis.list_segments()}
    cells = api_segment_tools.find_rfm_cells()
    finding, saving = api_work.find_clusters_work()
    context: dict[str, Any] = {
        "rfm": cells,
        "cells": [(cell, f"RFM: {cell.word}" in made) for cell in cells.cells] if cells else [],
        "clusters": clusters,
        "chart_of": draw_trials(clusters) if clusters else None,
        "can_write": may(request, "segments.write"),
        **(_groups(clusters) if clusters else {}),
        "progress": progress_of(
            request,
            finding,
            again=reverse("segments_groups_find"),
            result_at=clusters and clusters.computed_at,
        ),
        "saving": progress_of(request, saving, again=reverse("segments_groups_save")),
    }
    return render(request, "segments/automatic.html", context)


def _groups(clusters: ClusterSet) -> dict[str, Any]:
    """Return each group with its segment, or None where none was made of it."""
    saved = {each.rule["is"]["value"]: each for each in api_work.find_saved_clusters()}
    return {
        "groups": [(cluster, saved.get(cluster.name)) for cluster in clusters.clusters],
        "saved": saved,
        "currency": settings().currency,
    }


def draw_trials(found: ClusterSet) -> Chart:
    """Draw how well apart and how surely found again each number of groups is."""
    figure = go.Figure()
    tried = [each.clusters for each in found.tried]
    for name, values, series, dash, symbol in (
        ("Apart (silhouette)", [each.silhouette for each in found.tried], 0, "solid", "circle"),
        ("Found again", [each.stability for each in found.tried], 3, "dash", "square"),
    ):
        figure.add_trace(
            go.Scatter(
                x=tried,
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": SERIES[series], "dash": dash, "width": 2},
                marker={"symbol": symbol, "size": 8},
                hovertemplate="%{y:.2f}",
            )
        )
    figure.add_vline(x=found.chosen.clusters, line={"color": "var(--ink-3)", "dash": "dot"})
    figure.update_yaxes(range=[min(0, *(each.silhouette for each in found.tried)), 1.05])
    figure.update_xaxes(dtick=1)
    chosen = found.chosen
    title = (
        f"{chosen.clusters} groups lie furthest apart ({chosen.silhouette:.2f}) of those that are "
        f"found again ({chosen.stability:.2f})"
    )
    return make_chart(figure, title=title, x="number of groups")


def _try(request: HttpRequest, act: Callable[[], object], done: str = "") -> HttpResponse:
    """Do what was asked and come back, saying what became of it."""
    try:
        act()
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        if done:
            messages.success(request, done)
    return redirect("segments_automatic")


@require_POST
@requires("segments.read")
def find_cells(request: HttpRequest) -> HttpResponse:
    """Count the words of RFM anew."""
    return _try(request, lambda: api_segment_tools.refresh_rfm_cells(now=datetime.now(UTC)))


@require_POST
@requires("segments.write")
def save_cell(request: HttpRequest) -> HttpResponse:
    """Make a segment of one word of RFM."""
    word, by = request.POST.get("word", ""), staff_of(request).get_username()
    return _try(
        request,
        lambda: api_segment_tools.save_rfm_cell(word=word, by=by, now=datetime.now(UTC)),
        f"RFM: {word} is made and is being filled.",
    )


@require_POST
@requires("segments.read")
def find_groups(request: HttpRequest) -> HttpResponse:
    """Have groups looked for anew; the page says how far it is."""
    by = staff_of(request).get_username()
    return _try(request, lambda: api_work.ask_clusters(by=by, now=datetime.now(UTC)))


@require_POST
@requires("segments.write")
def save_groups(request: HttpRequest) -> HttpResponse:
    """Have everybody put into their group and a segment made of each."""
    by = staff_of(request).get_username()
    return _try(request, lambda: api_work.ask_saved_clusters(by=by, now=datetime.now(UTC)))
