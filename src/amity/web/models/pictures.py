"""The pictures of the models screen: predicted beside actual, and who brings the revenue."""

from typing import Any

import plotly.graph_objects as go

from amity.analysis.contracts import Concentration
from amity.web.charts import SERIES, Chart, make_chart


def draw_calibration(calibration: dict[str, Any]) -> Chart:
    """Draw, by purchases so far, what was predicted for the held-out time and what came."""
    groups = calibration["groups"]
    labels = [str(group["label"]) for group in groups]
    actual = [group["actual"] for group in groups]
    figure = go.Figure()
    figure.add_scatter(
        x=labels,
        y=actual,
        name="came",
        mode="lines+markers",
        line={"color": SERIES[0], "width": 2},
        marker={"size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [g["actual_high"] - g["actual"] for g in groups],
            "arrayminus": [g["actual"] - g["actual_low"] for g in groups],
            "color": SERIES[0],
            "thickness": 1.2,
        },
        hovertemplate="%{y:.2f} came<extra></extra>",
    )
    figure.add_scatter(
        x=labels,
        y=[group["predicted"] for group in groups],
        name="predicted",
        mode="lines+markers",
        line={"color": SERIES[1], "width": 2, "dash": "dash"},
        marker={"size": 8, "symbol": "diamond"},
        hovertemplate="%{y:.2f} predicted<extra></extra>",
    )
    figure.update_xaxes(type="category")
    return make_chart(
        figure,
        title=calibration["sentence"],
        x="purchases before, after the first",
        y="purchases a customer",
    )


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
            text=[f"  best fifth: {concentration.top_share:.0%}"],
            textposition="middle right",
            hoverinfo="skip",
        )
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return make_chart(
        figure, title=concentration.sentence, x="customers, the best first", y="revenue"
    )
