"""Comparing who is in two to five segments: the picture, the table, and the customers behind it."""

from typing import Any, Final

import msgspec
import plotly.graph_objects as go
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from plotly.subplots import make_subplots

from amity.analysis import api as analysis
from amity.analysis import api_segment_lists, api_segment_tools
from amity.analysis.contracts_segments import OverlapCell, SegmentOverlap, SegmentSearch
from amity.kernel.errors import Invalid
from amity.web.access import may, requires
from amity.web.charts import LINE, SERIES, Chart, make_chart
from amity.web.segments.building import name_examples
from amity.web.segments.figures_csv import answer_csv

_MOST: Final = 5
_MOST_DRAWN: Final = 24
_PAGE: Final = 50
_OFFERED: Final = 60


class CellLine(msgspec.Struct, frozen=True, kw_only=True):
    """One combination as the table shows it."""

    names: list[str]
    customers: int
    rate: float
    query: str
    """Names this combination in addresses: `in` and `out`."""


def _offered(request: HttpRequest, chosen: list[int]) -> dict[str, Any]:
    """Return which segments can be chosen: those chosen already, then what is searched for."""
    text = request.GET.get("q", "").strip()[:200]
    page = api_segment_lists.list_segment_page(search=SegmentSearch(text=text), limit=_OFFERED)
    names = api_segment_lists.list_segment_names(segment_ids=chosen)
    held = [analysis.get_segment(segment_id=segment_id) for segment_id in names]
    others = [each for each in page.items if each.segment_id not in chosen]
    return {
        "segments": [*held, *others],
        "search": text,
        "has_more": page.next_cursor is not None,
    }


@require_GET
@requires("segments.read")
def show_overlap(request: HttpRequest) -> HttpResponse:
    """Show how the chosen segments lie over each other."""
    chosen = read_ids(request, "s")
    context: dict[str, Any] = {
        **_offered(request, chosen),
        "chosen": chosen,
        "most": _MOST,
        "can_write": may(request, "segments.write"),
    }
    if len(chosen) > 1:
        try:
            found = api_segment_tools.compare_members(segment_ids=chosen)
        except Invalid as refusal:
            context["failure"] = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        else:
            if request.GET.get("as") == "csv":
                return _as_csv(found)
            context |= _shown(found)
    return render(request, "segments/overlap.html", context)


def read_ids(request: HttpRequest, name: str) -> list[int]:
    """Return the segments an address names under ``name``, each once."""
    return list(
        dict.fromkeys(
            int(text)
            for text in request.GET.getlist(name)
            if text.isdecimal() and 0 < int(text) < 2**31
        )
    )


def _shown(found: SegmentOverlap) -> dict[str, Any]:
    names = {each.segment_id: each.name for each in found.segments}
    return {
        "found": found,
        "chart_of": draw_overlap(found),
        "lines": [_line(cell, found, names) for cell in found.cells],
        "pairs": [
            ([names[segment_id] for segment_id in pair.segment_ids], pair) for pair in found.pairs
        ],
        "most_drawn": _MOST_DRAWN,
    }


def _line(cell: OverlapCell, found: SegmentOverlap, names: dict[int, str]) -> CellLine:
    out = [each.segment_id for each in found.segments if each.segment_id not in cell.segment_ids]
    parts = [f"in={one}" for one in cell.segment_ids] + [f"out={one}" for one in out]
    return CellLine(
        names=[names[segment_id] for segment_id in cell.segment_ids],
        customers=cell.customers,
        rate=cell.customers / found.in_any,
        query="&".join(parts),
    )


def draw_overlap(found: SegmentOverlap) -> Chart | None:
    """Draw the combinations by size over a grid of who is in them (an UpSet picture).

    After Lex, Gehlenborg, Strobelt, Vuillemot and Pfister, UpSet: Visualization of Intersecting
    Sets, IEEE TVCG 20 (2014) 1983-1992.
    """
    cells = found.cells[:_MOST_DRAWN]
    if not cells:
        return None
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.04
    )
    places = list(range(len(cells)))
    figure.add_trace(
        go.Bar(
            x=places,
            y=[cell.customers for cell in cells],
            marker={"color": SERIES[0]},
            text=[f"{cell.customers:,}" for cell in cells],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y:,} customers<extra></extra>",
        ),
        row=1,
        col=1,
    )
    _draw_grid(figure, found, cells)
    chart = make_chart(figure, title=found.sentence)
    chart.figure["layout"] |= {
        "showlegend": False,
        "hovermode": "closest",
        "height": 220 + 42 * len(found.segments),
    }
    return chart


def _draw_grid(figure: go.Figure, found: SegmentOverlap, cells: list[OverlapCell]) -> None:
    rows = {each.segment_id: -n for n, each in enumerate(found.segments)}
    dots = [(n, row) for n in range(len(cells)) for row in rows.values()]
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in dots],
            y=[y for _, y in dots],
            mode="markers",
            marker={"color": LINE, "size": 9},
            hoverinfo="skip",
        ),
        row=2,
        col=1,
    )
    for n, cell in enumerate(cells):
        inside = [rows[segment_id] for segment_id in cell.segment_ids]
        figure.add_trace(
            go.Scatter(
                x=[n] * len(inside),
                y=inside,
                mode="lines+markers",
                line={"color": SERIES[0], "width": 2},
                marker={"color": SERIES[0], "size": 11},
                hoverinfo="skip",
            ),
            row=2,
            col=1,
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(tickformat=",d", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(
        tickvals=list(rows.values()),
        ticktext=[_short(f"{each.name} ({each.members:,})") for each in found.segments],
        range=[min(rows.values()) - 0.6, 0.6],
        zeroline=False,
        showgrid=False,
        row=2,
        col=1,
    )


def _short(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _as_csv(found: SegmentOverlap) -> HttpResponse:
    ids = [each.segment_id for each in found.segments]
    head = [*(each.name for each in found.segments), "customers"]
    rows = [
        (*("yes" if one in cell.segment_ids else "no" for one in ids), cell.customers)
        for cell in found.cells
    ]
    return answer_csv("segments-overlap", head, rows)


@require_GET
@requires("segments.read")
def show_overlap_members(request: HttpRequest) -> HttpResponse:
    """List who is in all of some segments and in none of others."""
    inside, outside = read_ids(request, "in"), read_ids(request, "out")
    known = {each.segment_id: each for each in analysis.list_segments(is_archived=None)}
    context: dict[str, Any] = {
        "inside": [known[one] for one in inside if one in known],
        "outside": [known[one] for one in outside if one in known],
        "can_write": may(request, "segments.write"),
        "page_size": _PAGE,
    }
    try:
        page = api_segment_tools.list_overlap_members(
            inside=inside, outside=outside, cursor=request.GET.get("cursor") or None, limit=_PAGE
        )
    except Invalid as refusal:
        context["failure"] = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
    else:
        context |= {"people": name_examples(page.items), "next_cursor": page.next_cursor}
    return render(request, "segments/overlap_members.html", context)
