"""Who waits for reductions, customer by customer, and how far quantities follow prices in all."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, FloatArray, IntArray, Refused
from amity.analysis.logic.learning.measures import Z95, tenths
from amity.analysis.logic.pricing.elasticity import estimate_elasticity
from amity.analysis.logic.pricing.reduced import Bought, Seeking, learn_seeking, mix_of
from amity.analysis.logic.pricing.sales import Sales
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Followed,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
    pick,
)

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_REDUCED: Final = 0.95
"""A price at most this part of the product's usual one is reduced."""
_FEWEST_LINES: Final = 3
_LEARNT_SHARE: Final = 0.75
_HORIZON_DAYS: Final = 90
_PRODUCTS: Final = 300
_FEWEST_JUDGED: Final = 50


@STORE_ESTIMATES.register("discounts")
class Discounts(StoreEstimator):
    """Reduced lines of each customer beside what chance deals; the elasticity of all."""

    name = "discounts"
    card = ModelCard(
        title="Price and discount sensitivity",
        purpose="To say who buys when prices are reduced, beyond what they happen to buy, and how "
        "far quantities follow prices in all.",
        assumes=[
            "A line is reduced when its price is at most 95 % of the product's median price in "
            "that quarter, or a discount was told with it.",
            "Who seeks reductions now will do so next quarter.",
        ],
        needs=[
            "Lines of orders of the last year in the home currency, with product and price; 500 "
            "of products sold both ways, by 50 customers.",
        ],
        refuses=[
            "Too few such lines.",
            "Customers who differ no more than chance makes them.",
        ],
        cannot_know=[
            "Whether they would have bought at the usual price: only discounts drawn at random "
            "tell that, and an experiment reads it off.",
            "Whether reductions were aimed at those who then bought reduced.",
        ],
        sources=[
            "Efron, Morris (1973), Stein's estimation rule and its competitors, JASA 68.",
            "Lichtenstein, Ridgway, Netemeyer (1993), Price perceptions and consumer shopping "
            "behavior, Journal of Marketing Research 30.",
            "Santos Silva, Tenreyro (2006), The log of gravity, Review of Economics and "
            "Statistics 88.",
        ],
    )
    scores = (
        ScoreWords(
            name="discount_share",
            title="Buys reduced",
            meaning="The share of their coming lines to be bought below the usual price, of "
            "products like those they buy, with the range in which it lies. It is no cause: "
            "they may have bought anyway.",
        ),
    )
    tables = frozenset(("orders", "order_lines", "profiles"))
    follows: ClassVar[Mapping[str, int]] = {"discount_share": _HORIZON_DAYS}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        lines = _lines(tables, known)
        marked = _mark(lines)
        split = known.asked.from_at + timedelta(days=int(known.asked.days * _LEARNT_SHARE))
        later = marked.placed_at >= split
        return {
            "all": _deal(marked),
            "first": _deal(marked.filter(~later)),
            "later": _deal(marked.filter(later)),
            "lately": marked.filter(
                marked.placed_at >= known.asked.now - timedelta(days=_HORIZON_DAYS + 40)
            ).select("customer_id", "is_reduced", at=marked.placed_at.epoch_seconds()),
            "weeks": _weeks(lines),
        }

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        ids, bought = _read(rows["all"])
        found = learn_seeking(bought)
        elasticity, facts = _elasticity(rows["weeks"])
        lines, reduced = int(bought.lines.sum()), int(bought.reduced.sum())
        labels = [
            f"{int(got)} of {int(of)} lines reduced, {usual:.1f} to be expected of what they buy"
            for got, of, usual in zip(
                bought.reduced.tolist(),
                bought.lines.tolist(),
                bought.expected.tolist(),
                strict=True,
            )
        ]
        column = Column(
            value=found.share, low=found.share_low, high=found.share_high, labels=labels
        )
        return StoreEstimated(
            scores={"discount_share": Scored(customer_id=ids, column=column)},
            parameters={
                "share_reduced": reduced / lines,
                "spread": found.spread,
                "p_value": found.p_value,
                **elasticity,
            },
            report={
                "sentence": f"{reduced / lines:.0%} of lines were bought reduced; customers "
                f"seek that {found.spread:.0%} more or less than chance has it",
                "facts": {"lines": lines, "customers": len(ids), **facts},
                "warnings": [
                    "prices nobody drew at random follow what was expected to sell, so neither "
                    "figure says what a discount causes"
                ],
                "calibration": _judge(rows),
            },
            followed={"discount_share": Followed(customer_id=ids, expected=found.share)},
        )

    def observe(self, rows: Rows, known: Known, score: str, due: Due) -> FloatArray:
        """Return the share of lines bought reduced in the time, of who bought any."""
        lately = rows["lately"]
        at = np.asarray(lately["at"]).astype(np.int64)
        inside = (at > _second(due.predicted_at)) & (at <= _second(due.due_at))
        ids, place = np.unique(np.asarray(lately["customer_id"])[inside], return_inverse=True)
        reduced = np.asarray(lately["is_reduced"]).astype(np.float64)[inside]
        share = np.bincount(place, reduced, len(ids)) / np.maximum(np.bincount(place), 1)
        return pick(ids, share, due.profile_id)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _lines(tables: Mapping[str, "ibis.Table"], known: Known) -> "ibis.Table":
    """Return the lines with a price: customer_id, placed_at, product_id, quarter, unit, sold,
    told (a discount was told)."""
    placed = frames.orders(tables, known.asked, since=known.asked.from_at)
    told = tables["order_lines"].select(
        "event_id", "product_id", "quantity_milli", "amount_micro", "discount_micro"
    )
    lines = placed.select("customer_id", "placed_at", "event_id").join(told, "event_id")
    lines = lines.filter(
        lines.product_id.notnull(), lines.quantity_milli > 0, lines.amount_micro > 0
    )
    return lines.select(
        "customer_id",
        "placed_at",
        "product_id",
        quarter=lines.placed_at.truncate("Q"),
        unit=lines.amount_micro / lines.quantity_milli,
        sold=lines.quantity_milli,
        told=lines.discount_micro.fill_null(0) > 0,
    )


