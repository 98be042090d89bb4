"""Campaign economics: what campaigns cost, and what they caused by customers held out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from amity.analysis.contracts_reports import (
    Cell,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    RowRule,
    say_value,
)
from amity.analysis.logic.behaviour.caused import find_mismatch
from amity.analysis.logic.reporting import frames, row_rules, serving
from amity.analysis.logic.reporting.tables import bounded, call_campaign, campaign_names
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.kernel.lift import (
    FEWEST_BUYERS,
    FEWEST_CUSTOMERS,
    Arm,
    expected_buyers,
    revenue_difference,
)

if TYPE_CHECKING:
    import ibis

_SEED: Final = 1000
_THOUSAND: Final = 1000
_PROVEN: Final = "more than chance"
_MISMATCH: Final = "groups not of the sizes drawn: no claim"
_COLUMNS: Final = (
    ReportColumn(name="campaign", title="Number", unit="number", is_for_files=True),
    ReportColumn(name="name", title="Campaign", unit="text"),
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
        "group held out at random nothing is claimed, nor where chance would put fewer than five "
        "buyers into the smaller group, nor where the groups are not of the sizes they were drawn "
        "to (chi squared, below one in a thousand), nor before the time is over for all. The cost "
        "is that of the messages, by what you say one costs, and what you entered for the campaign "
        "by its name or number."
    )
    uses = frozenset(("window", "comparison", "segment", "currency"))
    needs = frozenset(("unit_costs", "channel_costs", "campaigns"))
    days: ClassVar[int] = 180

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        drawn = _drawn(tables, asked)
        arms = drawn.group_by(["campaign_id", "arm"]).aggregate(
            customers=drawn.count(),
            until_at=(drawn.assigned_at + drawn.window_seconds.as_interval("s")).max(),
            held_rate_micro=drawn.held_rate_micro.max(),
        )
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
        told = [line for line in lines if line[6] is not None]
        table = ReportTable(
            name="campaigns",
            title="Campaigns",
            columns=_COLUMNS,
            rows=tuple(lines),
            key=("name",),
        )
        return ReportAnswer(
            sentence=_sentence(lines, told, asked),
            figures=figures,
            tables=(table,),
            pictures=(
                Picture(
                    kind="bar",
                    table="campaigns",
                    title="Margin caused a thousand contacts",
                    x="name",
                    y=("margin",),
                    low="low",
                    high="high",
                ),
            )
            if told
            else (),
            notes=_notes(rows, asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        drawn = _drawn(tables, asked)
        inside = drawn.filter(
            drawn.campaign_id == int(str(row["campaign"])), drawn.arm == "treatment"
        )
        return inside.select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who was sent the campaign."""
        if row_rules.is_of_past_members(asked):
            return None
        sent = {"node": "message", "what": "sent", "campaign_id": int(str(row["campaign"]))}
        return RowRule(
            rule=row_rules.all_of(asked, sent),
            differs="who was meant to get the message and did not is not in it",
        )


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
        "campaign_id", "customer_id", "arm", "assigned_at", "window_seconds", "held_rate_micro"
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
    sent = [row for row in rows["messages"] if row["run_id"] == campaign]
    messages = sum(row["messages"] for row in sent)
    name = call_campaign(campaign_names(asked), campaign)
    cost = _cost(sent, _entered(asked, {name.casefold(), str(campaign)}), asked)
    margin = low = high = after = None
    verdict = "nobody held out: no claim" if not held else "too few to say"
    if _mismatch(rows, campaign):
        verdict = _MISMATCH
    elif min(written, held) >= FEWEST_CUSTOMERS:
        rng = np.random.default_rng(_SEED + campaign)
        arms = _arm(rows, campaign, "treatment", written), _arm(rows, campaign, "holdout", held)
        is_enough = expected_buyers(*arms) >= FEWEST_BUYERS
        lift = revenue_difference(*arms, rng) if is_enough else None
        if lift is not None:
            margin = lift.estimate.value * _THOUSAND
            low, high = lift.estimate.low * _THOUSAND, lift.estimate.high * _THOUSAND
            verdict = _PROVEN if lift.is_significant else "within chance"
            if _is_open(rows, campaign, asked):
                verdict = "so far: not over yet"
            if cost is not None and written:
                after = margin - cost / written * _THOUSAND
    return (campaign, name, written, held, messages, cost, margin, low, high, after, verdict)


