"""`amity estimate price`: how far what is bought follows price, or discount."""

import math
from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutTable,
    Table,
)
from amity.analysis.logic.pricing.elasticity import Z95, Elasticity, estimate_elasticity
from amity.analysis.logic.pricing.sales import Sales
from amity.kernel.errors import Invalid
from amity.kernel.estimate import Estimate

_DISCOUNT_STEP: Final = 0.1

CARD: Final = ModelCard(
    title="Price and discount sensitivity",
    purpose="To say by how much quantities change when a price, or a discount, changes.",
    assumes=[
        "The slope is the same at all prices seen, and products do not take sales from each other.",
        "Prices were not set by what was expected to sell anyway, unless they were drawn.",
    ],
    needs=[
        "A row a product and period: its price (or discount) and what was sold, nothing included.",
        "At least 50 rows of products whose price ever changed, 30 of them off the usual price.",
    ],
    refuses=[
        "Prices that hardly ever change, or change for all products at once.",
        "Fewer than 50 rows that say anything.",
    ],
    cannot_know=[
        "What happens at prices never asked.",
        "Whether customers bought earlier what they would have bought later.",
    ],
    sources=[
        "Santos Silva, Tenreyro (2006), The log of gravity, Review of Economics and Statistics 88.",
        "Correia, Guimarães, Zylkin (2020), Fast Poisson estimation with high-dimensional fixed "
        "effects, Stata Journal 20.",
        "Bell, McCaffrey (2002), Bias reduction in standard errors for linear regression with "
        "multi-stage samples, Survey Methodology 28.",
        "Cameron, Miller (2015), A practitioner's guide to cluster-robust inference, Journal of "
        "Human Resources 50.",
        "DerSimonian, Laird (1986), Meta-analysis in clinical trials, Controlled Clinical Trials "
        "7.",
        "Bijmolt, van Heerde, Pieters (2005), New empirical generalizations on the determinants "
        "of price elasticity, Journal of Marketing Research 42.",
    ],
)


@FILE_ESTIMATES.register("price")
class Price(FileEstimator):
    """Compares each product with itself at other prices, periods taken out."""

    name = "price"
    summary = "How far quantities follow price or discount, with intervals."
    card = CARD
    options = (
        Option(
            name="product",
            kind="column",
            cells="name",
            is_required=True,
            help="Column that says what was sold.",
        ),
        Option(
            name="quantity",
            kind="column",
            cells="number",
            is_required=True,
            help="Column that says how much of it.",
        ),
        Option(name="price", kind="column", cells="number", help="Column with its price."),
        Option(
            name="discount",
            kind="column",
            cells="number",
            help="Column with the share taken off, 0 to 1, instead of a price.",
        ),
        Option(
            name="period",
            kind="column",
            cells="name",
            help="Column that says when; what moves all products at once is then taken out.",
        ),
        Option(
            name="random",
            kind="flag",
            help="Prices or discounts were drawn at random, so the effect is theirs.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        if options.is_given("price") == options.is_given("discount"):
            raise Invalid("give --price or --discount, one of the two")
        quantity = table.columns["quantity"].real
        if np.any(quantity < 0):
            raise Refused(
                f"{int(np.sum(quantity < 0)):,} quantities are negative; leave returns out"
            )
        found = estimate_elasticity(
            Sales(
                product=table.columns["product"].whole,
                period=table.columns["period"].whole if options.is_given("period") else None,
                quantity=quantity,
                mover=_mover(table, options),
            )
        )
        return Estimated(answer=_answer(table, options, found), out=_rows(table, found))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        rows: list[tuple[object, ...]] = []
        for place in range(size):
            product, week = place % 20, place // 20
            usual = 2.0 + product * 0.5
            price = usual * (0.8 if rng.random() < 0.3 else 1.0)
            mean = 40.0 * (price / usual) ** -2.0 * (1 + 0.3 * math.sin(week / 4))
            rows.append((f"p{product}", f"w{week}", f"{price:.2f}", int(rng.poisson(mean))))
        return Example(
            heads=("product", "week", "price", "sold"),
            rows=rows,
            options={
                "product": "product",
                "quantity": "sold",
                "price": "price",
                "period": "week",
                "random": True,
            },
        )


def _mover(table: Table, options: Options) -> FloatArray:
    if options.is_given("discount"):
        discount = table.columns["discount"].real
        if np.any((discount < 0) | (discount > 1)):
            raise Invalid("a discount is not in 0..1: 0.2 is a fifth off")
        return discount
    price = table.columns["price"].real
    if np.any(price <= 0):
        raise Refused(f"{int(np.sum(price <= 0)):,} prices are zero or less")
    return np.log(price)


def _answer(table: Table, options: Options, found: Elasticity) -> FileEstimate:
    is_price, is_random = options.is_given("price"), options.is_given("random")
    words = [_say_price(found.slope) if is_price else _say_discount(found.slope)]
    if is_random:
        words.append("The prices are declared to have been drawn, so this is what they cause.")
    warnings = list(found.warnings)
    if not is_random:
        warnings.append(
            "prices that nobody drew follow what was expected to sell (holidays, stock, rivals): "
            "this is how quantities went with prices, not what a price causes; only prices or "
            "discounts drawn at random (--random) tell that"
        )
    if not options.is_given("period"):
        warnings.append(
            "without --period, what moves all products at once (season, promotion) counts as "
            "price, and the interval takes products as independent of each other"
        )
    if found.spread > 0:
        words.append(
            f"Products differ: their own slopes spread by {found.spread:.2f} around the common one."
        )
    return FileEstimate(
        estimate=Price.name,
        words=words,
        counts=table.count(telling_rows=found.rows, telling_products=found.products),
        parameters={"slope": found.slope.value},
        standard_errors={"slope": found.standard_error},
        fit={"telling_rows": found.rows, "telling_products": found.products},
        calibration={
            "refused": "a slope beside what each product and period usually sells foretells no "
            "quantity that rows held out could judge"
        },
        result={
            "mover": "log_price" if is_price else "discount",
            "slope": msgspec.to_builtins(found.slope),
            "spread": found.spread,
            "is_causal": is_random,
        },
        card=CARD,
        warnings=warnings,
        rejected=table.rejected,
    )


def _say_price(slope: Estimate) -> str:
    begin = (
        f"With a price 1 % higher, quantities were {abs(slope.value):.2f} % "
        f"{'lower' if slope.value < 0 else 'higher'} (elasticity {slope.value:.2f}, 95 % interval "
        f"{slope.low:.2f} to {slope.high:.2f})"
    )
    if slope.high < -1:
        return f"{begin}: at lower prices revenue was higher."
    if slope.low > -1:
        return f"{begin}: at higher prices revenue was higher."
    return f"{begin}: whether revenue rose or fell with the price cannot be told."


def _say_discount(slope: Estimate) -> str:
    more, low, high = (
        math.expm1(value * _DISCOUNT_STEP) for value in (slope.value, slope.low, slope.high)
    )
    return (
        f"With a tenth of the price more taken off, quantities were {abs(more):.1%} "
        f"{'higher' if more >= 0 else 'lower'} (95 % interval {low:+.1%} to {high:+.1%})."
    )


def _rows(table: Table, found: Elasticity) -> OutTable:
    names = table.columns["product"].names
    return OutTable(
        heads=("product", "own_slope", "own_error", "slope", "slope_low", "slope_high"),
        columns=(
            [names[place] for place in found.product.tolist()],
            found.own,
            found.own_error,
            found.shrunk,
            found.shrunk - Z95 * found.shrunk_error,
            found.shrunk + Z95 * found.shrunk_error,
        ),
    )
