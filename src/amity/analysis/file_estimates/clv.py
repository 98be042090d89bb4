"""`amity estimate clv`: customer lifetime value of a file of purchases."""

from datetime import datetime

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import ClvEstimate, FittedModel
from amity.analysis.estimator import Column, Fit, FloatArray, Refused
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
from amity.analysis.logic.files.purchases import (
    AMOUNT,
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
from amity.analysis.logic.model_cards import BGNBD, GAMMA_GAMMA, join_cards


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
    options = (CUSTOMER, DATE, AMOUNT, UNIT, UNTIL, HORIZON)

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        purchases = as_purchases(table, options, now=now)
        fitted = _fit(purchases, has_amounts=options.is_given("amount"))
        return Estimated(answer=_answer(table, purchases, fitted), out=_rows(purchases, fitted))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        return make_shop(rng, size)


class _Fitted(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fits, what they predict, and why there are no values if there are none."""

    fits: dict[str, Fit]
    alive: Column
    purchases: Column
    value: Column | None
    refused: str


def _fit(purchases: Purchases, *, has_amounts: bool) -> _Fitted:
    histories, horizon_days = purchases.histories, purchases.horizon_days
    bgnbd = BgNbd(unit_days=purchases.unit_days)
    gamma_gamma = GammaGamma(unit_days=purchases.unit_days)
    fits = {"bgnbd": bgnbd.fit(histories)}
    columns = bgnbd.predict(fits["bgnbd"], histories, horizon_days=horizon_days).columns
    alive, expected = columns["p_alive"], columns["expected_purchases"]
    value, refused = None, ""
    if has_amounts:
        try:
            fits["gamma_gamma"] = fit = gamma_gamma.fit(histories)
        except Refused as error:
            refused = error.message
        else:
            spend = gamma_gamma.predict(fit, histories, horizon_days=horizon_days)
            value = expected_value(expected, spend.columns["expected_spend"], alive.value)
    return _Fitted(fits=fits, alive=alive, purchases=expected, value=value, refused=refused)


def _answer(table: Table, purchases: Purchases, fitted: _Fitted) -> ClvEstimate:
    fits = fitted.fits
    models = {name: _as_model(fit) for name, fit in fits.items()}
    warnings = [warning for fit in fits.values() for warning in fit.warnings]
    if fitted.refused:
        models["gamma_gamma"] = FittedModel(
            parameters={},
            standard_errors={},
            log_likelihood=None,
            customers=0,
            warnings=[],
            refused=fitted.refused,
        )
        warnings.append(f"no values: {fitted.refused}")
    bought = float(fitted.purchases.value.sum())
    value = None if fitted.value is None else float(fitted.value.value.sum())
    words = [f"Expected purchases of all customers in {purchases.span}: {bought:,.1f}"]
    if value is not None:
        words.append(f"Expected value: {value:,.2f}")
    return ClvEstimate(
        estimate="clv",
        words=words,
        counts=purchases.counts,
        parameters=_joined([fit.parameters for fit in fits.values()]),
        standard_errors=_joined([fit.standard_errors for fit in fits.values()]),
        log_likelihood=fits["bgnbd"].log_likelihood,
        card=Clv.card,
        warnings=[*warnings, *purchases.warnings],
        rejected=table.rejected,
        unit=purchases.unit,
        until=purchases.until_on,
        horizon=purchases.horizon,
        expected_purchases=bought,
        expected_value=value,
        models=models,
    )


def _joined(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: value for part in parts for name, value in part.items()}


def _as_model(fit: Fit) -> FittedModel:
    return FittedModel(
        parameters=fit.parameters,
        standard_errors=fit.standard_errors,
        log_likelihood=fit.log_likelihood,
        customers=fit.customers,
        warnings=fit.warnings,
        details=fit.details,
    )


def _rows(purchases: Purchases, fitted: _Fitted) -> OutTable:
    histories = purchases.histories
    parts: dict[str, OutColumn] = {
        "customer": purchases.customers(),
        "frequency": histories.frequency,
        "recency": purchases.in_units(histories.recency_days),
        "T": purchases.in_units(histories.age_days),
        "probability_alive": fitted.alive.value,
        "expected_purchases": fitted.purchases.value,
        "expected_value": _bound(fitted.value, "value", len(histories)),
        "expected_purchases_low": _bound(fitted.purchases, "low", len(histories)),
        "expected_purchases_high": _bound(fitted.purchases, "high", len(histories)),
        "expected_value_low": _bound(fitted.value, "low", len(histories)),
        "expected_value_high": _bound(fitted.value, "high", len(histories)),
    }
    return OutTable(heads=tuple(parts), columns=tuple(parts.values()))


def _bound(column: Column | None, part: str, size: int) -> FloatArray:
    values: FloatArray | None = None if column is None else getattr(column, part)
    return np.full(size, np.nan) if values is None else values
