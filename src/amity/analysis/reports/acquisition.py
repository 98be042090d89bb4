"""Acquisition by channel: who was won by what, at which cost, and what they bring since."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    RowRule,
    say_value,
)
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.measuring.shown import express_changed, show
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import bounded, cells
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_UNTOLD: Final = "not told"
_COLUMNS: Final = (
    ReportColumn(name="channel", title="Channel", unit="text"),
    ReportColumn(name="customers", title="Won", unit="customers"),
    ReportColumn(name="repeated", title="Bought again", unit="customers"),
    *bounded(
        ReportColumn(name="repeat_share", title="Share who did", unit="share"),
        "repeat_low",
        "repeat_high",
    ),
    ReportColumn(name="net", title="Revenue since", unit="money"),
    ReportColumn(name="per_customer", title="A customer", unit="money"),
    ReportColumn(name="cost", title="Cost", unit="money", definition="As entered, by its days."),
    ReportColumn(name="per_won", title="Cost of one won", unit="money"),
    ReportColumn(
        name="earned",
        title="Revenue per cost",
        unit="number",
        definition="Revenue since of the customers won, divided by the cost of winning them.",
    ),
)


@REPORTS.register("acquisition")
class Acquisition(Report):
    """Customers won in the window, by the channel their profile names."""

    name = "acquisition"
    title = "Acquisition by channel"
    question = "Which channels win customers, what does one cost, and are they worth it?"
    group = "acquisition"
    definition = (
        "A customer is won with the first order ever in the currency asked for, when it lies in "
        "the window. The channel is a text trait of the profile, by default "
        "`acquisition_channel`; who has none is counted as not told. The cost is what you entered "
        "for the channel, by the days of the window it pays for; a channel without an entry has a "
        "cost that is not known. Revenue and buying again are counted until the end of the "
        "window, so customers won late had less time. That a channel goes with good customers "
        "does not say that it makes them good."
    )
    parameters = (
        Parameter(
            name="trait",
            title="Trait that names the channel",
            kind="text",
            default="acquisition_channel",
            help="A text trait of the profile.",
        ),
    )
    needs = frozenset(("channel_costs", "metrics"))
    metrics = frozenset(("new_customers",))
    days: ClassVar[int] = 90

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        won = _won(tables, asked)
        channels = won.group_by("channel").aggregate(
            customers=won.count(),
            repeated=(won.orders > 1).sum(),
            net=won.net.sum(),
        )
        return {
            "channels": channels,
            "others": frames.other_currencies(tables, asked),
            **express_changed(tables, asked, self.metrics),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        channels = {row["channel"]: row for row in rows["channels"]}
        costs = spread_costs(asked)
        if not channels:
            return ReportAnswer(
                sentence="No customer was won in this window.",
                empty=f"Nobody ordered for the first time in {asked.currency} from "
                f"{asked.from_on} until before {asked.until_on}.",
            )
        for channel in costs:
            channels.setdefault(
                channel, {"channel": channel, "customers": 0, "repeated": 0, "net": 0}
            )
        lines = [_line(row, costs.get(row["channel"])) for row in channels.values()]
        lines.sort(key=lambda line: (-int(str(line[1])), str(line[0])))
        figures, changed = show(_figures(list(channels.values()), costs), rows, asked)
        return ReportAnswer(
            sentence=_sentence(lines, figures, asked),
            figures=figures,
            tables=(
                ReportTable(
                    name="channels",
                    title="Channels, the most customers first",
                    columns=_COLUMNS,
                    rows=tuple(lines),
                    key=("channel",),
                ),
            ),
            pictures=(
                Picture(
                    kind="bar",
                    table="channels",
                    title=f"{lines[0][0]} won the most",
                    x="channel",
                    y=("customers",),
                ),
                Picture(
                    kind="bar",
                    table="channels",
                    title="How many of them bought again",
                    x="channel",
                    y=("repeat_share",),
                    low="repeat_low",
                    high="repeat_high",
                ),
            ),
            notes=_notes(costs, asked) + changed + frames.note_of_currencies(rows["others"], asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        won = _won(tables, asked)
        return won.filter(won.channel == str(row["channel"])).select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who has the channel and ordered first in the window."""
        if row_rules.is_of_past_members(asked) or row["channel"] == _UNTOLD:
            return None
        trait = f"trait.{asked.choices['trait']}"
        return RowRule(
            rule=row_rules.all_of(
                asked,
                row_rules.check(trait, "eq", value=str(row["channel"])),
                row_rules.in_window(asked, "profile.first_order_at"),
            ),
            differs="the first order counts in whatever currency it was",
        )


