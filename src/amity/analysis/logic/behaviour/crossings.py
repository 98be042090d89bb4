"""What went with crossing the line of true loyalty, over several moves of each customer (pure).

The moves of one customer are alike, so they count as fewer than they are: by how much more the
shares vary between customers than independent moves would (the design effect of Kish 1965, from the
linearised ratio of Cochran 1977, section 6.3). With one move each nothing changes. What is left is
Wilson's interval of a share and Newcombe's of a difference, of that smaller number.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.kernel.lift import wilson

_Array = NDArray[np.float64]
Ends = tuple[float, float, float]
"""A value, and the ends of its interval."""
_COLUMNS: Final = ("crossed", "stayed", "crossed_had", "stayed_had", "customers")


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was with crossing, with staying, and the difference."""

    crossed: Ends
    stayed: Ends
    difference: Ends

    @property
    def is_chance(self) -> bool:
        """Say whether the interval of the difference has zero in it."""
        return self.difference[1] <= 0 <= self.difference[2]


class _Share(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A share of moves: its value and interval, its variance, what each customer adds to it."""

    ends: Ends
    variance: float
    parts: _Array


def compare_crossings(rows: Sequence[Mapping[str, Any]]) -> Crossing | None:
    """Return the shares of crossings and of stays that had something, and their difference.

    ``rows`` count `customers` by how often each `crossed` and `stayed` and how often it had it then
    (`crossed_had`, `stayed_had`). None when nobody crossed or nobody stayed.
    """
    told = {
        name: np.array([float(row[name] or 0) for row in rows], np.float64) for name in _COLUMNS
    }
    weight = told["customers"]
    if not weight @ told["crossed"] or not weight @ told["stayed"]:
        return None
    one = _share(told["crossed"], told["crossed_had"], weight)
    other = _share(told["stayed"], told["stayed_had"], weight)
    # Who did both adds to both: where that pulls the shares apart they differ by more than either.
    together = float(weight @ (one.parts - other.parts) ** 2)
    alone = one.variance + other.variance
    wider = math.sqrt(max(1.0, together / alone)) if alone > 0 else 1.0
    (value, low, high), (value_, low_, high_) = one.ends, other.ends
    difference = value - value_
    return Crossing(
        crossed=one.ends,
        stayed=other.ends,
        difference=(
            difference,
            difference - wider * math.hypot(value - low, high_ - value_),
            difference + wider * math.hypot(high - value, value_ - low_),
        ),
    )


def _share(moves: _Array, had: _Array, weight: _Array) -> _Share:
    number = float(weight @ moves)
    value = float(weight @ had) / number
    parts = (had - value * moves) / number
    variance = float(weight @ parts**2)
    simple = value * (1 - value) / number
    # Where all or none had it nothing varies: then each customer counts once.
    counted = number / max(1.0, variance / simple) if simple > 0 else float(weight @ (moves > 0))
    low, high = wilson(value * counted, counted)
    return _Share(ends=(value, min(low, value), max(high, value)), variance=variance, parts=parts)