def _mark(lines: "ibis.Table") -> "ibis.Table":
    """Return lines of products and quarters with a usual price, and whether each was reduced."""
    usual = lines.group_by("product_id", "quarter").aggregate(
        usual=lines.unit.median(), known=lines.count()
    )
    usual = usual.filter(usual.known >= _FEWEST_LINES)
    both = lines.join(usual, ["product_id", "quarter"])
    return both.mutate(is_reduced=(both.unit <= both.usual * _REDUCED) | both.told)


def _deal(marked: "ibis.Table") -> "ibis.Table":
    """Return each customer's lines and reduced ones, and what chance deals: one row a customer."""
    cell = ["product_id", "quarter"]
    all_of = marked.group_by(cell).aggregate(
        cell_lines=marked.count(), cell_reduced=marked.is_reduced.sum()
    )
    # Where all lines or none are reduced, chance has nothing to deal.
    all_of = all_of.filter(all_of.cell_reduced > 0, all_of.cell_reduced < all_of.cell_lines)
    own = marked.group_by(["customer_id", *cell]).aggregate(
        lines=marked.count(), reduced=marked.is_reduced.sum()
    )
    own = own.join(all_of, cell)
    share = own.cell_reduced / own.cell_lines
    rest = (own.cell_lines - own.lines) / (own.cell_lines - 1)
    own = own.mutate(dealt=own.lines * share, variance=own.lines * share * (1 - share) * rest)
    return (
        own.group_by("customer_id")
        .aggregate(
            lines=own.lines.sum(),
            reduced=own.reduced.sum(),
            expected=own.dealt.sum(),
            variance=own.variance.sum(),
        )
        .order_by("customer_id")
    )


