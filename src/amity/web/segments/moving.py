"""How a segment grew and shrank between two days: the figures, the picture, the customers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import plotly.graph_objects as go
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.analysis.contracts_segments import SegmentMovement
from amity.kernel.errors import Invalid
from amity.web.access import requires
from amity.web.charts import SERIES, Chart, make_chart
from amity.web.segments.building import name_examples
from amity.web.segments.figures_csv import answer_csv

_DAYS: Final = 30


@require_GET
@requires("segments.read")
def show_movement(request: HttpRequest, segment_id: int) -> HttpResponse:
    """Show who came, went and stayed between two days (UTC), by default the last thirty."""
    segment = analysis.get_segment(segment_id=segment_id)
    now = datetime.now(UTC)
    since, until = _read_period(request, now)
    context: dict[str, Any] = {
        "segment": segment,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "today": now.date().isoformat(),
    }
    try:
        found = api_segment_tools.describe_movement(
            segment_id=segment_id, since=end_of(since, now), until=end_of(until, now)
        )
    except Invalid as refusal:
        context["failure"] = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        return render(request, "segments/movement.html", context)
    if request.GET.get("as") == "csv":
        rows = [(each.day, each.entered, each.left) for each in found.days]
        return answer_csv(f"segment-{segment_id}-moves", ("day", "entered", "left"), rows)
    context |= {
        "found": found,
        "chart_of": draw_moves(found),
        "came": name_examples(found.examples_entered),
        "went": name_examples(found.examples_left),
        "net": found.after - found.before,
    }
    return render(request, "segments/movement.html", context)


def _read_period(request: HttpRequest, now: datetime) -> tuple[date, date]:
    today = now.date()
    until = read_day(request.GET.get("until", "")) or today
    since = read_day(request.GET.get("since", "")) or until - timedelta(days=_DAYS)
    return since, until


def read_day(text: str) -> date | None:
    """Return the day that was written, or None."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def end_of(day: date, now: datetime) -> datetime:
    """Return the end of a day (UTC); of today, what it is now."""
    if day >= date.max:
        return now
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return min(end, now)


def draw_moves(found: SegmentMovement) -> Chart | None:
    """Draw who entered above the line and who left below it, by day; None for no moves."""
    if not found.days:
        return None
    figure = go.Figure()
    days = [each.day.isoformat() for each in found.days]
    for name, values, series, pattern in (
        ("Entered", [each.entered for each in found.days], SERIES[0], ""),
        ("Left", [-each.left for each in found.days], SERIES[3], "/"),
    ):
        figure.add_trace(
            go.Bar(
                x=days,
                y=values,
                name=name,
                marker={"color": series, "pattern": {"shape": pattern}},
                customdata=[abs(value) for value in values],
                hovertemplate="%{customdata:,} " + name.lower() + "<extra></extra>",
            )
        )
    figure.update_layout(barmode="relative", bargap=0.15)
    figure.update_yaxes(tickformat=",d")
    # The whole time that was asked for, half a day around: one day alone would fill the picture.
    half = timedelta(hours=12)
    whole = [(found.since - half).isoformat(), (found.until + half).isoformat()]
    figure.update_xaxes(range=whole, tickformat="%-d %b %Y")
    return make_chart(figure, title=found.sentence)
