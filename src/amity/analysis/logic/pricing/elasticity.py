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
from amity.kernel.estimate import Estimate

Z95: Final = 1.959963984540054
FEWEST_ROWS: Final = 50
FEWEST_CHANGES: Final = 30
_FEW_PRODUCTS: Final = 10
_FEWEST_PRODUCTS: Final = 3
_LEAST_LEFT: Final = 0.05
_ROUNDS: Final = 100
_TURNS: Final = 500
_CLOSE: Final = 1e-9


class Sales(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One place a product and period: what was sold, and what moves it (log price, discount)."""

    product: IntArray
    period: IntArray | None
    quantity: FloatArray
    mover: FloatArray


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
    names, place = np.unique(sales.product[kept], return_inverse=True)
    sales = Sales(
        product=place.astype(np.int64),
        period=None if sales.period is None else _renumber(sales.period[kept]),
        quantity=sales.quantity[kept],
        mover=sales.mover[kept],
    )
    slope, expected, moved, settled = _climb(sales)
    left = sales.quantity - expected
    products = int(sales.product.max()) + 1
    curve = float(np.sum(expected * moved**2))
    if curve <= 1e-12 * max(1.0, float(np.sum(expected * sales.mover**2))):
        raise Refused("prices change for all products at once, so time and price cannot be parted")
    error, far, warnings = _error(moved * left, expected * moved**2, sales)
    if not settled:
        warnings.append("the fit did not settle; the figures are rough")
    own, own_error = _by_product(sales, slope, expected, moved, left)
    spread = _spread(own, own_error)
    weight = spread**2 / (spread**2 + own_error**2) if spread > 0 else np.zeros(products)
    return Elasticity(
        slope=Estimate(value=slope, low=slope - far * error, high=slope + far * error),
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


def _renumber(values: IntArray) -> IntArray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


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
    mover, product = sales.mover[kept], _renumber(sales.product[kept])
    usual = np.bincount(product, mover) / np.bincount(product)
    changed = int(np.count_nonzero(np.abs(mover - usual[product]) > 0.01))
    if changed < FEWEST_CHANGES:
        raise Refused(
            f"in {changed:,} rows the price or discount is other than usual, and it takes at "
            f"least {FEWEST_CHANGES}"
        )


def _climb(sales: Sales) -> tuple[float, FloatArray, FloatArray, bool]:
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
        moved = _take_out(sales.mover, expected, sales)
        aimed = _take_out(target, expected, sales)
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


def _take_out(values: FloatArray, weights: FloatArray, sales: Sales) -> FloatArray:
    """Return values less the weighted means of products and periods, in turn until nothing is."""
    left = values - _means(values, weights, sales.product)
    if sales.period is None:
        return left
    for _ in range(_TURNS):
        step = _means(left, weights, sales.period)
        left = left - step
        back = _means(left, weights, sales.product)
        left = left - back
        if float(np.abs(back).max()) < 1e-10:
            break
    return left


def _means(values: FloatArray, weights: FloatArray, group: IntArray) -> FloatArray:
    sums = np.bincount(group, values * weights) / np.bincount(group, weights)
    means: FloatArray = sums[group]
    return means


def _error(pull: FloatArray, curve: FloatArray, sales: Sales) -> tuple[float, float, list[str]]:
    """Return the standard error, and how many of it reach to the ends of 95 %.

    Rows of one product may go together, so what each product pulls is summed, as if the product
    had been left out (Bell and McCaffrey 2002), and Student's t counts products, not rows
    (Cameron and Miller 2015). Of fewer than three products rows count, and a warning says so.
    """
    from scipy.special import stdtrit  # noqa: PLC0415  # loads slowly

    whole, rows = float(curve.sum()), len(pull)
    products = int(sales.product.max()) + 1
    periods = 0 if sales.period is None else int(sales.period.max()) + 1
    freedom = max(rows - products - periods - 1, 1)
    if products < _FEWEST_PRODUCTS:
        error = math.sqrt(float(np.sum(pull**2)) * rows / freedom) / whole
        return (
            error,
            float(stdtrit(freedom, 0.975)),
            [f"with {products} products the interval takes rows as independent of each other"],
        )
    share = np.bincount(sales.product, curve) / whole
    together = np.bincount(sales.product, pull) / np.maximum(1 - share, _LEAST_LEFT)
    spread = float(np.sum(together**2)) * (products - 1) / products * rows / (rows - periods)
    return math.sqrt(spread) / whole, float(stdtrit(products - 1, 0.975)), []


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
