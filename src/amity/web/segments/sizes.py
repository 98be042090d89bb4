"""A segment's size over time: its change, and its chart."""

from datetime import timedelta

import plotly.graph_objects as go

from amity.analysis.contracts import SegmentCount
from amity.web.charts import SERIES, Chart, make_chart


def change_since(counts: list[SegmentCount], members: int, *, days: int) -> int | None:
    """Return how many more there are now than ``days`` before the last counted day.

    ``counts`` is in order of days. None when the record does not reach back that far.
    """
    if not counts:
        return None
    wanted = counts[-1].day - timedelta(days=days)
    before = [count.members for count in counts if count.day <= wanted]
    return members - before[-1] if before else None


def draw_sizes(counts: list[SegmentCount], name: str) -> Chart | None:
    """Draw the size by day, what was reconstructed dashed; None for fewer than two days."""
    if len(counts) < 2:
        return None
    figure = go.Figure()
    for method, dash, label in (
        ("reconstructed", "dot", "Reconstructed"),
        ("counted", "solid", "Counted"),
    ):
        days = _stretch(counts, method)
        if days:
            figure.add_trace(
                go.Scatter(
                    x=[count.day.isoformat() for count in days],
                    y=[count.members for count in days],
                    name=label,
                    mode="lines" if len(days) > 1 else "markers",
                    line={"color": SERIES[0], "dash": dash, "width": 2},
                    hovertemplate="%{y:,} customers",
                )
            )
    figure.update_yaxes(rangemode="tozero", tickformat=",d")
    return make_chart(figure, title=_finding(counts, name))


def _stretch(counts: list[SegmentCount], method: str) -> list[SegmentCount]:
    """Return the days of one method, and for a reconstructed stretch the day it leads to."""
    days = [count for count in counts if count.method == method]
    if method == "reconstructed" and days:
        days += [count for count in counts if count.day > days[-1].day][:1]
    return days


def _finding(counts: list[SegmentCount], name: str) -> str:
    first, last = counts[0], counts[-1]
    since = f"since {first.day:%-d %b %Y}"
    if first.members == last.members:
        return f"{name} is as large as it was on {first.day:%-d %b %Y}"
    if not first.members:
        return f"{name} grew from nobody to {last.members:,} {since}"
    rate = (last.members - first.members) / first.members
    if abs(rate) < 0.005:
        return f"{name} is about as large as on {first.day:%-d %b %Y}"
    how = "grew" if rate > 0 else "shrank"
    return f"{name} {how} by {abs(rate):,.0%} {since}".replace("%", " %")
