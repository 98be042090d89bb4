"""A forecast of purchases from a file: one model fitted, checked against time, and doubted."""

from typing import Any

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FittedModel
from amity.analysis.estimator import Column, Estimator, Fit, FloatArray, Refused
from amity.analysis.file_estimate import OutColumn
from amity.analysis.logic.calibration import Calibration, as_report, calibrate
from amity.analysis.logic.files.purchases import Purchases
from amity.analysis.logic.lifetimes.doubts import (
    describe_drift,
    describe_few,
    describe_moved_rate,
)
from amity.analysis.logic.lifetimes.totals import total_purchases
from amity.kernel.estimate import Estimate


class Forecast(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fit, what it predicts of each customer, how it held against time, and what is doubtful."""

    fit: Fit
    alive: Column
    purchases: Column
    total: Estimate | None
    """The purchases to expect of all together, with 95 % of what will come."""
    calibration: dict[str, Any]
    warnings: list[str]

    @property
    def expected(self) -> float:
        """The purchases to expect of all customers together."""
        return float(self.purchases.value.sum())


def forecast(purchases: Purchases, estimator: Estimator) -> Forecast:
    """Fit a model of purchases; raise Refused when they cannot carry it."""
    histories = purchases.histories
    fit = estimator.fit(histories)
    columns = estimator.predict(fit, histories, horizon_days=purchases.horizon_days).columns
    calibration = _check(purchases, estimator)
    warnings = [*fit.warnings, *describe_few(histories)]
    if isinstance(calibration, Calibration):
        warnings += describe_moved_rate(calibration)
    warnings += describe_drift(purchases.transactions, histories, until=purchases.until)
    return Forecast(
        fit=fit,
        alive=columns["p_alive"],
        purchases=columns["expected_purchases"],
        total=total_purchases(
            fit,
            histories,
            float(columns["expected_purchases"].value.sum()),
            purchases.horizon_days,
        ),
        calibration=(
            as_report(calibration)
            if isinstance(calibration, Calibration)
            else {"refused": calibration}
        ),
        warnings=[*warnings, *purchases.warnings],
    )


def _check(purchases: Purchases, estimator: Estimator) -> Calibration | str:
    """Return the check against held-out time, or why there is none."""
    try:
        return calibrate(purchases.transactions, until=purchases.until, estimator=estimator)
    except Refused as error:
        return error.message


def as_model(fit: Fit) -> FittedModel:
    """Return a fit as answers show it."""
    return FittedModel(
        parameters=fit.parameters,
        standard_errors=fit.standard_errors,
        log_likelihood=fit.log_likelihood,
        customers=fit.customers,
        warnings=fit.warnings,
        details=fit.details,
    )


def history_columns(purchases: Purchases) -> dict[str, OutColumn]:
    """Return the columns that say who a row is about and what is known of him or her."""
    histories = purchases.histories
    return {
        "customer": purchases.customers(),
        "frequency": histories.frequency,
        "recency": purchases.in_units(histories.recency_days),
        "T": purchases.in_units(histories.age_days),
    }


def as_limits(name: str, total: Estimate | None) -> dict[str, Any]:
    """Return the two ends of a total as results have them."""
    return {
        f"{name}_low": None if total is None else total.low,
        f"{name}_high": None if total is None else total.high,
    }


def say_limits(total: Estimate | None, decimals: int = 0) -> str:
    """Return the interval of a total, to stand after it; nothing where there is none."""
    if total is None:
        return ""
    return f" (95 % interval {total.low:,.{decimals}f} to {total.high:,.{decimals}f})"


def bound(column: Column | None, part: str, size: int) -> FloatArray:
    """Return the value or one end of the interval of a column, NaN where there is none."""
    values: FloatArray | None = None if column is None else getattr(column, part)
    return np.full(size, np.nan) if values is None else values
