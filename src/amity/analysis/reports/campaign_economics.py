"""Campaign economics: what campaigns cost, and what they caused by customers held out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from amity.analysis.contracts_reports import (
    Cell,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    say_value,
)
from amity.analysis.logic.reporting import frames, serving
from amity.analysis.logic.reporting.tables import bounded
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.kernel.lift import FEWEST_CUSTOMERS, Arm, revenue_difference

if TYPE_CHECKING:
    import ibis

_SEED: Final = 1000
_THOUSAND: Final = 1000
_COLUMNS: Final = (
    ReportColumn(name="campaign", title="Campaign", unit="number"),
    ReportColumn(name="customers", title="Written to", unit="customers"),
    ReportColumn(name="held_out", title="Held out", unit="customers"),
    ReportColumn(name="messages", title="Messages", unit="messages"),
    ReportColumn(name="cost", title="Cost", unit="money"),
    *bounded(ReportColumn(name="margin", title="Margin a thousand", unit="money")),
    ReportColumn(name="after", title="After cost", unit="money", definition="A thousand contacts."),
    ReportColumn(name="verdict", title="What can be said", unit="text"),
)


@REPORTS.register("campaign_economics")
class CampaignEconomics(Report):
    """The margin campaigns caused per thousand contacts, beside what these cost."""

    name = "campaign_economics"
    title = "Campaign economics"
    question = "Which campaigns earn more than they cost?"
    group = "money"
    definition = (
        "Of each campaign that drew its customers in the window: the margin of the orders within "
        "its time of measurement, a customer written to less a customer held out, times a "
        "thousand. Margin is revenue, refunds taken off, less the cost of goods where order lines "
        "tell it. Everybody counts in the group they were drawn into, whatever became of the "
        "message. The interval (95 %) is that of the lift (docs/algorithms/lift.md). Without a "
        "group held out at random nothing is claimed. The cost is that of the messages, by what "
        "you say one costs."
    )
    uses = frozenset(("window", "segment", "currency"))
    needs = frozenset(("unit_costs",))
    days: ClassVar[int] = 180

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        drawn = _drawn(tables, asked)
        arms = drawn.group_by(["campaign_id", "arm"]).aggregate(customers=drawn.count())
        sent = frames.sends(tables, asked, until=asked.now)
        sent = sent.filter(sent.run_kind == "campaign")
        messages = sent.group_by(["run_id", "channel"]).aggregate(messages=sent.count())
        return {"arms": arms, "buyers": _buyers(tables, drawn, asked), "messages": messages}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        if not rows["arms"]:
            return ReportAnswer(
                sentence="No campaign drew customers in this window.",
                empty="A campaign's economics need customers it was meant for and some of them "
                "held out. Launch one with a holdout, or choose a longer window.",
            )
        campaigns = sorted({row["campaign_id"] for row in rows["arms"]})
        lines = [_line(campaign, rows, asked) for campaign in campaigns]
        figures = _figures(lines)
        told = [line for line in lines if line[5] is not None]
        sentence = "No campaign held out enough customers to say what it caused."
        if told:
            best = max(told, key=lambda line: float(str(line[5])))
            sentence = (
                f"Campaign {best[0]} caused the most margin: "
                f"{say_value(best[5], 'money', asked.currency)} a thousand contacts."
            )
        table = ReportTable(
            name="campaigns",
            title="Campaigns",
            columns=_COLUMNS,
            rows=tuple(lines),
            key=("campaign",),
        )
        return ReportAnswer(
            sentence=sentence,
            figures=figures,
            tables=(table,),
            pictures=(
                Picture(
                    kind="bar",
                    table="campaigns",
                    title="Margin caused a thousand contacts",
                    x="campaign",
                    y=("margin",),
                    low="low",
                    high="high",
                ),
            )
            if told
            else (),
            notes=()
            if serving.unit_costs(asked)
            else ("What one message costs is not known: enter it under Costs and targets.",),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        drawn = _drawn(tables, asked)
        inside = drawn.filter(
            drawn.campaign_id == int(str(row["campaign"])), drawn.arm == "treatment"
        )
        return inside.select("customer_id")


def _drawn(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return whom campaigns drew in the window, each customer once a campaign."""
    import ibis  # noqa: PLC0415  # loads slowly

    drawn = tables["participants"].drop("day")
    drawn = drawn.filter(
        drawn.arm.isin(["treatment", "holdout"]),
        drawn.assigned_at >= ibis.literal(asked.from_at),
        drawn.assigned_at < ibis.literal(asked.until_at),
    ).join(frames.customers(tables), "profile_id")
    first = ibis.window(
        group_by=["campaign_id", "customer_id"], order_by=["assigned_at", "profile_id"]
    )
    drawn = drawn.mutate(place=ibis.row_number().over(first))
    chosen = drawn.filter(drawn.place == 0).select(
        "campaign_id", "customer_id", "arm", "assigned_at", "window_seconds"
    )
    return frames.of_segment(tables, chosen, asked)


