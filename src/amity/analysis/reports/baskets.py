"""Baskets: what is bought together, and how much more often than chance would put it there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportFigure,
    ReportTable,
    RowRule,
)
from amity.analysis.logic.behaviour.baskets import Rule, find_rules
from amity.analysis.logic.overview_statistics import Measure, share
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import cells, columns, for_files
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_PAIRS: Final = 5_000
_DRAWN: Final = 12
_LEVELS: Final = {"category": "category", "product": "product_id", "brand": "brand"}


@REPORTS.register("baskets")
class Baskets(Report):
    """Measures what stands together in orders; see docs/algorithms/baskets.md."""

    name = "baskets"
    title = "Bought together"
    question = "Which goods go together in one order?"
    group = "expansion"
    uses = frozenset(("window", "comparison", "segment", "currency"))
    definition = (
        "An order of the window that was not cancelled is a basket, its lines the goods; each "
        "counts once in a basket, however many. Support is the share of baskets with both, "
        "confidence, of the baskets with the first, the share with the second. Lift is how many "
        "times as often they are together as if neither knew of the other; 1 is chance. Intervals "
        "(95 %): Wilson’s for shares, by the logarithm for the lift. Ranked by the low end of the "
        "lift. Refunded orders count: they were bought."
    )
    parameters = (
        Parameter(
            name="level",
            title="Goods",
            kind="choice",
            default="category",
            choices=(("category", "categories"), ("product", "products"), ("brand", "brands")),
        ),
        Parameter(
            name="most_items",
            title="Only the most frequent",
            kind="whole",
            default=200,
            least=2,
            most=1000,
        ),
        Parameter(
            name="least_together",
            title="At least so many baskets with both",
            kind="whole",
            default=5,
            least=1,
            most=100_000,
        ),
        Parameter(
            name="listed", title="Rules to list", kind="whole", default=50, least=1, most=500
        ),
    )

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        known = _items(tables, asked)
        counted = known.group_by("item").aggregate(
            baskets=known.basket.count(),
            customers=known.customer_id.nunique(),
            title=known.title.max(),
        )
        most = _whole(asked, "most_items")
        chosen = counted.order_by(counted.baskets.desc(), "item").limit(most)
        pairs = _pairs(known.semi_join(chosen, "item"))
        both = pairs.group_by("first", "second").aggregate(
            together=pairs.count(), customers=pairs.customer_id.nunique()
        )
        both = both.filter(both.together >= _whole(asked, "least_together"))
        sizes = known.group_by("basket").aggregate(items=known.count())
        return {
            "items": chosen,
            "pairs": both.order_by(both.together.desc(), "first", "second").limit(_PAIRS),
            "totals": sizes.aggregate(
                baskets=sizes.count(), several=(sizes["items"] > 1).cast("int64").sum()
            ),
            "others": frames.other_currencies(tables, asked),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        totals = rows["totals"][0] if rows["totals"] else {}
        baskets, several = totals.get("baskets") or 0, totals.get("several") or 0
        notes = frames.note_of_currencies(rows["others"], asked)
        if not baskets:
            return ReportAnswer(
                sentence="There is no basket to look into.",
                empty=f"No order of this window in {asked.currency} has lines that say a "
                f"{asked.choices['level']}. They come with Order Completed, in `products`.",
                notes=notes,
            )
        titles = {row["item"]: str(row["title"] or row["item"]) for row in rows["items"]}
        rules = find_rules(
            rows["pairs"],
            items={row["item"]: row["baskets"] for row in rows["items"]},
            baskets=baskets,
            most=_whole(asked, "listed"),
        )
        return ReportAnswer(
            sentence=_sentence(rules, titles, baskets),
            figures=_figures(baskets, share(several, baskets)),
            tables=(_rule_table(rules, titles), _item_table(rows["items"], baskets)),
            pictures=_pictures(rules),
            notes=(
                *notes,
                "Baskets of the same customer are taken as independent, which makes the intervals "
                "a little too narrow. Of very many pairs some stand out by chance alone.",
                "That goods are bought together does not say that offering one sells the other.",
            ),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        if table == "items":
            items = _items(tables, asked)
            bought = items.filter(items["item"] == str(row["item"]))
            return bought.select("customer_id").distinct()
        first, second = sorted((str(row["first"]), str(row["second"])))
        known = _items(tables, asked)
        pairs = _pairs(known.filter(known["item"].isin([first, second])))
        return pairs.select("customer_id").distinct()

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who ordered the item in the window; no rule says that two were in one order."""
        days = row_rules.days_until_now(asked)
        if table != "items" or days is None:
            return None
        name = _LEVELS[str(asked.choices["level"])]
        ordered = row_rules.bought(days, name, str(row["item"]))
        return RowRule(rule=row_rules.all_of(asked, ordered), differs=row_rules.CANCELLED)


