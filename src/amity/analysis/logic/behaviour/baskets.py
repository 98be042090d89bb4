"""What stands together in baskets (pure): support, confidence and lift, with intervals.

Sources: Agrawal, Imielinski and Swami (1993) for support and confidence; Brin and others (1997)
for lift, which they call interest.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from amity.analysis.logic.overview_statistics import NOTHING, Z95, Measure, share


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Who buys the first also buys the second: how often, and how much more than by chance."""

    first: str
    second: str
    together: int
    customers: int
    support: Measure
    confidence: Measure
    """Of the baskets with the first, those with the second."""
    lift: Measure
    """How many times as often together as if neither knew of the other."""


def find_rules(
    pairs: Iterable[Mapping[str, Any]], *, items: Mapping[str, int], baskets: int, most: int
) -> list[Rule]:
    """Return both directions of each pair, the surest lift first.

    ``pairs`` has `first`, `second`, `together` (baskets with both) and `customers`; ``items`` the
    baskets of each item. They are ranked by the low end of the lift's interval, so that two
    baskets that happened to agree do not come first.
    """
    rules = []
    for pair in pairs:
        for one, other in ((pair["first"], pair["second"]), (pair["second"], pair["first"])):
            together = pair["together"]
            rules.append(
                Rule(
                    first=one,
                    second=other,
                    together=together,
                    customers=pair["customers"],
                    support=share(together, baskets),
                    confidence=share(together, items[one]),
                    lift=measure_lift(together, items[one], items[other], baskets),
                )
            )

    def rank(rule: Rule) -> tuple[float, float, str, str]:
        return (
            -(rule.lift.low or 0.0),
            -(rule.confidence.value or 0.0),
            rule.first,
            rule.second,
        )

    return sorted(rules, key=rank)[:most]


def measure_lift(together: int, first: int, second: int, baskets: int) -> Measure:
    """Measure n11 n / (n1 n2), with the interval of its logarithm by the delta method.

    The variance of the logarithm is 1/n11 - 1/n1 - 1/n2 + (2 lift - 1)/n, for baskets that are
    independent of each other.
    """
    if not together:
        return NOTHING
    lift = together * baskets / (first * second)
    variance = 1 / together - 1 / first - 1 / second + (2 * lift - 1) / baskets
    half = Z95 * float(np.sqrt(max(variance, 0.0)))
    return Measure(
        value=lift,
        low=lift * float(np.exp(-half)),
        high=lift * float(np.exp(half)),
        variance=lift * lift * max(variance, 0.0),
    )
