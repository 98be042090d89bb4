"""How far a common slope may be off, by what it would be without each of the products.

Weeks of one product go together, so a product counts as one witness, however many its rows. The
slope is found again without each (the jackknife; of clusters, the variance estimator CR3 of Bell
and McCaffrey, Survey Methodology 28, 2002; MacKinnon, Nielsen and Webb, Journal of Applied
Econometrics 38, 2023), with the weights of the common fit, so periods are taken out anew too.
"""

import math
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.pricing.sales import Sales, take_out

FEWEST_PRODUCTS: Final = 3
_REFITTED: Final = 20
"""Products that weigh most are left out in full, the others to first order."""
_NOTHING: Final = 1e-9


class Slope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A common slope where it was found: beside it, what is expected of each row."""

    value: float
    expected: FloatArray
    moved: FloatArray
    """The mover, less what products and periods have in common."""


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The standard error of a slope, and how many of it reach to the ends of 95 %."""

    error: float
    far: float


def error_of(slope: Slope, sales: Sales) -> Error:
    """Return how far the slope may be off; raise Refused when one product alone tells of it.

    Student's t counts the products that tell of it, of which there are the fewer the more some
    weigh: one over the sum of squared shares (Carter, Schnepel and Steigerwald, Review of
    Economics and Statistics 99, 2017), at most all but one.
    """
    from scipy.special import stdtrit  # noqa: PLC0415  # loads slowly

    curve = np.bincount(sales.product, slope.expected * slope.moved**2)
    share = curve / curve.sum()
    products = len(share)
    if products < FEWEST_PRODUCTS:
        raise Refused(
            f"{products} product{'s' if products > 1 else ''} sold and changed in price, and it "
            f"takes at least {FEWEST_PRODUCTS}: how far one week of a product follows the last "
            "cannot be told from so few"
        )
    without = _first_order(slope, sales, share)
    weight = np.bincount(sales.product, slope.expected)
    for product in np.argsort(-(share + weight / weight.sum()), kind="stable")[:_REFITTED].tolist():
        without[product] = _leave_out(slope, sales, product)
    spread = float(np.sum((without - slope.value) ** 2)) * (products - 1) / products
    freedom = min(products - 1.0, 1 / float(np.sum(share**2)))
    return Error(error=math.sqrt(spread), far=float(stdtrit(freedom, 0.975)))


def _first_order(slope: Slope, sales: Sales, share: FloatArray) -> FloatArray:
    """Return the slope without each product, where it weighs little in any period."""
    pull = np.bincount(sales.product, slope.moved * (sales.quantity - slope.expected))
    whole = float(np.sum(slope.expected * slope.moved**2))
    found: FloatArray = slope.value - pull / whole / np.maximum(1 - share, _NOTHING)
    return found


def _leave_out(slope: Slope, sales: Sales, product: int) -> float:
    rows = np.flatnonzero(sales.product != product)
    rest, weights = sales.take(rows), slope.expected[rows]
    moved = take_out(slope.moved[rows], weights, rest)
    curve = float(np.sum(weights * moved**2))
    if curve <= _NOTHING * float(np.sum(weights * slope.moved[rows] ** 2)):
        raise Refused(
            "without one of the products nothing is left to tell the slope by, so how far it may "
            "be off cannot be told"
        )
    target = np.log(weights) + rest.quantity / weights - 1
    return float(np.sum(weights * moved * target)) / curve