def _whole(asked: Asked, name: str) -> int:
    return int(cast("int", asked.choices[name]))


def _items(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return what is in which basket, each once: basket, customer_id, item, title."""
    placed = frames.orders(tables, asked, since=asked.from_at)
    lines = frames.lines(tables, placed, asked)
    item = lines[_LEVELS[str(asked.choices["level"])]]
    title = lines.product_name if asked.choices["level"] == "product" else item
    told = lines.select("customer_id", basket=lines.event_id, item=item, title=title)
    told = told.filter(told["item"].notnull(), told["item"] != "")
    return told.group_by("basket", "customer_id", "item").aggregate(title=told.title.max())


def _pairs(known: "ibis.Table") -> "ibis.Table":
    """Return the pairs of each basket: customer_id, first, second, the first before the second."""
    one = known.select("basket", "customer_id", first="item")
    other = known.select(basket_too="basket", second="item")
    pairs = one.join(other, (one.basket == other.basket_too) & (one["first"] < other.second))
    return pairs.select("customer_id", "first", "second")


def _figures(baskets: int, several: Measure) -> tuple[ReportFigure, ...]:
    return (
        ReportFigure(
            name="baskets",
            title="Baskets",
            unit="orders",
            value=baskets,
            definition="Orders of the window with at least one line that says what it is.",
        ),
        ReportFigure(
            name="several",
            title="With more than one",
            unit="share",
            definition="The share of baskets with at least two different goods of this level.",
            good="up",
        ).of(several),
    )


def _sentence(rules: list[Rule], titles: Mapping[str, str], baskets: int) -> str:
    sure = [rule for rule in rules if (rule.lift.low or 0) > 1]
    if not sure:
        return f"In {baskets:,} baskets, no two goods are together more often than chance explains."
    best = sure[0]
    return (
        f"In {baskets:,} baskets, {titles[best.first]} and {titles[best.second]} go together most: "
        f"{best.lift.value or 0:.1f} times as often as by chance (at least "
        f"{best.lift.low or 0:.1f}); of the baskets with {titles[best.first]}, "
        f"{best.confidence.value or 0:.0%} also hold {titles[best.second]}."
    )


def _rule_table(rules: list[Rule], titles: Mapping[str, str]) -> ReportTable:
    return ReportTable(
        name="rules",
        title="Who buys the first also buys the second",
        columns=for_files(("first", "First", "text"), ("second", "Second", "text"))
        + columns(
            ("words", "Goods", "text"),
            ("together", "Baskets with both", "orders"),
            ("customers", "Customers", "customers"),
            ("support", "Support", "share", "support_low", "support_high"),
            ("confidence", "Confidence", "share", "confidence_low", "confidence_high"),
            ("lift", "Lift", "number", "lift_low", "lift_high"),
        ),
        rows=tuple(
            (
                rule.first,
                rule.second,
                f"{titles[rule.first]} → {titles[rule.second]}",
                rule.together,
                rule.customers,
                *cells(rule.support),
                *cells(rule.confidence),
                *cells(rule.lift),
            )
            for rule in rules
        ),
        key=("first", "second"),
    )


def _item_table(items: list[dict[str, object]], baskets: int) -> ReportTable:
    return ReportTable(
        name="items",
        title="The most frequent goods",
        columns=for_files(("item", "Key", "text"))
        + columns(
            ("title", "Goods", "text"),
            ("baskets", "Baskets", "orders"),
            ("customers", "Customers", "customers"),
            ("share", "Share of baskets", "share", "low", "high"),
        ),
        rows=tuple(
            (
                str(row["item"]),
                str(row["title"] or row["item"]),
                cast("int", row["baskets"]),
                cast("int", row["customers"]),
                *cells(share(cast("int", row["baskets"]), baskets)),
            )
            for row in items
        ),
        key=("item",),
    )


def _pictures(rules: list[Rule]) -> tuple[Picture, ...]:
    if not rules:
        return ()
    return (
        Picture(
            kind="scatter",
            table="rules",
            title="How often, and how much more than by chance",
            x="support",
            y=("lift",),
            series="words" if len(rules) <= _DRAWN else "",
            x_title="share of baskets with both",
            y_title="times as often as by chance",
        ),
    )