def _won(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    placed = frames.orders(tables, asked)
    each = placed.group_by("customer_id").aggregate(
        first_on=placed.placed_on.min(),
        orders=placed.count(),
        net=placed.net_minor.sum().cast("int64"),
    )
    new = each.filter(each.first_on >= asked.from_on)
    profiles = tables["profiles"]
    roots = profiles.filter(profiles.profile_id == profiles.root_id)
    told = roots.select(
        customer_id=roots.root_id,
        channel=frames.text(roots.traits, str(asked.choices["trait"])),
    )
    joined = new.left_join(told, "customer_id").drop("customer_id_right")
    named = joined.channel.nullif("")
    return joined.mutate(channel=named.fill_null(_UNTOLD))


def spread_costs(asked: Asked) -> dict[str, int]:
    """Return what each channel cost in the window: entries are spread evenly over their days.

    Entries in other currencies are left out.
    """
    costs: dict[str, float] = {}
    for fact in asked.facts.get("channel_costs", []):
        first: date = fact["from_on"]
        after: date = fact["until_on"] + timedelta(days=1)
        inside = (min(after, asked.until_on) - max(first, asked.from_on)).days
        if fact["currency"] == asked.currency and inside > 0:
            part = fact["amount_minor"] * inside / (after - first).days
            costs[fact["channel"]] = costs.get(fact["channel"], 0.0) + part
    return {channel: round(cost) for channel, cost in costs.items()}


def _line(row: Mapping[str, Any], cost: int | None) -> tuple[Cell, ...]:
    won, net = int(row["customers"]), int(row["net"] or 0)
    again = statistics.share(int(row["repeated"] or 0), won)
    return (
        row["channel"],
        won,
        int(row["repeated"] or 0),
        *cells(again),
        net,
        net / won if won else None,
        cost,
        cost / won if cost is not None and won else None,
        net / cost if cost else None,
    )


def _figures(channels: list[dict[str, Any]], costs: Mapping[str, int]) -> tuple[ReportFigure, ...]:
    won = sum(int(row["customers"]) for row in channels)
    repeated = sum(int(row["repeated"] or 0) for row in channels)
    paid = sum(int(row["customers"]) for row in channels if row["channel"] in costs)
    count, again = statistics.count(won), statistics.share(repeated, won)
    spent = sum(costs.values()) if costs else None
    return (
        ReportFigure(
            name="won",
            metric="new_customers",
            title="Customers won",
            unit="customers",
            definition="Customers whose first order ever in this currency was in the window.",
            good="up",
        ).of(count),
        ReportFigure(
            name="repeat_share",
            title="Of them bought again",
            unit="share",
            definition="Share of the customers won with a second order before the window's end.",
            good="up",
        ).of(again),
        ReportFigure(
            name="cost",
            title="Cost of winning",
            unit="money",
            value=spent,
            definition="What was entered for channels, by the days that lie in the window.",
        ),
        ReportFigure(
            name="per_won",
            title="Cost of one won",
            unit="money",
            value=spent / paid if spent is not None and paid else None,
            definition="Cost divided by the customers won by channels with a cost.",
            good="down",
        ),
    )


def _sentence(
    lines: list[tuple[Cell, ...]], figures: tuple[ReportFigure, ...], asked: Asked
) -> str:
    said = {one.name: say_value(one.value, one.unit, asked.currency) for one in figures}
    best = lines[0]
    known = {one.name: one.value for one in figures}
    text = f"{said['won']} customer{' was' if known['won'] == 1 else 's were'} won"
    if len(lines) == 1 or best[1] != lines[1][1]:
        text += f", most by {best[0]} ({best[1]})"
    if known["per_won"] is not None:
        text += f"; one cost {said['per_won']} where the cost is known"
    return f"{text}."


def _notes(costs: Mapping[str, int], asked: Asked) -> tuple[str, ...]:
    notes = []
    if not costs:
        notes.append(
            "What the channels cost is not known: enter it under Costs and targets, by the same "
            "names."
        )
    if any(fact["currency"] != asked.currency for fact in asked.facts.get("channel_costs", [])):
        notes.append(f"Costs entered in other currencies than {asked.currency} are left out.")
    return tuple(notes)