def _weeks(lines: "ibis.Table") -> "ibis.Table":
    """Return what was sold by product and week at which price, of the products sold most."""
    sold = lines.group_by("product_id").aggregate(number=lines.count())
    best = sold.order_by(sold.number.desc(), sold.product_id).limit(_PRODUCTS)
    lines = lines.semi_join(best, "product_id")
    weeks = lines.mutate(week=lines.placed_at.truncate("W").epoch_seconds())
    return (
        weeks.group_by("product_id", "week")
        .aggregate(sold=weeks.sold.sum(), price=weeks.unit.mean())
        .order_by("product_id", "week")
    )


def _read(table: "pa.Table") -> tuple[IntArray, Bought]:
    def column(name: str) -> FloatArray:
        return np.asarray(table[name]).astype(np.float64)

    return np.asarray(table["customer_id"]).astype(np.int64), Bought(
        lines=column("lines"),
        reduced=column("reduced"),
        expected=column("expected"),
        variance=column("variance"),
    )


def _elasticity(table: "pa.Table") -> tuple[dict[str, float], dict[str, Any]]:
    """Return how far quantities went with prices, or why that cannot be told."""
    products = table["product_id"].combine_chunks().dictionary_encode()
    sales = Sales(
        product=np.asarray(products.indices).astype(np.int64),
        period=np.asarray(table["week"]).astype(np.int64),
        quantity=np.asarray(table["sold"]).astype(np.float64) / 1000,
        mover=np.log(np.asarray(table["price"]).astype(np.float64)),
    )
    try:
        if not len(sales.product):
            raise Refused("no product has a price")
        found = estimate_elasticity(_renumber_periods(sales))
    except Refused as error:
        return {}, {"elasticity": f"not known: {error.message}"}
    slope = found.slope
    return {"elasticity": slope.value}, {
        "elasticity": f"{slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f}), weeks without a "
        "sale not among them",
        "products": found.products,
    }


def _renumber_periods(sales: Sales) -> Sales:
    assert sales.period is not None
    period = np.unique(sales.period, return_inverse=True)[1].astype(np.int64)
    return msgspec.structs.replace(sales, period=period)


def _judge(rows: Rows) -> dict[str, Any]:
    """Learn from the first three quarters of the time; say what of the rest was expected."""
    ids, first = _read(rows["first"])
    try:
        found = learn_seeking(first)
    except Refused as error:
        return {"refused": f"in the first three quarters of the time {error.message}"}
    later_ids, later = _read(rows["later"])
    place = np.searchsorted(ids, later_ids)
    place = np.minimum(place, len(ids) - 1)
    both = np.flatnonzero(ids[place] == later_ids)
    if len(both) < _FEWEST_JUDGED:
        return {"refused": f"{len(both):,} customers bought such products before and after"}
    return _compare(found, place[both], later, both)


def _compare(found: Seeking, place: IntArray, later: Bought, both: IntArray) -> dict[str, Any]:
    lines, reduced = later.lines[both], later.reduced[both]
    expected = found.index[place] * later.expected[both]
    share = np.clip(found.index[place] * mix_of(later)[both], 0.0, 1.0)
    group = tenths(share)
    groups = []
    for each in np.unique(group).tolist():
        inside = group == each
        total = float(lines[inside].sum())
        came = float(reduced[inside].sum()) / total
        half = Z95 * float(np.sqrt(np.sum((reduced[inside] - came * lines[inside]) ** 2))) / total
        groups.append(
            {
                "label": f"{share[inside].min():.0%} to {share[inside].max():.0%}",
                "customers": int(inside.sum()),
                "predicted": float(expected[inside].sum()) / total,
                "actual": came,
                "actual_low": max(0.0, came - half),
                "actual_high": min(1.0, came + half),
            }
        )
    return {
        "groups": groups,
        "sentence": f"Of {lines.sum():,.0f} later lines {expected.sum():,.0f} were expected to be "
        f"reduced, {reduced.sum():,.0f} were",
    }
