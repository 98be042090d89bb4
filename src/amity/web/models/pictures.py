"""The pictures of the models screen: predicted beside actual, and who brings the revenue."""

from typing import Any

import msgspec
import plotly.graph_objects as go

from amity.analysis.contracts import Concentration
from amity.analysis.contracts_reliability import Reliability
from amity.web.charts import SERIES, Chart, make_chart


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A group of customers: what was predicted of them on average, and what came."""

    label: str
    predicted: float
    actual: float
    low: float
    high: float


def draw_calibration(calibration: dict[str, Any]) -> Chart:
    """Draw, by purchases so far, what was predicted for the held-out time and what came."""
    return _draw_pairs(
        _pairs_of(calibration),
        title=calibration.get("sentence", "Predicted for the held-out time, and what came"),
        x="purchases before, after the first",
        y="purchases a customer",
    )


def _pairs_of(calibration: dict[str, Any]) -> list[Pair]:
    return [
        Pair(
            label=str(group["label"]),
            predicted=group["predicted"],
            actual=group["actual"],
            low=group["actual_low"],
            high=group["actual_high"],
        )
        for group in calibration["groups"]
    ]


def draw_groups(calibration: dict[str, Any], *, is_share: bool) -> Chart:
    """Draw what was expected of later messages, lines or answers, and what came."""
    chart = _draw_pairs(
        _pairs_of(calibration),
        title=calibration["sentence"],
        x="groups, by what was expected",
        y="share" if is_share else "average",
    )
    if is_share:
        chart.figure["layout"]["yaxis"]["tickformat"] = ".0%"
    return chart


def draw_reliability(found: Reliability, y: str) -> Chart:
    """Draw, from the lowest predictions to the highest, what was predicted and what came."""
    pairs = [
        Pair(
            label=str(group.place + 1),
            predicted=group.expected,
            actual=group.observed,
            low=group.low,
            high=group.high,
        )
        for group in found.groups
    ]
    chart = _draw_pairs(
        pairs, title=found.sentence, x="tenth of customers, the lowest predictions first", y=y
    )
    if found.is_share:
        chart.figure["layout"]["yaxis"]["tickformat"] = ".0%"
    return chart


def _draw_pairs(pairs: list[Pair], *, title: str, x: str, y: str) -> Chart:
    labels = [pair.label for pair in pairs]
    figure = go.Figure()
    figure.add_scatter(
        x=labels,
        y=[pair.actual for pair in pairs],
        name="came",
        mode="lines+markers",
        line={"color": SERIES[0], "width": 2},
        marker={"size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [pair.high - pair.actual for pair in pairs],
            "arrayminus": [pair.actual - pair.low for pair in pairs],
            "color": SERIES[0],
            "thickness": 1.2,
        },
        hovertemplate="%{y:.2f} came<extra></extra>",
    )
    figure.add_scatter(
        x=labels,
        y=[pair.predicted for pair in pairs],
        name="predicted",
        mode="lines+markers",
        line={"color": SERIES[1], "width": 2, "dash": "dash"},
        marker={"size": 8, "symbol": "diamond"},
        hovertemplate="%{y:.2f} predicted<extra></extra>",
    )
    figure.update_xaxes(type="category")
    return make_chart(figure, title=title, x=x, y=y)


def draw_concentration(concentration: Concentration) -> Chart:
    """Draw the share of revenue against the share of customers, the best first."""
    figure = go.Figure()
    figure.add_scatter(
        x=[point.customers for point in concentration.curve],
        y=[point.revenue for point in concentration.curve],
        name="revenue",
        mode="lines",
        line={"color": SERIES[0], "width": 2.5},
        fill="tozeroy",
        fillcolor="var(--accent-soft)",
        hovertemplate="%{y:.0%} of revenue<extra></extra>",
    )
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        name="if all brought the same",
        mode="lines",
        line={"color": "var(--line-strong)", "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    if concentration.top_share is not None:
        figure.add_scatter(
            x=[0.2],
            y=[concentration.top_share],
            name="best fifth",
            mode="markers+text",
            marker={"color": SERIES[1], "size": 11, "symbol": "diamond"},
            text=[f"  best fifth: {concentration.top_share * 100:.0f} %"],
            textposition="middle right",
            hoverinfo="skip",
        )
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return make_chart(
        figure, title=concentration.sentence, x="customers, the best first", y="revenue"
    )
