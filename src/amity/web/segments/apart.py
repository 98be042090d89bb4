"""What sets a segment apart: found when asked for, then shown with its age."""

from datetime import UTC, datetime
from typing import Any, Final

import plotly.graph_objects as go
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools, api_work
from amity.analysis.contracts_segments import GroupDifference, SegmentDifferences
from amity.infra.config import settings
from amity.kernel.errors import AmityError
from amity.web.access import requires, staff_of
from amity.web.charts import SERIES, Chart, make_chart
from amity.web.segments.figures_csv import answer_csv
from amity.web.working import progress_of

_DRAWN: Final = 15
_LABEL: Final = 30


@require_GET
@requires("segments.read")
def show_apart(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show what was last found to set a segment apart from everybody else or another."""
    segment = analysis.get_segment(segment_id=segment_id)
    against_id = _read_against(request.GET.get("against", ""))
    found = api_segment_tools.find_differences(segment_id=segment_id, against_id=against_id)
    if found and request.GET.get("as") == "csv":
        return _as_csv(found)
    context: dict[str, Any] = {
        "segment": segment,
        "others": [
            each for each in analysis.list_segments() if each.segment_id != segment.segment_id
        ],
        "against_id": against_id,
        "currency": settings().currency,
        "found": found,
        "chart_of": draw_differences(found) if found else None,
        "progress": progress_of(
            request,
            api_work.find_differences_work(segment_id=segment_id, against_id=against_id),
            again=reverse("segment_apart_find", args=[segment_id]),
            fields=[("against", against_id or "")],
            result_at=found and found.computed_at,
        ),
    }
    return render(request, "segments/apart.html", context)


def _read_against(text: str) -> int | None:
    return int(text) if text.isdecimal() and 0 < int(text) < 2**31 else None


@require_POST
@requires("segments.read")
def find_apart(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Have it compared anew; the page says how far it is."""
    against_id = _read_against(request.POST.get("against", ""))
    try:
        api_work.ask_differences(
            segment_id=segment_id,
            against_id=against_id,
            by=staff_of(request).get_username(),
            now=datetime.now(UTC),
        )
    except AmityError as refusal:
        if refusal.kind == "not_found":
            raise
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    where = reverse("segment_apart", args=[segment_id])
    return redirect(where if against_id is None else f"{where}?against={against_id}")


def draw_differences(found: SegmentDifferences) -> Chart | None:
    """Draw the largest differences of shares that the rule does not make; None for none."""
    shares = [
        each for each in found.differences if each.measure == "share" and not each.is_by_rule
    ][:_DRAWN][::-1]
    if not shares:
        return None
    figure = go.Figure(
        go.Scatter(
            x=[100 * each.difference for each in shares],
            y=[_short(each) for each in shares],
            mode="markers",
            marker={"color": SERIES[0], "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (each.high - each.difference) for each in shares],
                "arrayminus": [100 * (each.difference - each.low) for each in shares],
                "color": SERIES[0],
                "thickness": 1.5,
            },
            hovertemplate="%{y}: %{x:.1f} points<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": "var(--ink-3)", "width": 1})
    chart = make_chart(figure, title=found.sentence, x="percentage points more or less")
    chart.figure["layout"] |= {"height": 90 + 26 * len(shares), "hovermode": "closest"}
    return chart


def _short(each: GroupDifference) -> str:
    # A share of those who did it at least once: the axis has room for what they did.
    words = each.words.removesuffix(" at least once")
    return words if len(words) <= _LABEL else f"{words[: _LABEL - 1]}…"


_COLUMNS: Final = (
    "words",
    "kind",
    "measure",
    "inside",
    "outside",
    "difference",
    "low",
    "high",
    "effect",
    "is_by_rule",
)


def _as_csv(found: SegmentDifferences) -> HttpResponse:
    rows = [[getattr(each, name) for name in _COLUMNS] for each in found.differences]
    return answer_csv(f"segment-{found.segment_id}-apart", _COLUMNS, rows)