def _buyers(tables: Mapping[str, "ibis.Table"], drawn: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return of each buyer the margin within the time of measurement: a row a buyer."""
    placed = frames.orders(tables, asked, since=asked.from_at, until=asked.now)
    lines = frames.lines(tables, placed, asked)
    goods = lines.group_by(["customer_id", "order_id"]).aggregate(
        goods=lines.cost_minor.sum().fill_null(0)
    )
    priced = placed.left_join(goods, ["customer_id", "order_id"])
    margin = (priced.net_minor - priced.goods.fill_null(0)).cast("int64")
    orders = priced.select("customer_id", "placed_at", margin=margin)
    both = drawn.join(orders, "customer_id")
    until = both.assigned_at + both.window_seconds.as_interval("s")
    inside = both.filter(both.placed_at >= both.assigned_at, both.placed_at < until)
    return inside.group_by(["campaign_id", "arm", "customer_id"]).aggregate(
        margin=inside.margin.sum().cast("int64")
    )


def _line(campaign: int, rows: Rows, asked: Asked) -> tuple[Cell, ...]:
    sizes = {row["arm"]: row["customers"] for row in rows["arms"] if row["campaign_id"] == campaign}
    written, held = sizes.get("treatment", 0), sizes.get("holdout", 0)
    costs = serving.unit_costs(asked)
    sent = [row for row in rows["messages"] if row["run_id"] == campaign]
    messages = sum(row["messages"] for row in sent)
    known = [(row["messages"], _cost_of(row["channel"], costs)) for row in sent]
    cost = (
        sum(count * each for count, each in known if each is not None)
        if all(each is not None for _, each in known)
        else None
    )
    margin = low = high = after = None
    verdict = "nobody held out: no claim" if not held else "too few to say"
    if min(written, held) >= FEWEST_CUSTOMERS:
        rng = np.random.default_rng(_SEED + campaign)
        lift = revenue_difference(
            _arm(rows, campaign, "treatment", written), _arm(rows, campaign, "holdout", held), rng
        )
        if lift is not None:
            margin = lift.estimate.value * _THOUSAND
            low, high = lift.estimate.low * _THOUSAND, lift.estimate.high * _THOUSAND
            verdict = "more than chance" if lift.is_significant else "within chance"
            if cost is not None and written:
                after = margin - cost / written * _THOUSAND
    return (campaign, written, held, messages, cost, margin, low, high, after, verdict)


def _cost_of(channel: str, costs: Mapping[str, int]) -> int | None:
    name = channel if channel in {"email", "sms", "push"} else "other_messages"
    return costs.get(name)


def _arm(rows: Rows, campaign: int, arm: str, customers: int) -> Arm:
    margins = sorted(
        float(row["margin"])
        for row in rows["buyers"]
        if (row["campaign_id"], row["arm"]) == (campaign, arm) and row["margin"]
    )
    return Arm(customers=customers, converted=len(margins), spent=margins)


def _figures(lines: list[tuple[Cell, ...]]) -> tuple[ReportFigure, ...]:
    known = [int(str(line[4])) for line in lines if line[4] is not None]
    proven = sum(line[9] == "more than chance" for line in lines)
    return (
        ReportFigure(
            name="campaigns",
            title="Campaigns",
            unit="number",
            value=len(lines),
            definition="Campaigns that drew customers in the window.",
        ),
        ReportFigure(
            name="cost",
            title="Cost of messages",
            unit="money",
            value=sum(known) if len(known) == len(lines) else None,
            definition="Messages that went out, times what one costs; not known while a cost is.",
        ),
        ReportFigure(
            name="proven",
            title="With an effect beyond chance",
            unit="number",
            value=proven,
            definition="Campaigns whose interval leaves out zero.",
        ),
    )
