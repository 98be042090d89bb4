"""How far quantities follow prices, where the truth is known."""

import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import load_file_estimates
from amity.analysis.logic.pricing.elasticity import climb, estimate_elasticity
from amity.analysis.logic.pricing.intervals import Slope, error_of
from amity.analysis.logic.pricing.sales import Sales
from amity.kernel.errors import Invalid
from amity.testing.file_estimates_kit import run_on, write_example


def market(rng, *, products=25, weeks=30, slope=-1.5, spread=0.0, season=0.0):
    """Dear products sell less anyway, and in season prices and sales rise together."""
    product, week = (each.ravel() for each in np.meshgrid(np.arange(products), np.arange(weeks)))
    high = np.sin(week / 3)
    change = np.where(rng.random(len(week)) < 0.3, np.log(0.8), 0.0) + 0.1 * season * high
    slopes = slope + spread * rng.normal(size=products)
    logs = 3 - 0.08 * product + season * high + slopes[product] * change
    mean = np.exp(logs) * rng.gamma(5, 0.2, len(week))
    return (
        Sales(
            product=product,
            period=week,
            quantity=rng.poisson(mean) * 1.0,
            mover=np.log(5.0 + product) + change,
        ),
        slopes,
    )


def test_the_interval_holds_the_truth_though_seasons_and_products_differ():
    rng = np.random.default_rng(1)
    found = [estimate_elasticity(market(rng, season=0.5)[0]) for _ in range(60)]
    assert sum(each.slope.low <= -1.5 <= each.slope.high for each in found) >= 51
    assert np.mean([each.slope.value for each in found]) == pytest.approx(-1.5, abs=0.06)


def together(rng, products, weeks=24, sizes=0.0, common=0.0):
    """A market in which prices stay for weeks and what else moves a product does too.

    Products differ in what they sell by ``sizes``; ``common`` moves all of them, each as it may.
    """
    product, week = (each.ravel() for each in np.meshgrid(np.arange(products), np.arange(weeks)))
    price, other = np.zeros((weeks, products)), np.zeros((weeks, products))
    shared = np.zeros(weeks)
    for at in range(1, weeks):
        changed = rng.random(products) < 0.25
        price[at] = np.where(changed, np.log(rng.choice([0.7, 0.85, 1.0], products)), price[at - 1])
        other[at] = 0.7 * other[at - 1] + rng.normal(0, 0.2, products)
        shared[at] = 0.7 * shared[at - 1] + rng.normal(0, common)
    other += rng.uniform(0.3, 1.7, products) * shared[:, None]
    mean = np.exp(3.5 + rng.normal(0, sizes, products) - 1.5 * price + other).ravel()
    return Sales(
        product=product, period=week, quantity=rng.poisson(mean) * 1.0, mover=price.ravel() + 1
    )


@pytest.mark.parametrize(
    ("products", "sizes", "common"),
    [(4, 0.0, 0.0), (5, 0.0, 0.0), (5, 0.0, 0.3), (14, 0.0, 0.0), (14, 1.2, 0.0), (40, 1.2, 0.0)],
)
def test_few_products_whose_weeks_go_together_have_honest_intervals(products, sizes, common):
    rng = np.random.default_rng(4)
    found = [
        estimate_elasticity(together(rng, products, sizes=sizes, common=common)) for _ in range(60)
    ]
    assert sum(each.slope.low <= -1.5 <= each.slope.high for each in found) >= 54
    assert not any(each.warnings for each in found)


def test_the_slope_without_a_product_is_that_of_a_fit_without_it():
    """Against least squares with a column each product and period, by the same weights."""
    sales = together(np.random.default_rng(8), 5, sizes=1.0)
    slope, expected, moved, _ = climb(sales)
    working = np.log(expected) + sales.quantity / expected - 1
    without = []
    for left_out in range(5):
        rows = sales.product != left_out
        columns = [sales.mover[rows]]
        columns += [(sales.product[rows] == place) * 1.0 for place in range(5)]
        columns += [(sales.period[rows] == place) * 1.0 for place in range(1, 24)]
        root = np.sqrt(expected[rows])
        design = np.column_stack(columns) * root[:, None]
        without.append(np.linalg.lstsq(design, working[rows] * root, rcond=None)[0][0])
    found = error_of(Slope(value=slope, expected=expected, moved=moved), sales)
    error = np.sqrt(np.sum((np.array(without) - slope) ** 2) * 4 / 5)
    assert found.error == pytest.approx(error, rel=1e-6)


