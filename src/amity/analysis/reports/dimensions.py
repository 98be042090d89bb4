"""The three dimensions of a customer base: how many come, how much they spend, how many stay."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from amity.analysis.contracts_reports import (
    Cell,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    say_value,
)
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.measuring.shown import express_changed, show
from amity.analysis.logic.reporting import frames
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_COLUMNS: Final = (
    ReportColumn(name="period", title="From", unit="day"),
    ReportColumn(
        name="acquired", title="New", unit="customers", definition="Ordered for the first time."
    ),
    ReportColumn(
        name="customers", title="Ordered", unit="customers", definition="Placed an order in it."
    ),
    ReportColumn(name="orders", title="Orders", unit="orders"),
    ReportColumn(name="net", title="Revenue", unit="money", definition="Refunds taken off."),
    ReportColumn(
        name="per_customer", title="Revenue a customer", unit="money", definition="Of who ordered."
    ),
)


@REPORTS.register("dimensions")
class Dimensions(Report):
    """Acquisition, expansion and retention in one window, beside the window before."""

    name = "dimensions"
    title = "Acquisition, expansion, retention"
    question = "Are we winning customers, do they spend more, and do they stay?"
    group = "assessment"
    definition = (
        "Acquisition counts customers whose first order ever in the currency asked for lies in the "
        "window. Expansion is the revenue of the window (refunds taken off) divided by the "
        "customers who ordered in it. Retention is, of the customers who ordered in the window "
        "before, the share who ordered in this one. Orders that were cancelled do not count. The "
        "intervals (95 %) are those of a count of independent happenings, of a mean over "
        "customers, and Wilson's of a share."
    )
    uses = frozenset(("window", "comparison", "segment", "currency", "granularity"))
    needs = frozenset(("metrics",))
    metrics = frozenset(
        ("new_customers", "revenue_per_customer", "repeat_rate", "active_customers", "revenue")
    )

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        placed = frames.orders(tables, asked)
        return {
            "totals": _totals(placed, asked),
            "periods": _periods(placed, asked),
            "others": frames.other_currencies(tables, asked),
            **express_changed(tables, asked, self.metrics),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        periods = [row for row in rows["periods"] if row["period"]]
        totals = rows["totals"][0] if rows["totals"] else {}
        if not totals.get("active") and not totals.get("base"):
            return ReportAnswer(
                sentence="There is no order to report on.",
                empty=f"Nobody ordered in {asked.currency} from {asked.from_on} to "
                f"{asked.until_on}, nor in as many days before. Orders arrive as Order Completed "
                "events; choose an earlier window, or another currency.",
            )
        figures, changed = show(_figures(totals), rows, asked)
        return ReportAnswer(
            sentence=_sentence(figures, asked.currency),
            figures=figures,
            tables=(_table(periods, asked),),
            pictures=_pictures(figures, asked) if periods else (),
            notes=changed + frames.note_of_currencies(rows["others"], asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        del table
        placed = frames.orders(tables, asked, since=asked.from_at)
        begun = frames.period(placed.placed_at, asked.granularity)
        inside = placed.filter(begun == date.fromisoformat(str(row["period"])))
        return inside.select("customer_id").distinct()


def _totals(placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    start = asked.from_on - timedelta(days=asked.days)
    is_now = placed.placed_on >= asked.from_on
    was_before = (placed.placed_on >= start) & ~is_now
    each = placed.group_by("customer_id").aggregate(
        first_on=placed.placed_on.min(),
        orders=is_now.sum(),
        earlier=was_before.sum(),
        net=placed.net_minor.sum(where=is_now).fill_null(0).cast("int64"),
    )
    is_active = each.orders > 0
    squares = (each.net.cast("float64") * each.net.cast("float64")).sum(where=is_active)
    return each.aggregate(
        acquired=(each.first_on >= asked.from_on).sum(),
        active=is_active.sum(),
        base=(each.earlier > 0).sum(),
        again=((each.earlier > 0) & is_active).sum(),
        orders=each.orders.sum(),
        net=each.net.sum(where=is_active),
        squares=squares,
    )


def _periods(placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    first = placed.group_by("customer_id").aggregate(first_at=placed.placed_at.min())
    joined = placed.join(first, "customer_id")
    inside = joined.filter(joined.placed_on >= asked.from_on)
    begun = frames.period(inside.placed_at, asked.granularity)
    first_begun = frames.period(inside.first_at, asked.granularity)
    marked = inside.mutate(
        period=begun,
        newcomer=(inside.first_at.date() >= asked.from_on).ifelse(
            (first_begun == begun).ifelse(inside.customer_id, None), None
        ),
    )
    return marked.group_by("period").aggregate(
        acquired=marked.newcomer.nunique(),
        customers=marked.customer_id.nunique(),
        orders=marked.count(),
        net=marked.net_minor.sum(),
    )


def _figures(totals: Mapping[str, Any]) -> tuple[ReportFigure, ...]:
    acquired, active = int(totals["acquired"] or 0), int(totals["active"] or 0)
    base, again = int(totals["base"] or 0), int(totals["again"] or 0)
    net = int(totals["net"] or 0)
    mean = statistics.mean_of_sums(active, net, float(totals["squares"] or 0.0))
    share = statistics.share(again, base)
    count = statistics.count(acquired)
    return (
        ReportFigure(
            name="acquisition",
            metric="new_customers",
            title="Acquisition",
            unit="customers",
            definition="Customers whose first order ever in this currency was in the window.",
            good="up",
        ).of(count),
        ReportFigure(
            name="expansion",
            metric="revenue_per_customer",
            title="Expansion",
            unit="money",
            definition="Revenue of the window divided by the customers who ordered in it.",
            good="up",
        ).of(mean),
        ReportFigure(
            name="retention",
            metric="repeat_rate",
            title="Retention",
            unit="share",
            definition="Of who ordered in the window before, the share who ordered in this one.",
            good="up",
        ).of(share),
        ReportFigure(
            name="active",
            metric="active_customers",
            title="Active customers",
            unit="customers",
            value=active,
            definition="Customers with an order in the window.",
            good="up",
        ),
        ReportFigure(
            name="revenue",
            metric="revenue",
            title="Revenue",
            unit="money",
            value=net,
            definition="The sum of the window's orders, refunds taken off.",
            good="up",
        ),
    )


def _sentence(figures: tuple[ReportFigure, ...], currency: str) -> str:
    said = {figure.name: say_value(figure.value, figure.unit, currency) for figure in figures}
    return (
        f"{said['acquisition']} customers ordered for the first time, who ordered spent "
        f"{said['expansion']} each, and {said['retention']} of the customers of the window before "
        "came again."
    )


def _table(periods: list[dict[str, Any]], asked: Asked) -> ReportTable:
    rows = sorted(periods, key=lambda row: row["period"])
    return ReportTable(
        name="periods",
        title=f"By {asked.granularity}",
        columns=_COLUMNS,
        rows=tuple(
            (
                row["period"].isoformat(),
                row["acquired"],
                row["customers"],
                row["orders"],
                int(row["net"]),
                row["net"] / row["customers"] if row["customers"] else None,
            )
            for row in rows
        ),
        key=("period",),
    )


def _pictures(figures: tuple[ReportFigure, ...], asked: Asked) -> tuple[Picture, ...]:
    said = {figure.name: say_value(figure.value, figure.unit, asked.currency) for figure in figures}
    return (
        Picture(
            kind="bar",
            table="periods",
            title=f"{said['active']} customers ordered, {said['acquisition']} of them for the "
            "first time",
            x="period",
            y=("customers", "acquired"),
            y_title="customers",
        ),
        Picture(
            kind="line",
            table="periods",
            title=f"They brought {said['revenue']}",
            x="period",
            y=("net",),
            y_title=asked.currency,
        ),
    )
