"""Customer lifetime value of a file of purchases, without any store."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.contracts import ClvEstimate, FileCounts, FittedModel
from amity.analysis.estimator import Fit, Histories, Refused
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic.clv_file_reading import Columns, Purchases, read_purchases
from amity.analysis.logic.clv_file_writing import CustomerTable, write_customers
from amity.analysis.logic.lifetime_value import expected_value
from amity.analysis.logic.transactions import summarise
from amity.kernel.errors import Invalid

Unit = Literal["day", "week"]
UNIT_DAYS: Final[dict[Unit, int]] = {"day": 1, "week": 7}
DEFAULT_HORIZON: Final[dict[Unit, int]] = {"day": 90, "week": 13}
_EPOCH: Final = date(1970, 1, 1)
_MAX_HORIZON_DAYS: Final = 36_525


class ClvRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to estimate: the file, its columns, the unit of time, the last day, the horizon."""

    path: Path
    columns: Columns
    unit: Unit = "day"
    until: date | None = None
    horizon: float | None = None
    out: Path | None = None


def estimate_clv_file(request: ClvRequest, *, now: datetime) -> ClvEstimate:
    """Fit BG/NBD, and Gamma-Gamma when there are amounts, and write a row a customer if asked.

    Raises Invalid for a file or an option that makes no sense, Refused when BG/NBD cannot be
    fitted.  When only Gamma-Gamma cannot, its reason stands in the answer and values are left out.
    """
    horizon = _horizon(request)
    if request.out is not None and _same_file(request.path, request.out):
        raise Invalid("the file to write is the file to read")
    purchases = read_purchases(request.path, request.columns)
    until = _until(request, purchases)
    histories = summarise(purchases.transactions, until=until)
    estimated = _estimate(request, purchases, histories, horizon)
    if request.out is not None:
        write_customers(request.out, estimated.table)
    answer = _answer(request, purchases, estimated, until)
    if request.until is None and answer.until > now.astimezone(UTC).date():
        warning = f"the last date, {answer.until}, lies in the future: is it a slip?"
        answer = msgspec.structs.replace(answer, warnings=[*answer.warnings, warning])
    return answer


class _Estimated(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fits, what they predict, and why there are no values if there are none."""

    table: CustomerTable
    fits: dict[str, Fit]
    refused: str
    horizon: float


def _horizon(request: ClvRequest) -> float:
    horizon = request.horizon
    if horizon is None:
        return DEFAULT_HORIZON[request.unit]
    if not 0 < horizon * UNIT_DAYS[request.unit] <= _MAX_HORIZON_DAYS:
        raise Invalid("the horizon must be above zero and at most a hundred years")
    return horizon


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _until(request: ClvRequest, purchases: Purchases) -> int:
    if request.until is not None:
        return (request.until - _EPOCH).days
    if not purchases.used:
        raise Refused(f"{request.path.name} has no usable row{_first_reason(purchases)}")
    return int(purchases.transactions.day.max())


def _first_reason(purchases: Purchases) -> str:
    if not purchases.rejected:
        return ""
    first = purchases.rejected[0]
    return (
        f"; {purchases.rejected_count} of {purchases.rows} were rejected, "
        f"the first (row {first.row}) because {first.reason}"
    )


def _counts(purchases: Purchases, histories: Histories, until: int) -> FileCounts:
    after = int(np.count_nonzero(purchases.transactions.day > until))
    return FileCounts(
        rows=purchases.rows,
        used=purchases.used - after,
        rejected=purchases.rejected_count,
        after_until=after,
        customers=len(histories),
        repeaters=int(np.count_nonzero(histories.frequency)),
        transactions=int(histories.frequency.sum()) + len(histories),
    )


def _estimate(
    request: ClvRequest, purchases: Purchases, histories: Histories, horizon: float
) -> _Estimated:
    unit_days = UNIT_DAYS[request.unit]
    horizon_days = horizon * unit_days
    bgnbd, gamma_gamma = BgNbd(unit_days=unit_days), GammaGamma(unit_days=unit_days)
    try:
        fits = {"bgnbd": bgnbd.fit(histories)}
    except Refused as error:
        raise Refused(f"{error.message}{_first_reason(purchases)}") from error
    columns = bgnbd.predict(fits["bgnbd"], histories, horizon_days=horizon_days).columns
    alive, expected = columns["p_alive"], columns["expected_purchases"]
    value, refused = None, ""
    if request.columns.amount is not None:
        try:
            fits["gamma_gamma"] = fit = gamma_gamma.fit(histories)
        except Refused as error:
            refused = error.message
        else:
            spend = gamma_gamma.predict(fit, histories, horizon_days=horizon_days)
            value = expected_value(expected, spend.columns["expected_spend"], alive.value)
    table = CustomerTable(
        names=purchases.names,
        unit_days=unit_days,
        histories=histories,
        alive=alive,
        purchases=expected,
        value=value,
    )
    return _Estimated(table=table, fits=fits, refused=refused, horizon=horizon)


def _answer(
    request: ClvRequest, purchases: Purchases, estimated: _Estimated, until: int
) -> ClvEstimate:
    table, fits = estimated.table, estimated.fits
    models = {name: _as_model(fit) for name, fit in fits.items()}
    warnings = [warning for fit in fits.values() for warning in fit.warnings]
    if estimated.refused:
        models["gamma_gamma"] = FittedModel(
            parameters={},
            standard_errors={},
            log_likelihood=None,
            customers=0,
            warnings=[],
            refused=estimated.refused,
        )
        warnings.append(f"no values: {estimated.refused}")
    log_likelihood = fits["bgnbd"].log_likelihood
    assert log_likelihood is not None
    return ClvEstimate(
        unit=request.unit,
        until=_EPOCH + timedelta(days=until),
        horizon=estimated.horizon,
        counts=_counts(purchases, table.histories, until),
        parameters=_joined([fit.parameters for fit in fits.values()]),
        standard_errors=_joined([fit.standard_errors for fit in fits.values()]),
        log_likelihood=log_likelihood,
        expected_purchases=float(table.purchases.value.sum()),
        expected_value=None if table.value is None else float(table.value.value.sum()),
        models=models,
        warnings=warnings,
        rejected=purchases.rejected,
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
