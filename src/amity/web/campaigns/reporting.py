"""A campaign's figures as the page shows them: progress, outcomes, the two groups side by side."""

from typing import Final

import msgspec
import plotly.graph_objects as go

from amity.broadcast.contracts import ArmFigures, CampaignReport, MetricFigures, SendCounts
from amity.kernel.estimate import Estimate
from amity.kernel.money import format_minor, to_minor
from amity.web.charts import SERIES, Chart, make_chart

ARMS: Final = {"treatment": "Got the message", "holdout": "Held out"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the bar that shows what became of all that was planned."""

    key: str
    label: str
    count: int
    start: str
    """In per cent of the bar, as are the next."""
    width: str
    look: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the report with what it means."""

    key: str
    label: str
    value: int | None
    rate: float | None
    of: str
    definition: str


class ArmLine(msgspec.Struct, frozen=True, kw_only=True):
    """One group as the table shows it."""

    label: str
    figures: ArmFigures
    per_customer: str
    range: str


_PARTS: Final = (
    ("sent", "sent", "good"),
    ("suppressed", "held back", "warn"),
    ("failed", "failed", "bad"),
    ("unknown", "unknown", "s6"),
    ("cancelled", "cancelled", "s5"),
    ("pending", "waiting", "rest"),
)


def parts_of(counts: SendCounts) -> list[Part]:
    """Return the bar's pieces, each as wide as its share; what is missing is left out."""
    parts, start = [], 0.0
    for key, label, look in _PARTS:
        count = getattr(counts, key)
        if count:
            width = 100 * count / counts.targeted
            parts.append(
                Part(
                    key=key,
                    label=label,
                    count=count,
                    start=f"{start:.3f}",
                    width=f"{width:.3f}",
                    look=look,
                )
            )
            start += width
    return parts


def figures_of(report: CampaignReport) -> list[tuple[str, str, int]]:
    """Return the ledger's figures in the order of their sum: key, words, how many."""
    counts = report.counts
    return [
        ("targeted", "Planned", counts.targeted),
        ("sent", "Sent", counts.sent),
        ("suppressed", "Held back", counts.suppressed),
        ("failed", "Failed", counts.failed),
        ("unknown", "Unknown: the reply never came", counts.unknown),
        ("pending", "Waiting", counts.pending),
        ("cancelled", "Cancelled or expired", counts.cancelled),
        ("held_out", "Held out, to measure against", report.held_out),
        ("excluded", "Could not be reached, in neither group", report.excluded),
    ]


def outcomes_of(report: CampaignReport) -> list[Outcome]:
    """Return what came of the messages, each with its share and its definition."""
    sent = report.counts.sent
    rows: tuple[tuple[str, str, int | None, int, str], ...] = (
        ("opened", "Opened", report.opened, report.tracked, "of those who agreed to be counted"),
        ("clicked", "Clicked", report.clicked, report.tracked, "of those who agreed to be counted"),
        ("converted", "Converted", report.converted, sent, "of those sent to"),
        ("unsubscribed", "Unsubscribed", report.unsubscribed, sent, "of those sent to"),
        ("complained", "Complained", report.complained, sent, "of those sent to"),
    )
    return [
        Outcome(
            key=key,
            label=label,
            value=value,
            rate=value / whole if value is not None and whole else None,
            of=of,
            definition=report.definitions.get(key, ""),
        )
        for key, label, value, whole, of in rows
    ]


def arms_of(report: CampaignReport) -> list[ArmLine]:
    """Return the two groups for the table."""
    return [
        ArmLine(
            label=ARMS[arm.arm],
            figures=arm,
            per_customer=_money(arm.revenue_per_customer, report.currency),
            range=money_range(arm.revenue_per_customer, report.currency),
        )
        for arm in report.arms
    ]


class MetricLine(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in both groups as the table shows it."""

    figures: MetricFigures
    treatment: str
    holdout: str
    difference: str
    range: str


def metric_lines_of(report: CampaignReport) -> list[MetricLine]:
    """Return the campaign's metrics for the table."""

    def say(value: float, figures: MetricFigures) -> str:
        if figures.unit == "money":
            return major(value, report.currency)
        return f"{value:,.3f}".replace("-", "−")

    def mean(found: Estimate | None, figures: MetricFigures) -> str:
        return "–" if found is None else say(found.value, figures)

    return [
        MetricLine(
            figures=one,
            treatment=mean(one.treatment, one),
            holdout=mean(one.holdout, one),
            difference=mean(one.difference, one),
            range=""
            if one.difference is None
            else f"{say(one.difference.low, one)} to {say(one.difference.high, one)}",
        )
        for one in report.metrics
    ]


def _money(found: Estimate | None, currency: str) -> str:
    return "–" if found is None else major(found.value, currency)


def money_range(found: Estimate | None, currency: str) -> str:
    """Write an interval of money; empty when there is none."""
    if found is None:
        return ""
    low = major(found.low, currency).removesuffix(f" {currency}")
    return f"{low} to {major(found.high, currency)}"


def major(value: float, currency: str) -> str:
    """Write an amount in units of its currency."""
    minor = to_minor(round(value, 6), currency)
    return "–" if minor is None else format_minor(minor, currency).replace("-", "−")


def draw_arms(report: CampaignReport) -> Chart | None:
    """Draw revenue per customer in both groups with their intervals; None when there is nothing."""
    drawn = [arm for arm in report.arms if arm.revenue_per_customer is not None]
    if not any(arm.revenue_minor for arm in drawn):
        return None
    figure = go.Figure()
    for index, arm in enumerate(drawn):
        found = arm.revenue_per_customer
        assert found is not None
        figure.add_scatter(
            x=[found.value],
            y=[ARMS[arm.arm]],
            name=ARMS[arm.arm],
            mode="markers",
            marker={"size": 11, "color": SERIES[index], "symbol": ["circle", "diamond"][index]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [found.high - found.value],
                "arrayminus": [found.value - found.low],
                "color": SERIES[index],
                "thickness": 2,
            },
            hovertemplate="%{x:,.2f} " + report.currency + "<extra></extra>",
        )
    title = "Revenue per customer with the range each may lie in"
    drawing = make_chart(figure, title=title, x=f"{report.currency} per customer")
    layout = drawing.figure["layout"]
    layout |= {"showlegend": False, "height": 190, "hovermode": "closest"}
    layout["xaxis"] |= {"rangemode": "tozero", "tickformat": ",.2~f"}
    layout["yaxis"] |= {"autorange": "reversed"}
    return drawing