def _mismatch(rows: Rows, campaign: int) -> str:
    """Say how a campaign's groups are not of the sizes they were drawn to."""
    arms = {row["arm"]: row for row in rows["arms"] if row["campaign_id"] == campaign}
    written, held = (
        int(arms[arm]["customers"]) if arm in arms else 0 for arm in ("treatment", "holdout")
    )
    rates = [row["held_rate_micro"] for row in arms.values() if row["held_rate_micro"]]
    return find_mismatch(written, held, max(rates, default=None))


def _notes(rows: Rows, asked: Asked) -> tuple[str, ...]:
    names, notes = campaign_names(asked), []
    for campaign in sorted({row["campaign_id"] for row in rows["arms"]}):
        mismatch = _mismatch(rows, campaign)
        if mismatch:
            where = " among customers of this segment now" if asked.segment_id else ""
            notes.append(
                f"Of campaign {call_campaign(names, campaign)} no effect is stated{where}: "
                f"{mismatch}. Whoever is missing is not missing by chance."
            )
    if not serving.unit_costs(asked):
        notes.append("What one message costs is not known: enter it under Costs and targets.")
    return tuple(notes)


def _sentence(lines: list[tuple[Cell, ...]], told: list[tuple[Cell, ...]], asked: Asked) -> str:
    """Say which campaign earned most, of those whose effect is beyond chance."""
    if not told and any(line[10] == _MISMATCH for line in lines):
        return "No claim can be made: the groups that were drawn are not of their sizes any more."
    if not told:
        return "No campaign held out enough customers to say what it caused."
    earned = [line for line in told if line[10] == _PROVEN and float(str(line[6])) > 0]
    if not earned:
        which = "the only campaign" if len(told) == 1 else f"any of {len(told)} campaigns"
        return f"It is not shown that {which} with customers held out earned anything."
    best = max(earned, key=lambda line: float(str(line[6])))
    margin, low, high = (say_value(one, "money", asked.currency) for one in best[6:9])
    return (
        f"{best[1]} caused the most margin: {margin} a thousand contacts, between {low} and {high}."
    )


def _cost(sent: list[Mapping[str, Any]], entered: int, asked: Asked) -> int | None:
    """Return what a campaign cost; None while it is not known what one of its messages costs."""
    costs, total = serving.unit_costs(asked), entered
    for row in sent:
        channel = str(row["channel"])
        each = costs.get(channel if channel in {"email", "sms", "push"} else "other_messages")
        if each is None:
            return None
        total += row["messages"] * each
    return total


def _entered(asked: Asked, called: set[str]) -> int:
    """Return what was entered for a campaign beside its messages, in the currency asked for."""
    return sum(
        int(fact["amount_minor"])
        for fact in asked.facts.get("channel_costs", [])
        if fact["campaign"].strip().casefold() in called and fact["currency"] == asked.currency
    )


def _is_open(rows: Rows, campaign: int, asked: Asked) -> bool:
    """Say whether orders still count for somebody: who looks until it is proven proves anything."""
    arms = [row for row in rows["arms"] if row["campaign_id"] == campaign]
    return any(row["until_at"] > asked.now for row in arms)


def _arm(rows: Rows, campaign: int, arm: str, customers: int) -> Arm:
    margins = sorted(
        float(row["margin"])
        for row in rows["buyers"]
        if (row["campaign_id"], row["arm"]) == (campaign, arm) and row["margin"]
    )
    return Arm(customers=customers, converted=len(margins), spent=margins)


def _figures(lines: list[tuple[Cell, ...]]) -> tuple[ReportFigure, ...]:
    known = [int(str(line[5])) for line in lines if line[5] is not None]
    proven = sum(line[10] == _PROVEN for line in lines)
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
            title="Cost",
            unit="money",
            value=sum(known) if len(known) == len(lines) else None,
            definition="Messages that went out, times what one costs, and what was entered for "
            "the campaigns; not known while the cost of a message is not.",
        ),
        ReportFigure(
            name="proven",
            title="With an effect beyond chance",
            unit="number",
            value=proven,
            definition="Campaigns whose interval leaves out zero.",
        ),
    )
