"""Penetration and share of wallet: how much of the market, of the range, of what people spend."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

import numpy as np

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
from amity.analysis.logic.overview_statistics import NOTHING, Measure
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import bounded, cells
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_UNTOLD: Final = "no category told"
_WALLET: Final = 0.9
_FEWEST: Final = 30
_RESAMPLES: Final = 400
_SEED: Final = 90
_DRAWN: Final = 20
"""How many categories are drawn; more have no room for their names."""


@REPORTS.register("penetration")
class Penetration(Report):
    """Who buys in which category, how much of the market buys, and a wallet estimated."""

    name = "penetration"
    title = "Penetration and share of wallet"
    question = "How much of the market, and of what our customers spend, do we have?"
    group = "expansion"
    definition = (
        "Category penetration is the share of the window's customers with a line of the category. "
        "Market penetration is the window's customers divided by the size of the market, which "
        "you say. The share of wallet is an estimate under an assumption nobody can check here: "
        "that customers need about the same, and that those who spend more than nine of ten buy "
        "all of it with us. The wallet is then what the customer at that place spends; a "
        "customer's share is his or her revenue divided by it, at most all; the figure is the "
        "median customer's. The interval (95 %) is a bootstrap's over customers and holds only "
        "as far as the assumption does. A survey of what people spend elsewhere is better."
    )
    parameters = (
        Parameter(
            name="market",
            title="People in the market",
            kind="whole",
            default=0,
            least=0,
            help="0: not known.",
        ),
    )
    days: ClassVar[int] = 365

    columnar = frozenset(("spent",))

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        placed = frames.orders(tables, asked, since=asked.from_at)
        spent = placed.group_by("customer_id").aggregate(net=placed.net_minor.sum().cast("int64"))
        lines = _lines(tables, asked)
        categories = lines.group_by("category").aggregate(
            customers=lines.customer_id.nunique(),
            orders=lines.order_id.nunique(),
            amount=lines.amount_minor.sum(),
        )
        return {
            "spent": spent,
            "categories": categories,
            "others": frames.other_currencies(tables, asked),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        spent = np.sort(cast("pa.Table", rows["spent"])["net"].to_numpy().astype(np.float64))
        if not len(spent):
            return ReportAnswer(
                sentence="Nobody bought in this window.",
                empty=f"There is no order in {asked.currency} from {asked.from_on} until before "
                f"{asked.until_on}.",
            )
        table = _table(rows, len(spent))
        figures = _figures(spent, table, asked)
        wallet = next(one for one in figures if one.name == "wallet_share")
        best = table.rows[0] if table.rows else None
        text = f"{len(spent):,} customers bought"
        if best:
            text += f"; {say_value(best[2], 'share', '')} of them in {best[0]}"
        if wallet.value is not None:
            text += (
                f"; half of them spend at most {say_value(wallet.value, 'share', '')} of their "
                "wallet with us, if the assumption below holds"
            )
        notes = ["The share of wallet rests on an assumption: see how it is counted."]
        if not asked.choices["market"]:
            notes.append("Say how many people are in the market to see market penetration.")
        return ReportAnswer(
            sentence=f"{text}.",
            figures=figures,
            tables=(table,),
            pictures=(
                Picture(
                    kind="bar",
                    table="categories",
                    title="Share of customers who buy in the categories bought most",
                    x="category",
                    y=("share",),
                    low="low",
                    high="high",
                    most=_DRAWN,
                ),
            )
            if table.rows
            else (),
            notes=(*notes, *frames.note_of_currencies(rows["others"], asked)),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        lines = _lines(tables, asked)
        return lines.filter(lines.category == str(row["category"])).select("customer_id").distinct()

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who ordered of the category in the window."""
        days, category = row_rules.days_until_now(asked), str(row["category"])
        if days is None or category == _UNTOLD:
            return None
        ordered = row_rules.bought(days, "category", category)
        return RowRule(rule=row_rules.all_of(asked, ordered), differs=row_rules.CANCELLED)


def _lines(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    placed = frames.orders(tables, asked, since=asked.from_at)
    lines = frames.lines(tables, placed, asked)
    return lines.mutate(category=lines.category.nullif("").fill_null(_UNTOLD))


def wallet_share(spent: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    """Return the median customer's share of the wallet that customers at nine tenths spend."""
    wallet = float(np.quantile(spent, _WALLET)) if len(spent) else 0.0
    if wallet <= 0:
        return None
    return float(np.median(np.minimum(spent / wallet, 1.0)))


def _figures(
    spent: np.ndarray[tuple[int], np.dtype[np.float64]], table: ReportTable, asked: Asked
) -> tuple[ReportFigure, ...]:
    size = int(asked.choices["market"])
    market = statistics.share(min(len(spent), size), size) if size else NOTHING
    buying = sum(int(str(row[1])) for row in table.rows)
    return (
        ReportFigure(
            name="market",
            title="Market penetration",
            unit="share",
            value=market.value,
            definition="Customers of the window divided by the people in the market, as you say.",
            good="up",
        ),
        ReportFigure(
            name="categories_each",
            title="Categories a customer",
            unit="number",
            value=buying / len(spent) if buying else None,
            definition="In how many categories a customer of the window bought.",
            good="up",
        ),
        ReportFigure(
            name="wallet_share",
            title="Share of wallet, estimated",
            unit="share",
            definition="The median customer's revenue divided by that of the customer whom nine of "
            f"ten do not reach, at most all. Not said of fewer than {_FEWEST} customers.",
            good="up",
        ).of(_wallet(spent)),
    )


def _wallet(spent: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Measure:
    """Return the share of wallet with a bootstrap's interval over customers."""
    share = wallet_share(spent) if len(spent) >= _FEWEST else None
    if share is None:
        return NOTHING
    rng = np.random.default_rng(_SEED)
    draws = [
        drawn
        for _ in range(_RESAMPLES)
        if (drawn := wallet_share(rng.choice(spent, len(spent)))) is not None
    ]
    edges = np.quantile(draws, [0.025, 0.975])
    return Measure(value=share, low=min(float(edges[0]), share), high=max(float(edges[1]), share))


def _table(rows: Rows, customers: int) -> ReportTable:
    found = sorted(rows["categories"], key=lambda row: (-row["customers"], row["category"]))
    total = sum(int(row["amount"] or 0) for row in found)
    lines: list[tuple[Cell, ...]] = []
    for row in found:
        share = statistics.share(row["customers"], customers)
        amount = int(row["amount"] or 0)
        lines.append(
            (
                row["category"],
                row["customers"],
                *cells(share),
                row["orders"],
                amount,
                amount / total if total else None,
                amount / row["customers"],
            )
        )
    return ReportTable(
        name="categories",
        title="Categories, the most bought first",
        columns=(
            ReportColumn(name="category", title="Category", unit="text"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
            *bounded(ReportColumn(name="share", title="Penetration", unit="share")),
            ReportColumn(name="orders", title="Orders", unit="orders"),
            ReportColumn(
                name="amount", title="Sold", unit="money", definition="Lines, before refunds."
            ),
            ReportColumn(name="sold_share", title="Share of sales", unit="share"),
            ReportColumn(name="each", title="A customer", unit="money"),
        ),
        rows=tuple(lines),
        key=("category",),
    )
