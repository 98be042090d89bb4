"""Who buys when things are cheaper: reduced lines beside those that chance would deal them.

Of every product and quarter it is known how many lines were bought reduced. If nobody sought
reductions, these would be dealt at random among the lines of that product and quarter, so what is
expected of a customer, and how far chance strays from it, follow from what they buy (the
hypergeometric law). How widely customers truly differ is what is left over, by moments; each is
drawn towards the others as far as their own lines are few (Efron and Morris 1973).
"""

import math
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused

FEWEST_CUSTOMERS: Final = 50
FEWEST_LINES: Final = 500
_SURE: Final = 0.05
_Z95: Final = 1.959963984540054


class Bought(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One place a customer: lines of products that were sold both ways, and what chance deals."""

    lines: FloatArray
    reduced: FloatArray
    expected: FloatArray
    variance: FloatArray


class Seeking(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How far each customer seeks what is reduced; 1 is as chance has it."""

    index: FloatArray
    low: FloatArray
    high: FloatArray
    share: FloatArray
    """The share of their lines to be bought reduced, of products like those they buy."""
    share_low: FloatArray
    share_high: FloatArray
    spread: float
    """Standard deviation of true indices."""
    p_value: float
    """How often chance alone makes customers differ so."""


def learn_seeking(bought: Bought) -> Seeking:
    """Learn it; raise Refused for too few lines, or when customers do not differ."""
    lines, customers = float(bought.lines.sum()), int(np.count_nonzero(bought.lines))
    if customers < FEWEST_CUSTOMERS or lines < FEWEST_LINES:
        raise Refused(
            f"{lines:,.0f} lines of {customers:,} customers are of products sold both at their "
            f"usual price and below it, and it takes at least {FEWEST_LINES} of {FEWEST_CUSTOMERS}"
        )
    left = (bought.reduced - bought.expected) ** 2 - bought.variance
    error = math.sqrt(float(np.sum(left**2)))
    surplus = float(left.sum())
    chance = 0.5 * math.erfc(surplus / error / math.sqrt(2)) if error > 0 else 1.0
    if chance >= _SURE or surplus <= 0:
        raise Refused(
            "customers differ no more in what they buy reduced than chance makes them "
            f"(p = {chance:.2g}, {customers:,} customers)"
        )
    spread = math.sqrt(surplus / float(np.sum(bought.expected**2)))
    return _draw(bought, spread, chance)


def _draw(bought: Bought, spread: float, chance: float) -> Seeking:
    expected = np.maximum(bought.expected, 1e-12)
    signal = (expected * spread) ** 2
    weight = signal / (signal + bought.variance)
    index = np.maximum(0.0, 1 + weight * (bought.reduced - bought.expected) / expected)
    half = _Z95 * spread * np.sqrt(1 - weight)
    low, high = np.maximum(0.0, index - half), index + half
    mix = mix_of(bought)
    return Seeking(
        index=index,
        low=low,
        high=high,
        share=np.clip(index * mix, 0.0, 1.0),
        share_low=np.clip(low * mix, 0.0, 1.0),
        share_high=np.clip(high * mix, 0.0, 1.0),
        spread=spread,
        p_value=chance,
    )


def mix_of(bought: Bought) -> FloatArray:
    """Return the share chance would deal each of what they buy, drawn to that of all by a line."""
    mean = float(bought.expected.sum() / max(bought.lines.sum(), 1.0))
    shares: FloatArray = (bought.expected + mean) / (bought.lines + 1.0)
    return shares
