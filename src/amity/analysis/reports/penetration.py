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
from amity.analysis.logic.reporting.tables import bounded, cells, columns, for_files
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_UNTOLD: Final = "no category told"
_WALLET: Final = 0.9
_FEWEST: Final = 30
_RESAMPLES: Final = 400
_SEED: Final = 90
_BANDS: Final = (
    (
        "up to a quarter",
        0.0,
        0.25,
        "They buy most elsewhere: ask what they miss, offer a first try of what others buy here.",
    ),
    (
        "a quarter to a half",
        0.25,
        0.5,
        "They know the way: offer the category they do not buy yet (see what is bought together).",
    ),
    (
        "half to nearly all",
        0.5,
        1.0,
        "They buy much here: make it easy to buy the rest, by "
        "reminder or standing order; no discount on what they buy anyway.",
    ),
    (
        "all, as far as can be told",
        1.0,
        None,
        "Nothing is left to win by selling more of the same: "
        "thank them, keep them, ask them to recommend.",
    ),
)
"""Bands of the share of wallet: from, to, and what to do next."""
_NEXT: Final = {
    (True, True): "Bought by many, for much: keep it in stock and in sight, and do not discount "
    "what they buy anyway.",
    (True, False): "Bought by many, for little: offer a larger pack, a better kind, or what goes "
    "with it.",
    (False, True): "Bought by few, for much: show it to those who do not buy it yet.",
    (False, False): "Bought by few, for little: try it once on those who buy what goes with it; if "
    "they leave it, so do you.",
}
"""What to do next, by whether more customers, and for more money, buy than in the middle one."""
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
        "as far as the assumption does. A survey of what people spend elsewhere is better. What "
        "to do next goes by whether more customers buy in the category, and for more money each, "
        "than in the middle one of all."
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
            tables=(table, *_bands(spent)),
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
        if table == "wallets":
            placed = frames.orders(tables, asked, since=asked.from_at)
            spent = placed.group_by("customer_id").aggregate(net=placed.net_minor.sum())
            inside = spent.filter(spent.net >= int(str(row["least"])))
            if row["below"] is not None:
                inside = inside.filter(inside.net < int(str(row["below"])))
            return inside.select("customer_id")
        lines = _lines(tables, asked)
        return lines.filter(lines.category == str(row["category"])).select("customer_id").distinct()

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who ordered of the category in the window."""
        if table != "categories":
            return None
        days, category = row_rules.days_until_now(asked), str(row["category"])
        if days is None or category == _UNTOLD:
            return None
        ordered = row_rules.bought(days, "category", category)
        return RowRule(rule=row_rules.all_of(asked, ordered), differs=row_rules.CANCELLED)

    def list_reason(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> str:
        """Return why those of a band of wallets are a list of the day."""
        return "the wallet is found anew with each answer" if table == "wallets" else ""


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
    buying = sum(int(str(row[1])) for row in table.rows if row[0] != _UNTOLD)
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
            definition="In how many categories a customer of the window bought, of those told.",
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


def _bands(spent: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[ReportTable, ...]:
    """Return the customers by their share of the wallet, each band with what is left to win."""
    wallet = float(np.quantile(spent, _WALLET)) if len(spent) >= _FEWEST else 0.0
    if wallet <= 0:
        return ()
    rows: list[tuple[Cell, ...]] = []
    for title, low, high, step in _BANDS:
        # Whole minor units, so that an opened row has whom it counts.
        least = int(np.ceil(low * wallet))
        below = None if high is None else int(np.ceil(high * wallet))
        inside = spent[(spent >= least) & (spent < (np.inf if below is None else below))]
        left = float(np.maximum(wallet - inside, 0).sum())
        rows.append((least, below, title, len(inside), int(inside.sum()), round(left), step))
    return (
        ReportTable(
            name="wallets",
            title="Customers by their share of the wallet, if the assumption holds",
            columns=for_files(("least", "From", "money"), ("below", "Below", "money"))
            + columns(
                ("band", "Share of wallet", "text"),
                ("customers", "Customers", "customers"),
                ("revenue", "Revenue", "money"),
                ("left", "Spent elsewhere", "money"),
                ("next", "What to do next", "text"),
            ),
            rows=tuple(rows),
            key=("band",),
        ),
    )


def _say_next(category: str, buyers: int, each: float, middle: tuple[float, float]) -> str:
    if category == _UNTOLD:
        return "Send `category` with each product, so that these lines can be told apart."
    return _NEXT[buyers >= middle[0], each >= middle[1]]


def _table(rows: Rows, customers: int) -> ReportTable:
    found = sorted(rows["categories"], key=lambda row: (-row["customers"], row["category"]))
    total = sum(int(row["amount"] or 0) for row in found)
    told = [row for row in found if row["category"] != _UNTOLD] or found
    middle = (
        float(np.median([row["customers"] for row in told] or [0])),
        float(np.median([int(row["amount"] or 0) / row["customers"] for row in told] or [0])),
    )
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
                _say_next(row["category"], row["customers"], amount / row["customers"], middle),
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
            ReportColumn(name="next", title="What to do next", unit="text"),
        ),
        rows=tuple(lines),
        key=("category",),
    )
