"""How far quantities follow prices and discounts, the same product against itself.

quantity = exp(product + period + slope · log price) by Poisson pseudo maximum likelihood, which
allows for nothing sold and is right whatever the spread (Santos Silva and Tenreyro, Review of
Economics and Statistics 88, 2006). Products and periods are taken out by weighted means in turn
(Correia, Guimarães and Zylkin, Stata Journal 20, 2020), so a thousand products cost little.
"""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.pricing.intervals import Slope, error_of
from amity.analysis.logic.pricing.sales import Sales, take_out
from amity.kernel.estimate import Estimate

Z95: Final = 1.959963984540054
FEWEST_ROWS: Final = 50
FEWEST_CHANGES: Final = 30
_FEW_PRODUCTS: Final = 10
_ROUNDS: Final = 100
_CLOSE: Final = 1e-9


class Elasticity(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The slope of log quantity on the mover, over all products and of each."""

    slope: Estimate
    standard_error: float
    rows: int
    products: int
    """Products whose mover varies and that sold anything; the others say nothing."""
    spread: float
    """Standard deviation of the true slopes of products, as far as it can be told from noise."""
    product: IntArray
    own: FloatArray
    own_error: FloatArray
    shrunk: FloatArray
    """Each product's slope drawn towards the common one as far as its own is uncertain."""
    shrunk_error: FloatArray
    warnings: list[str]


def estimate_elasticity(sales: Sales) -> Elasticity:
    """Fit it; raise Refused when the mover hardly ever changes within a product."""
    kept = _telling(sales)
    _refuse_too_little(sales, kept)
    names, sales = np.unique(sales.product[kept]), sales.take(np.flatnonzero(kept))
    slope, expected, moved, settled = climb(sales)
    left = sales.quantity - expected
    products = len(names)
    curve = float(np.sum(expected * moved**2))
    if curve <= 1e-12 * max(1.0, float(np.sum(expected * sales.mover**2))):
        raise Refused("prices change for all products at once, so time and price cannot be parted")
    found = error_of(Slope(value=slope, expected=expected, moved=moved), sales)
    error, half = found.error, found.far * found.error
    warnings = [] if settled else ["the fit did not settle; the figures are rough"]
    own, own_error = _by_product(sales, slope, expected, moved, left)
    spread = _spread(own, own_error)
    weight = spread**2 / (spread**2 + own_error**2) if spread > 0 else np.zeros(products)
    return Elasticity(
        slope=Estimate(value=slope, low=slope - half, high=slope + half),
        standard_error=error,
        rows=len(sales.quantity),
        products=products,
        spread=spread,
        product=names,
        own=own,
        own_error=own_error,
        shrunk=slope + weight * (own - slope),
        shrunk_error=np.sqrt(weight * own_error**2 + (1 - weight) ** 2 * error**2)
        if spread > 0
        else np.full(products, error),
        warnings=warnings,
    )


def _telling(sales: Sales) -> NDArray[np.bool_]:
    """Return the rows of products whose mover varies and that sold anything."""
    products = int(sales.product.max()) + 1
    low, high = np.full(products, np.inf), np.full(products, -np.inf)
    np.minimum.at(low, sales.product, sales.mover)
    np.maximum.at(high, sales.product, sales.mover)
    sold = np.bincount(sales.product, sales.quantity, products)
    telling: NDArray[np.bool_] = ((high - low > 1e-9) & (sold > 0))[sales.product]
    return telling


def _refuse_too_little(sales: Sales, kept: NDArray[np.bool_]) -> None:
    rows = int(kept.sum())
    if rows < FEWEST_ROWS:
        raise Refused(
            f"{rows:,} of {len(kept):,} rows are of products that sold and whose price or "
            f"discount ever changed, and it takes at least {FEWEST_ROWS}"
        )
    if np.ptp(sales.quantity[kept]) == 0:
        raise Refused(f"the quantities of all {rows:,} rows are the same")
    told = sales.take(np.flatnonzero(kept))
    usual = np.bincount(told.product, told.mover) / np.bincount(told.product)
    changed = int(np.count_nonzero(np.abs(told.mover - usual[told.product]) > 0.01))
    if changed < FEWEST_CHANGES:
        raise Refused(
            f"in {changed:,} rows the price or discount is other than usual, and it takes at "
            f"least {FEWEST_CHANGES}"
        )


def climb(sales: Sales) -> tuple[float, FloatArray, FloatArray, bool]:
    """Return the slope, expected quantities, the mover less products and periods, and if settled.

    Iteratively reweighted least squares; in each step products and periods are taken out of both
    sides with the step's weights.
    """
    expected = (sales.quantity + sales.quantity.mean()) / 2
    logs = np.log(expected)
    slope, last = 0.0, math.inf
    moved = sales.mover
    for _ in range(_ROUNDS):
        target = logs + (sales.quantity - expected) / expected
        moved = take_out(sales.mover, expected, sales)
        aimed = take_out(target, expected, sales)
        curve = float(np.sum(expected * moved**2))
        slope = float(np.sum(expected * moved * aimed)) / curve if curve > 0 else 0.0
        logs = np.clip(target - (aimed - slope * moved), -30, 30)
        expected = np.exp(logs)
        deviance = _deviance(sales.quantity, expected)
        if abs(last - deviance) < _CLOSE * (abs(deviance) + 0.1):
            return slope, expected, moved, True
        last = deviance
    return slope, expected, moved, False


def _deviance(quantity: FloatArray, expected: FloatArray) -> float:
    ratio = np.where(quantity > 0, quantity / expected, 1.0)
    return float(2 * np.sum(quantity * np.log(ratio) - (quantity - expected)))


def _by_product(
    sales: Sales, slope: float, expected: FloatArray, moved: FloatArray, left: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each product's own slope, one step from the common fit, and its standard error."""
    curve = np.maximum(np.bincount(sales.product, expected * moved**2), 1e-12)
    own = slope + np.bincount(sales.product, moved * left) / curve
    rest = left - expected * moved * (own - slope)[sales.product]
    count = np.bincount(sales.product)
    noise = np.bincount(sales.product, (moved * rest) ** 2)
    scale = count / np.maximum(count - 2, 1)
    return own, np.sqrt(np.maximum(noise * scale, curve)) / curve


def _spread(own: FloatArray, error: FloatArray) -> float:
    """Return the standard deviation of true slopes by moments (DerSimonian and Laird 1986)."""
    if len(own) < _FEW_PRODUCTS:
        return 0.0
    weight = 1 / error**2
    middle = float(np.sum(weight * own) / weight.sum())
    surplus = float(np.sum(weight * (own - middle) ** 2)) - (len(own) - 1)
    scale = float(weight.sum() - np.sum(weight**2) / weight.sum())
    return math.sqrt(max(0.0, surplus / scale)) if scale > 0 else 0.0
