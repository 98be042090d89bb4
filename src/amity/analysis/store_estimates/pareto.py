"""Where customers stand by what they bring: the zone and the tenth of the 80/20 report, kept."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, IntArray, Refused
from amity.analysis.logic.reporting import serving, zones
from amity.analysis.logic.reporting.concentrating import TENTHS
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
)
from amity.kernel.money import exponent_of, format_minor

if TYPE_CHECKING:
    import ibis

_COLUMNS: Final = ("orders", "net", "goods", "cost", "margin")


@STORE_ESTIMATES.register("pareto")
class Concentration(StoreEstimator):
    """The report 80/20 of a year up to today, as a score of each customer in it."""

    name = "pareto"
    card = ModelCard(
        title="80/20: zone and tenth",
        purpose="To keep of each customer which zone and which tenth of the report 80/20 they are "
        "in, so that rules, offers and journeys can ask for it.",
        assumes=[
            "What was entered as the cost of one order, message or visit holds for every one.",
            "What no cost was entered for costs nothing.",
        ],
        needs=[
            "Orders of the last 365 days in the home currency, of 10 customers at least.",
            "The `cost` of order lines and the costs entered under Costs and targets, to tell "
            "contribution from revenue.",
        ],
        refuses=["Fewer than 10 customers who bought or cost something: there are no tenths."],
        cannot_know=[
            "Costs nobody entered, and what a customer brings by recommending.",
            "Where they will stand: it says where they stand.",
        ],
        sources=[
            "Kaplan, Narayanan (2001), Measuring and Managing Customer Profitability, Journal of "
            "Cost Management 15.",
        ],
    )
    scores = (
        ScoreWords(
            name=zones.ZONE_SCORE,
            title="80/20 zone",
            meaning="Retain: those who bring the first 80 % of all positive contribution of the "
            "last 365 days; Grow: the others above zero; Select: those who cost more than they "
            "bring. The value is the contribution, the label begins with the zone.",
        ),
        ScoreWords(
            name=zones.TENTH_SCORE,
            title="80/20 tenth",
            meaning="In which tenth of the customers of the last 365 days they are by "
            "contribution: 1 is the best, 10 the last.",
        ),
    )
    tables = frozenset(("profiles", "orders", "order_lines", "events", "sends"))
    facts = frozenset(("unit_costs",))
    days = zones.DAYS

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        return {
            "served": serving.contributions(tables, known.asked),
            "lines": serving.lines_told(tables, known.asked),
        }

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        ids, told = _read(rows)
        if len(ids) < TENTHS or not told["orders"].any():
            raise Refused(
                f"{len(ids):,} customers bought or cost something in {self.days} days, "
                f"{int((told['orders'] > 0).sum()):,} of them bought; it takes {TENTHS}, and orders"
            )
        order = zones.order_best_first(told, ids)
        cut = zones.find_zones(told["margin"][order])
        zone, tenth = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
        place = np.empty(len(ids), np.int64)
        place[order] = np.arange(1, len(ids) + 1)
        tenth[order] = zones.find_tenths(len(ids))
        for number, (first, last) in enumerate(cut.values()):
            zone[order[first:last]] = number
        where = [f"place {at:,} of {len(ids):,} by contribution" for at in place.tolist()]
        titles = [title for title, _ in zones.ZONES.values()]
        [lines] = rows["lines"].to_pylist()
        labels = [
            f"{titles[of]}: {at}, {self._say(told, number, known, priced=bool(lines['priced']))}"
            for number, (of, at) in enumerate(zip(zone.tolist(), where, strict=True))
        ]
        unit = 10 ** exponent_of(known.asked.currency)
        contribution = Column(value=told["margin"] / unit, labels=labels)
        tenths = Column(value=tenth.astype(np.float64), labels=where)
        sizes = {name: last - first for name, (first, last) in cut.items()}
        return StoreEstimated(
            scores={
                zones.ZONE_SCORE: Scored(customer_id=ids, column=contribution),
                zones.TENTH_SCORE: Scored(customer_id=ids, column=tenths),
            },
            parameters={name: float(size) for name, size in sizes.items()},
            report=_report(rows, known, sizes, told),
        )

    def _say(self, told: Mapping[str, IntArray], number: int, known: Known, *, priced: bool) -> str:
        net, goods, cost, margin = (
            format_minor(int(told[name][number]), known.asked.currency)
            for name in ("net", "goods", "cost", "margin")
        )
        goods = goods if priced else "not known"
        return f"{margin} in {self.days} days: revenue {net}, goods {goods}, service {cost}"


def _read(rows: Rows) -> tuple[IntArray, dict[str, IntArray]]:
    """Return the customers by number, and their columns."""
    table = rows["served"]
    ids = np.asarray(table["customer_id"]).astype(np.int64)
    order = np.argsort(ids)
    told = {name: np.asarray(table[name]).astype(np.int64)[order] for name in _COLUMNS}
    return ids[order], told


def _report(
    rows: Rows, known: Known, sizes: Mapping[str, int], told: Mapping[str, IntArray]
) -> dict[str, object]:
    [lines] = rows["lines"].to_pylist()
    costs = serving.unit_costs(known.asked)
    notes = serving.notes_of_costs(
        known.asked, costs, priced=int(lines["priced"] or 0), told=int(lines["told"] or 0)
    )
    said = [f"{size:,} in {zones.ZONES[name][0]}" for name, size in sizes.items()]
    return {
        "sentence": f"Of {sum(sizes.values()):,} customers {', '.join(said)}",
        "facts": {
            "customers": sum(sizes.values()),
            "of them bought": int((told["orders"] > 0).sum()),
        },
        "warnings": [note.removesuffix(".") for note in notes],
        "calibration": {
            "refused": "it says where customers stand and foretells nothing, so no later time can "
            "prove it right or wrong"
        },
    }
