"""The 80/20 page: on how few customers the result hangs, and who costs more than he brings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

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
from amity.analysis.estimator import IntArray
from amity.analysis.logic.overview_statistics import Measure
from amity.analysis.logic.reporting import concentrating, frames, row_rules, serving, zones
from amity.analysis.logic.reporting.tables import bounded
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

Ranked = dict[str, IntArray]
"""The customers, the best first: each column of `contributions` but who it is."""
_FIFTH: Final = 0.2


@REPORTS.register("pareto")
class Pareto(Report):
    """Concentration, deciles, the whale curve and the zones of contribution."""

    name = "pareto"
    title = "80/20: who brings the result"
    question = "On how few customers does our result hang, and whom do they pay for?"
    group = "money"
    definition = (
        "The contribution of a customer is the revenue of the window (refunds taken off) less the "
        "cost of the goods, where order lines tell it, less the cost to serve: orders, items, "
        "refunds, messages, days with a visit and calls, each times what you say one costs. "
        "Customers are put in order of contribution, the best first. The zone Retain is those who "
        "bring the first 80 % of all positive contribution, Grow the others above zero, Select "
        "those below: the subsidised customers. The band and the interval are a bootstrap's over "
        "customers (95 %)."
    )
    uses = frozenset(("window", "comparison", "segment", "currency"))
    needs = frozenset(("unit_costs",))
    days: ClassVar[int] = zones.DAYS
    columnar = frozenset(("served",))

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        # Who it is stays there: of millions of customers it would be the larger part of the answer.
        served = serving.contributions(tables, asked).drop("customer_id")
        return {
            "served": served,
            "lines": serving.lines_told(tables, asked),
            "others": frames.other_currencies(tables, asked),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        costs = serving.unit_costs(asked)
        ranked = _rank(cast("pa.Table", rows["served"]))
        if not ranked["orders"].any():
            return ReportAnswer(
                sentence="Nobody bought in this window.",
                empty=f"There is no order in {asked.currency} from {asked.from_on} until before "
                f"{asked.until_on}. Choose an earlier window or another currency.",
            )
        values = ranked["margin"].astype(np.float64)
        figures = _figures(values, ranked, asked)
        [lines] = rows["lines"]
        tables = (_deciles(ranked, lines["priced"]), _zones(ranked), *_curve(values))
        notes = serving.notes_of_costs(asked, costs, priced=lines["priced"], told=lines["told"])
        return ReportAnswer(
            sentence=_sentence(figures, ranked, asked),
            figures=figures,
            tables=tables,
            pictures=_pictures(tables, figures, asked),
            notes=(*notes, *frames.note_of_currencies(rows["others"], asked)),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        import ibis  # noqa: PLC0415  # loads slowly

        served = serving.contributions(tables, asked)
        best = [served.margin.desc(), served.net.desc(), served.goods, served.cost, served.orders]
        # Customers alike in all of these have the same place in the answer, whoever comes first.
        order = ibis.window(order_by=[*best, served.customer_id])
        ranked = served.select("customer_id", place=ibis.row_number().over(order))
        first, last = int(str(row["first"])), int(str(row["last"]))
        inside = ranked.filter(ranked.place >= first - 1, ranked.place < last)
        return inside.select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who is in a zone or a tenth by the score of the night, where both count alike."""
        if self.list_reason(asked, table, row):
            return None
        if table == "zones":
            rule = row_rules.scored(zones.ZONE_SCORE, by="label", begins=str(row["zone"]))
            return RowRule(rule=rule, score=zones.ZONE_SCORE)
        rule = row_rules.scored(zones.TENTH_SCORE, value=int(str(row["decile"])))
        return RowRule(rule=rule, score=zones.TENTH_SCORE)

    def list_reason(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> str:
        """Return why a row is a list of the day: the score ranks all customers, of a year."""
        if asked.segment_id is not None:
            return "the score of the night ranks all customers, and this answer those of a segment"
        return row_rules.differs_from_score(asked, zones.DAYS)


def _rank(served: "pa.Table") -> Ranked:
    """Return the columns of the customers, the best first."""
    told = {name: served[name].to_numpy().astype(np.int64) for name in served.column_names}
    order = zones.order_best_first(told)
    return {name: column[order] for name, column in told.items()}


def _figures(
    values: concentrating.FloatArray, ranked: Ranked, asked: Asked
) -> tuple[ReportFigure, ...]:
    del asked
    revenue = ranked["net"].astype(np.float64)
    buying = revenue[ranked["orders"] > 0]
    below = values[values < 0]
    return (
        ReportFigure(
            name="top_share",
            title="The best fifth brings",
            unit="share",
            definition="Share of the window's revenue that comes from the fifth with the most, of "
            "all who bought or cost something in the window: who only visited or was written to "
            "counts too, so it is larger than among buyers alone.",
        ).of(_measure_fifth(revenue)),
        ReportFigure(
            name="top_share_of_buyers",
            title="The best fifth of buyers brings",
            unit="share",
            definition="The same among those who bought in the window alone. The page of models "
            "says it of all orders there ever were.",
        ).of(_measure_fifth(buying)),
        ReportFigure(
            name="gini",
            title="Concentration",
            unit="number",
            value=concentrating.gini(revenue),
            definition="Gini coefficient of revenue: 0 when all bring the same, near 1 when one "
            "brings all.",
        ),
        ReportFigure(
            name="contribution",
            title="Contribution",
            unit="money",
            value=float(values.sum()),
            definition="Revenue less goods less cost to serve, over all customers.",
            good="up",
        ),
        ReportFigure(
            name="subsidised",
            title="Subsidised customers",
            unit="customers",
            value=float(len(below)),
            definition="Customers who cost more than they bring.",
            good="down",
        ),
        ReportFigure(
            name="subsidy",
            title="What they cost the others",
            unit="money",
            value=float(-below.sum()) if len(below) else 0.0,
            definition="The sum of what subsidised customers cost beyond what they bring.",
            good="down",
        ),
    )


def _measure_fifth(revenue: concentrating.FloatArray) -> Measure:
    low, high = concentrating.top_share_interval(revenue, _FIFTH) or (None, None)
    return Measure(value=concentrating.top_share(revenue, _FIFTH), low=low, high=high)


def _sentence(figures: tuple[ReportFigure, ...], ranked: Ranked, asked: Asked) -> str:
    said = {one.name: say_value(one.value, one.unit, asked.currency) for one in figures}
    known = {one.name: one.value for one in figures}
    best = (
        "There is no revenue to share out"
        if known["top_share"] is None
        else f"Of the {len(ranked['net']):,} customers who bought or cost something in the window, "
        f"the best fifth brings {said['top_share']} of its revenue; of the "
        f"{int((ranked['orders'] > 0).sum()):,} who bought {said['top_share_of_buyers']}"
    )
    if not known["subsidised"]:
        return f"{best}; nobody costs more than he or she brings."
    return (
        f"{best}; {said['subsidised']} customers cost more than they bring, "
        f"{said['subsidy']} together, which the others pay."
    )


def _deciles(ranked: Ranked, priced: int) -> ReportTable:
    """Return the sums of each tenth; what goods cost is not known where no line tells it."""
    total = int(ranked["margin"].sum())
    rows: list[tuple[Cell, ...]] = []
    parts = concentrating.split_tenths(len(ranked["margin"]))
    for number, (first, last) in enumerate(parts, start=1):
        if first == last:
            continue
        inside = {name: int(column[first:last].sum()) for name, column in ranked.items()}
        margin = inside["margin"]
        rows.append(
            (
                number,
                first + 1,
                last,
                last - first,
                *(inside[name] for name in ("orders", "net")),
                inside["goods"] if priced else None,
                inside["cost"],
                margin,
                margin / total if total > 0 else None,
            )
        )
    return ReportTable(
        name="deciles",
        title="Tenths of the customers, the best first",
        columns=(
            ReportColumn(name="decile", title="Tenth", unit="number"),
            ReportColumn(name="first", title="From place", unit="number"),
            ReportColumn(name="last", title="To place", unit="number"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
            ReportColumn(name="orders", title="Orders", unit="orders"),
            ReportColumn(name="net", title="Revenue", unit="money"),
            ReportColumn(name="goods", title="Goods", unit="money"),
            ReportColumn(name="cost", title="Cost to serve", unit="money"),
            ReportColumn(name="margin", title="Contribution", unit="money"),
            ReportColumn(name="share", title="Share of all", unit="share"),
        ),
        rows=tuple(rows),
        key=("decile", "first", "last"),
    )


def _zones(ranked: Ranked) -> ReportTable:
    margins = ranked["margin"]
    rows: list[tuple[Cell, ...]] = []
    for zone, (first, last) in zones.find_zones(margins).items():
        customers = last - first
        if customers:
            margin = int(margins[first:last].sum())
            title, words = zones.ZONES[zone]
            rows.append((title, first + 1, last, customers, margin, margin / customers, words))
    return ReportTable(
        name="zones",
        title="Whom to keep, to grow, to choose",
        columns=(
            ReportColumn(name="zone", title="Zone", unit="text"),
            ReportColumn(name="first", title="From place", unit="number"),
            ReportColumn(name="last", title="To place", unit="number"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
            ReportColumn(name="margin", title="Contribution", unit="money"),
            ReportColumn(name="each", title="A customer", unit="money"),
            ReportColumn(name="words", title="Meaning", unit="text"),
        ),
        rows=tuple(rows),
        key=("zone", "first", "last"),
    )


def _curve(values: concentrating.FloatArray) -> tuple[ReportTable, ...]:
    curve = concentrating.whale_curve(values)
    if curve is None:
        return ()
    low = curve.low if curve.low is not None else np.full(len(curve.share), np.nan)
    high = curve.high if curve.high is not None else np.full(len(curve.share), np.nan)
    rows = tuple(
        (
            float(at),
            float(share),
            None if np.isnan(under) else float(under),
            None if np.isnan(over) else float(over),
        )
        for at, share, under, over in zip(curve.customers, curve.share, low, high, strict=True)
    )
    return (
        ReportTable(
            name="curve",
            title="The whale curve",
            columns=(
                ReportColumn(name="customers", title="Customers, the best first", unit="share"),
                *bounded(ReportColumn(name="share", title="Share of contribution", unit="share")),
            ),
            rows=rows,
        ),
    )


def _pictures(
    tables: tuple[ReportTable, ...], figures: tuple[ReportFigure, ...], asked: Asked
) -> tuple[Picture, ...]:
    pictures = [
        Picture(
            kind="bar",
            table="deciles",
            title="What each tenth of the customers contributes",
            x="decile",
            y=("margin",),
            x_title="tenths of the customers, the best first",
            y_title=asked.currency,
        )
    ]
    for table in tables:
        if table.name == "curve":
            peak = max(float(str(row[1])) for row in table.rows)
            title = (
                f"The best customers bring {say_value(peak, 'share', '')} of the result before "
                "the others take away"
            )
            if peak <= 1:
                title = "Everybody adds to the result, some much and some little"
            pictures.append(
                Picture(
                    kind="line",
                    table="curve",
                    title=title,
                    x="customers",
                    y=("share",),
                    low="low" if table.rows[0][2] is not None else "",
                    high="high" if table.rows[0][3] is not None else "",
                )
            )
    del figures
    return tuple(pictures)
