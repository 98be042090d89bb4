"""Customers in order of contribution, and the zones and tenths they are cut into (pure).

The report and the nightly scores cut by these, so a row of the one and the segment of the other
hold the same customers.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from amity.analysis.estimator import IntArray
from amity.analysis.logic.reporting.concentrating import TENTHS, split_tenths

DAYS: Final = 365
ZONE_SCORE: Final = "pareto_zone"
TENTH_SCORE: Final = "pareto_tenth"
ZONES: Final[dict[str, tuple[str, str]]] = {
    "retain": ("Retain", "Together they bring the first 80 % of all positive contribution."),
    "grow": ("Grow", "They bring the rest of it: each something, together little."),
    "select": (
        "Select",
        "They cost more than they bring; the others pay for them. Serve them otherwise, or ask "
        "what they should pay.",
    ),
}
_RETAINED: Final = 0.8


def order_best_first(told: Mapping[str, IntArray], ids: IntArray | None = None) -> IntArray:
    """Return the places of customers, the best first, by margin, net, goods, cost and orders.

    Who is alike in all of these comes by number, where ``ids`` are given.
    """
    keys = [told["orders"], told["cost"], told["goods"], -told["net"], -told["margin"]]
    order: IntArray = np.lexsort(keys if ids is None else [ids, *keys])
    return order


def find_zones(margins: IntArray) -> dict[str, tuple[int, int]]:
    """Return from which place to which each zone goes, of margins, the best first."""
    positive = np.where(margins > 0, margins, 0).astype(np.float64)
    above = int((margins >= 0).sum())
    reached = np.cumsum(positive)
    total = positive.sum()
    retained = int((reached < _RETAINED * total).sum()) + 1 if total > 0 else 0
    retained = min(retained, above)
    return {"retain": (0, retained), "grow": (retained, above), "select": (above, len(margins))}


def find_tenths(customers: int) -> IntArray:
    """Return the tenth of each place, 1 the best."""
    tenths = np.zeros(customers, np.int64)
    for number, (first, last) in enumerate(split_tenths(customers), start=1):
        tenths[first:last] = number
    assert len(split_tenths(customers)) == TENTHS
    return tenths
