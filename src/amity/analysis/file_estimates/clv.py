"""`amity estimate clv`: customer lifetime value of a file of purchases."""

from datetime import datetime

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import ClvEstimate, FittedModel
from amity.analysis.estimator import Column, Fit, Refused
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutColumn,
    OutTable,
    Table,
)
from amity.analysis.logic.files.forecasts import (
    Forecast,
    as_limits,
    as_model,
    bound,
    forecast,
    history_columns,
    say_limits,
)
from amity.analysis.logic.files.profits import (
    PROFIT_OPTIONS,
    ProfitAnswer,
    answer_profit,
    is_asked,
)
from amity.analysis.logic.files.purchases import (
    AMOUNT,
    CURRENCY,
    CUSTOMER,
    DATE,
    HORIZON,
    UNIT,
    UNTIL,
    Purchases,
    as_purchases,
)
from amity.analysis.logic.files.shops import make_shop
from amity.analysis.logic.lifetime_value import expected_value
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.totals import total_value
from amity.analysis.logic.model_cards import BGNBD, GAMMA_GAMMA, join_cards
from amity.kernel.estimate import Estimate


@FILE_ESTIMATES.register("clv")
class Clv(FileEstimator):
    """Fits BG/NBD (who still buys, how often) and, with amounts, Gamma-Gamma (how much)."""

    name = "clv"
    summary = "Estimate customer lifetime value from FILE, a CSV file with a line a purchase."
    card = join_cards(
        "Lifetime value: BG/NBD and Gamma-Gamma",
        "What each customer of a business without contracts will probably buy within a horizon, "
        "whether he or she still is a customer, and what that is worth.",
        BGNBD,
        GAMMA_GAMMA,
    )
    options = (CUSTOMER, DATE, AMOUNT, CURRENCY, UNIT, UNTIL, HORIZON, *PROFIT_OPTIONS)

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        wants_profit = is_asked(options)
        purchases = as_purchases(table, options, now=now)
        fitted = _fit(purchases, has_amounts=options.is_given("amount"))
        profit = None
        if wants_profit and fitted.spending is not None:
            fits = (fitted.buying.fit, fitted.spending)
            profit = answer_profit(table, options, purchases, fits)
        return Estimated(
            answer=_answer(table, purchases, fitted, profit),
            out=_rows(purchases, fitted, profit),
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        return make_shop(rng, size)


class _Fitted(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fits, what they predict, and why there are no values if there are none."""

    buying: Forecast
    spending: Fit | None
    value: Column | None
    worth: Estimate | None
    """What all together will spend, with 95 % of what will come."""
    refused: str

    @property
    def fits(self) -> dict[str, Fit]:
        """The fits by estimator."""
        found = {"bgnbd": self.buying.fit}
        return found if self.spending is None else {**found, "gamma_gamma": self.spending}


def _fit(purchases: Purchases, *, has_amounts: bool) -> _Fitted:
    buying = forecast(purchases, BgNbd(unit_days=purchases.unit_days))
    spending, value, worth, refused = None, None, None, ""
    if has_amounts:
        gamma_gamma = GammaGamma(unit_days=purchases.unit_days)
        try:
            spending = gamma_gamma.fit(purchases.histories)
        except Refused as error:
            refused = error.message
        else:
            spend = gamma_gamma.predict(
                spending, purchases.histories, horizon_days=purchases.horizon_days
            )
            value = expected_value(
                buying.purchases, spend.columns["expected_spend"], buying.alive.value
            )
            worth = total_value(
                (buying.fit, spending),
                purchases.histories,
                float(value.value.sum()),
                purchases.horizon_days,
            )
    return _Fitted(buying=buying, spending=spending, value=value, worth=worth, refused=refused)


def _answer(
    table: Table, purchases: Purchases, fitted: _Fitted, profit: ProfitAnswer | None
) -> ClvEstimate:
    fits = fitted.fits
    models = {name: as_model(fit) for name, fit in fits.items()}
    warnings = list(fitted.buying.warnings)
    if fitted.spending is not None:
        warnings += fitted.spending.warnings
    if fitted.refused:
        models["gamma_gamma"] = _refused_model(fitted.refused)
        warnings.append(f"no values: {fitted.refused}")
    bought = fitted.buying.expected
    value = None if fitted.value is None else float(fitted.value.value.sum())
    total, worth = fitted.buying.total, fitted.worth
    words = [
        f"Expected purchases of all customers in {purchases.span}: {bought:,.1f}{say_limits(total)}"
    ]
    if value is not None:
        words.append(f"Expected value: {value:,.2f}{say_limits(worth, 2)}")
    return ClvEstimate(
        estimate="clv",
        words=words if profit is None else [*words, *profit.words],
        counts=purchases.counts,
        parameters=_joined([fit.parameters for fit in fits.values()]),
        standard_errors=_joined([fit.standard_errors for fit in fits.values()]),
        intervals=parameter_intervals(fits.values()),
        log_likelihood=fits["bgnbd"].log_likelihood,
        fit={
            name: {"customers": fit.customers, "iterations": fit.iterations, **fit.details}
            for name, fit in fits.items()
        },
        result={} if profit is None else {"profit": profit.result},
        calibration=fitted.buying.calibration,
        card=Clv.card,
        warnings=warnings if profit is None else [*warnings, *profit.warnings],
        rejected=table.rejected,
        unit=purchases.unit,
        until=purchases.until_on,
        horizon=purchases.horizon,
        expected_purchases=bought,
        expected_value=value,
        **as_limits("expected_purchases", total),
        **as_limits("expected_value", worth),
        models=models,
    )


def _refused_model(reason: str) -> FittedModel:
    return FittedModel(
        parameters={},
        standard_errors={},
        log_likelihood=None,
        customers=0,
        warnings=[],
        refused=reason,
    )


def _joined(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: value for part in parts for name, value in part.items()}


def _rows(purchases: Purchases, fitted: _Fitted, profit: ProfitAnswer | None) -> OutTable:
    size, bought = len(purchases.histories), fitted.buying.purchases
    parts: dict[str, OutColumn] = {
        **history_columns(purchases),
        "probability_alive": fitted.buying.alive.value,
        "expected_purchases": bought.value,
        "expected_value": bound(fitted.value, "value", size),
        "expected_purchases_low": bound(bought, "low", size),
        "expected_purchases_high": bound(bought, "high", size),
        "expected_value_low": bound(fitted.value, "low", size),
        "expected_value_high": bound(fitted.value, "high", size),
        **({} if profit is None else profit.columns),
    }
    return OutTable(heads=tuple(parts), columns=tuple(parts.values()))