def test_one_product_that_weighs_most_makes_the_interval_that_of_few_products():
    rng = np.random.default_rng(9)
    alike, uneven = together(rng, 12), together(rng, 12)
    most = np.where(uneven.product == 0, 200.0, 1.0)
    uneven = Sales(
        product=uneven.product,
        period=None,
        quantity=uneven.quantity * most,
        mover=uneven.mover,
    )
    far = []
    for sales in (alike, uneven):
        slope, expected, moved, _ = climb(sales)
        far.append(error_of(Slope(value=slope, expected=expected, moved=moved), sales).far)
    assert far[0] < 2.4
    assert far[1] > 4


def test_fewer_than_three_products_are_refused_and_so_is_one_that_says_it_all():
    rng = np.random.default_rng(10)
    with pytest.raises(Refused, match="2 products sold and changed in price"):
        estimate_elasticity(together(rng, 2, weeks=60))
    sales = together(rng, 3, weeks=60)
    # The prices of the other two only ever change together.
    shared = np.where(sales.product == 0, sales.mover, np.log(2.0 + sales.period % 3))
    alone = Sales(product=sales.product, period=sales.period, quantity=sales.quantity, mover=shared)
    with pytest.raises(Refused, match="without one of the products nothing is left"):
        estimate_elasticity(alone)


def test_without_periods_a_season_looks_like_price():
    rng = np.random.default_rng(2)
    sales, _ = market(rng, season=0.5)
    alone = Sales(product=sales.product, period=None, quantity=sales.quantity, mover=sales.mover)
    assert estimate_elasticity(alone).slope.value > estimate_elasticity(sales).slope.value + 0.3


def test_it_is_the_top_of_the_poisson_likelihood():
    """Against a fit with one column a product and a period, by plain Newton steps."""
    rng = np.random.default_rng(3)
    sales, _ = market(rng, products=6, weeks=12)
    columns = [sales.mover]
    columns += [(sales.product == place) * 1.0 for place in range(6)]
    columns += [(sales.period == place) * 1.0 for place in range(1, 12)]
    design = np.column_stack(columns)
    weights = np.linalg.lstsq(design, np.log(sales.quantity + 1), rcond=None)[0]
    for _ in range(30):
        mean = np.exp(design @ weights)
        step = np.linalg.solve((design.T * mean) @ design, design.T @ (sales.quantity - mean))
        weights = weights + step
    assert estimate_elasticity(sales).slope.value == pytest.approx(weights[0], abs=1e-5)


def test_products_of_their_own_are_drawn_to_the_common_slope_and_come_nearer_the_truth():
    rng = np.random.default_rng(4)
    sales, slopes = market(rng, products=60, weeks=40, spread=0.7)
    found = estimate_elasticity(sales)
    assert found.spread == pytest.approx(0.7, abs=0.35)
    own = np.mean((found.own - slopes) ** 2)
    shrunk = np.mean((found.shrunk - slopes) ** 2)
    assert shrunk < own
    alike, _ = market(rng, products=60, weeks=40)
    assert estimate_elasticity(alike).spread < 0.4


def test_prices_that_never_change_and_prices_that_all_change_at_once_are_refused():
    rng = np.random.default_rng(5)
    sales, _ = market(rng)
    fixed = Sales(
        product=sales.product,
        period=sales.period,
        quantity=sales.quantity,
        mover=np.log(5.0 + sales.product),
    )
    with pytest.raises(Refused, match="0 of 750 rows"):
        estimate_elasticity(fixed)
    together = Sales(
        product=sales.product,
        period=sales.period,
        quantity=sales.quantity,
        mover=np.log(5.0 + sales.product) - 0.2 * (sales.period % 3),
    )
    with pytest.raises(Refused, match="all products at once"):
        estimate_elasticity(together)


def test_nobody_drew_the_prices_and_the_answer_says_so(tmp_path):
    price = load_file_estimates()["price"]
    example = price.example(np.random.default_rng(6), 600)
    path = write_example(tmp_path / "sales.csv", example)
    drawn = run_on(price, path, example.options).answer
    assert drawn.result["slope"]["value"] == pytest.approx(-2, abs=0.4)
    assert drawn.result["is_causal"]
    assert drawn.warnings == []
    found = run_on(price, path, {**example.options, "random": False}).answer
    assert not found.result["is_causal"]
    assert any("nobody drew" in warning for warning in found.warnings)
    without = {key: value for key, value in example.options.items() if key != "period"}
    assert any(
        "products as independent" in each for each in run_on(price, path, without).answer.warnings
    )
    with pytest.raises(Invalid, match="named by --price and --discount"):
        run_on(price, path, {**example.options, "discount": "price"})
