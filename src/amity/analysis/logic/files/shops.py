"""A made-up shop to try estimates on: customers as BG/NBD and Gamma-Gamma imagine them."""

from datetime import timedelta
from typing import Final

import numpy as np

from amity.analysis.file_estimate import Example
from amity.analysis.logic.files.purchases import EPOCH

_DAYS: Final = 364
_FIRST_DAY: Final = 19_723


def make_shop(rng: np.random.Generator, size: int) -> Example:
    """Return purchases of ``size`` customers over a year, and the options to estimate from them."""
    rows: list[tuple[object, ...]] = []
    rates = rng.gamma(0.8, 1 / 25, size)
    chances, baskets = rng.beta(0.8, 3, size), rng.gamma(4, 1 / 60, size)
    for customer in range(size):
        at = float(rng.integers(0, _DAYS // 2))
        is_first = True
        while at < _DAYS:
            amount = f"{rng.gamma(6, 1 / baskets[customer]):.2f}"
            day = EPOCH + timedelta(days=_FIRST_DAY + int(at))
            rows.append((f"c{customer}", day.isoformat(), amount))
            if not is_first and rng.random() < chances[customer]:
                break
            is_first = False
            at += rng.exponential(1 / max(rates[customer], 1e-9))
    return Example(
        heads=("customer", "date", "amount"),
        rows=rows,
        options={"customer": "customer", "date": "date", "amount": "amount"},
    )
