"""The RFM grid: how recently and how often customers bought, and what they brought."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from amity.analysis.contracts_reports import (
    Cell,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    RowRule,
)
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_RECENCY: Final = ((0, 30), (30, 60), (60, 90), (90, 180), (180, 365), (365, 36_500))
_FREQUENCY: Final = ((1, 2), (2, 3), (3, 5), (5, 10), (10, 1_000_000))
_LATELY_DAYS: Final = 90
_OFTEN: Final = 3


@REPORTS.register("rfm_grid")
class RfmGrid(Report):
    """Customers by the time since their last order and the number of their orders."""

    name = "rfm_grid"
    title = "Recency, frequency, value"
    question = "Who bought lately and often, and who is slipping away?"
    group = "retention"
    definition = (
        "Each customer who ordered in the window stands in one cell: by days from the last order "
        "to the window's end, and by the number of orders in the window. The cells have fixed "
        "bounds, so that they mean the same tomorrow; the score rfm of a customer compares with "
        "the others instead. Value is revenue of the window, refunds taken off. Slipping away are "
        f"those who ordered {_OFTEN} times or more and not in the last {_LATELY_DAYS} days."
    )
    days: ClassVar[int] = 365

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        placed_in = _cells(tables, asked)
        cells = placed_in.group_by(["recency", "frequency"]).aggregate(
            customers=placed_in.count(),
            orders=placed_in.orders.sum(),
            net=placed_in.net.sum(),
            slipping=placed_in.is_slipping.sum(),
        )
        return {"cells": cells, "others": frames.other_currencies(tables, asked)}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        found = sorted(rows["cells"], key=lambda row: (row["recency"], row["frequency"]))
        everybody = sum(row["customers"] for row in found)
        if not everybody:
            return ReportAnswer(
                sentence="Nobody ordered in this window.",
                empty="The grid places customers by their orders; there is none in "
                f"{asked.currency} from {asked.from_on} until before {asked.until_on}.",
            )
        slipping = sum(int(row["slipping"] or 0) for row in found)
        figures = _figures(found, everybody, slipping)
        return ReportAnswer(
            sentence=f"Of {everybody:,} customers, {slipping:,} used to buy often and have not "
            f"for {_LATELY_DAYS} days.",
            figures=figures,
            tables=(_table(found),),
            pictures=(
                Picture(
                    kind="heatmap",
                    table="cells",
                    title=f"{slipping:,} good customers are slipping away",
                    x="often",
                    y=("since",),
                    value="customers",
                    x_title="orders in the window",
                    y_title="days since the last",
                ),
                Picture(
                    kind="heatmap",
                    table="cells",
                    title="What a customer of each cell brought",
                    x="often",
                    y=("since",),
                    value="each",
                    x_title="orders in the window",
                    y_title="days since the last",
                ),
            ),
            notes=frames.note_of_currencies(rows["others"], asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        cells = _cells(tables, asked)
        recency, frequency = _place(row)
        inside = cells.filter(cells.recency == recency, cells.frequency == frequency)
        return inside.select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who has so many orders in the window, the last of them so long ago."""
        days = row_rules.days_until_now(asked)
        recency, frequency = _place(row)
        (since, until), (least, after) = _RECENCY[recency], _FREQUENCY[frequency]
        if days is None or since >= days:
            return None
        most = None if after > _FREQUENCY[-1][0] else after - 1
        nodes = [row_rules.ordered(asked, days, least, most)]
        if until < days:
            nodes.append(row_rules.ordered(asked, until, 1))
        if since:
            nodes.append(row_rules.ordered(asked, since, 0, 0))
        return RowRule(rule=row_rules.all_of(asked, *nodes))


def _place(row: Mapping[str, Cell]) -> tuple[int, int]:
    """Return which bounds of recency and of frequency a row has."""
    recency = [_say_days(bounds) for bounds in _RECENCY].index(str(row["since"]))
    return recency, [_say_orders(bounds) for bounds in _FREQUENCY].index(str(row["often"]))


def _cells(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    import ibis  # noqa: PLC0415  # loads slowly

    placed = frames.orders(tables, asked, since=asked.from_at)
    each = placed.group_by("customer_id").aggregate(
        last_on=placed.placed_on.max(), orders=placed.count(), net=placed.net_minor.sum()
    )
    recency, frequency = ibis.literal(0), ibis.literal(0)
    # A cell's number is how many bounds are passed; the last day of the window is day 0.
    for first, _ in _RECENCY[1:]:
        recency = recency + (each.last_on <= asked.until_on - timedelta(days=first + 1)).cast(
            "int64"
        )
    for first, _ in _FREQUENCY[1:]:
        frequency = frequency + (each.orders >= first).cast("int64")
    lately = asked.until_on - timedelta(days=_LATELY_DAYS + 1)
    return each.mutate(
        recency=recency,
        frequency=frequency,
        is_slipping=(each.orders >= _OFTEN) & (each.last_on <= lately),
    )


def _figures(
    found: list[dict[str, Any]], everybody: int, slipping: int
) -> tuple[ReportFigure, ...]:
    net = sum(int(row["net"] or 0) for row in found)
    orders = sum(int(row["orders"]) for row in found)
    return (
        ReportFigure(
            name="customers",
            title="Customers",
            unit="customers",
            value=everybody,
            definition="Who ordered in the window.",
            good="up",
        ),
        ReportFigure(
            name="slipping",
            title="Slipping away",
            unit="customers",
            value=slipping,
            definition=f"Ordered {_OFTEN} times or more, and not in the last {_LATELY_DAYS} days.",
            good="down",
        ),
        ReportFigure(
            name="orders_each",
            title="Orders a customer",
            unit="number",
            value=orders / everybody,
            definition="Orders of the window divided by customers.",
            good="up",
        ),
        ReportFigure(
            name="net_each",
            title="Value a customer",
            unit="money",
            value=net / everybody,
            definition="Revenue of the window divided by customers.",
            good="up",
        ),
    )


def _cell(row: dict[str, Any] | None, recency: int, frequency: int) -> tuple[Cell, ...]:
    since, often = _say_days(_RECENCY[recency]), _say_orders(_FREQUENCY[frequency])
    if row is None:
        return (since, often, 0, 0, 0, None)
    net, customers = int(row["net"] or 0), row["customers"]
    return (since, often, customers, row["orders"], net, net / customers)


def _table(found: list[dict[str, Any]]) -> ReportTable:
    known = {(row["recency"], row["frequency"]): row for row in found}
    return ReportTable(
        name="cells",
        title="Cells of the grid",
        columns=(
            ReportColumn(name="since", title="Days since the last", unit="text"),
            ReportColumn(name="often", title="Orders", unit="text"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
            ReportColumn(name="orders", title="Orders in all", unit="orders"),
            ReportColumn(name="net", title="Revenue", unit="money"),
            ReportColumn(name="each", title="A customer", unit="money"),
        ),
        rows=tuple(
            _cell(known.get((recency, frequency)), recency, frequency)
            for recency in range(len(_RECENCY))
            for frequency in range(len(_FREQUENCY))
        ),
        key=("since", "often"),
    )


def _say_days(bounds: tuple[int, int]) -> str:
    first, after = bounds
    if not first:
        return f"up to {after} days"
    return f"more than {first}" if after > _RECENCY[-1][0] else f"{first + 1} to {after} days"


def _say_orders(bounds: tuple[int, int]) -> str:
    first, after = bounds
    if after > _FREQUENCY[-1][0]:
        return f"{first} and more"
    return str(first) if after == first + 1 else f"{first} to {after - 1}"
