"""Scores of all customers, computed from their orders and kept, one row a score."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts import ModelRun, Score
from amity.analysis.estimator import (
    Column,
    Estimator,
    Fit,
    FloatArray,
    Histories,
    Predictions,
    Refused,
    Transactions,
)
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.estimators.pareto_nbd import ParetoNbd
from amity.analysis.estimators.rfm import Rfm, RfmFit
from amity.analysis.logic.calibration import Calibration, as_report, calibrate
from amity.analysis.logic.lifetime_value import (
    YEARLY_DISCOUNT_RATE,
    discounted_purchases,
    expected_value,
    months_ahead,
)
from amity.analysis.logic.lifetimes.doubts import (
    describe_drift,
    describe_few,
    describe_moved_rate,
)
from amity.analysis.logic.lifetimes.waiting import QUANTILES, chance_of_none, wait_days
from amity.analysis.logic.scoring.keeping import ScoreRow, replace_scores
from amity.analysis.logic.scoring.orders_coming import remember_orders, settle_orders
from amity.analysis.logic.scoring.profits import score_profit
from amity.analysis.logic.transactions import summarise
from amity.analysis.logic.working.doing import Doing
from amity.infra.columns import fetch_columns
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.infra.queries import load
from amity.kernel.errors import NotFound
from amity.kernel.money import exponent_of

PURCHASE_HORIZON_DAYS: Final = 90
VALUE_MONTHS: Final = 12
UNIT_DAYS: Final = 7
_STEPS: Final = 4
_EPOCH: Final = date(1970, 1, 1)
LOCK: Final = "amity.analysis.scores"
SCORES: Final = frozenset(
    {
        "rfm",
        "p_alive",
        "expected_purchases",
        "churn",
        "next_purchase_days",
        "next_basket",
        "clv",
        "profit",
    }
)
"""The scores that `refresh_scores` makes."""
_LONGEST_WAIT: Final = 36_525.0


class _Run(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One estimator's result before it is kept: parameters, report and columns of scores."""

    estimator: str
    customers: int
    parameters: dict[str, float]
    report: dict[str, Any]
    columns: dict[str, Column]


def refresh_scores(*, now: datetime, doing: Doing) -> list[ModelRun]:
    """Fit every estimator to all orders up to ``now`` and replace all scores, in one transaction.

    What the data cannot carry is left out, and the report of its run says why.  Readers see the
    old scores until the new ones are complete; two refreshes wait for each other.
    """
    currency = settings().currency
    with transaction() as connection, doing.over(connection):
        sql = load("amity.analysis")
        connection.execute(sql["scores_lock"], [LOCK])
        doing.tell(0, _STEPS, "reading all orders")
        transactions, foreign = read_orders(connection, now, currency)
        histories = summarise(transactions, until=day_of(now))
        doing.tell(1, _STEPS, "fitting the models and trying them on time held out")
        runs = _compute(transactions, histories, now, foreign)
        doing.tell(2, _STEPS, "writing down the scores")
        kept = [_record(connection, run, now) for run in runs]
        rows = _rows(histories, runs, [run.model_run_id for run in kept])
        replace_scores(connection, names=SCORES, rows=rows)
        doing.tell(3, _STEPS, "comparing earlier predictions with what came")
        settle_orders(connection, transactions, now=now)
        for run, model_run in zip(runs, kept, strict=True):
            remember_orders(
                connection,
                {name: column.value for name, column in run.columns.items()},
                profile_id=histories.customer_id,
                model_run_id=model_run.model_run_id,
                now=now,
            )
    return kept


def list_latest_runs() -> list[ModelRun]:
    """Return the latest fitting of each estimator of purchases that was computed."""
    found = []
    for kind in (Rfm, BgNbd, GammaGamma, ParetoNbd):
        with suppress(NotFound):
            found.append(get_latest_run(estimator=kind.name))
    return found


def list_scores(*, profile_id: int) -> list[Score]:
    """Return the scores of a profile, by name; none when it has never ordered."""
    with transaction("readonly") as connection:
        rows = connection.execute(load("amity.analysis")["scores_list"], [profile_id]).fetchall()
    return [
        Score(
            profile_id=profile_id,
            name=name,
            value=value,
            label=label,
            low=low,
            high=high,
            percentile=percentile,
            computed_at=computed_at,
        )
        for name, value, label, low, high, percentile, computed_at in rows
    ]


def get_latest_run(*, estimator: str) -> ModelRun:
    """Return the latest fitting of an estimator; raise NotFound when there is none yet."""
    with transaction("readonly") as connection:
        row = connection.execute(load("amity.analysis")["scores_latest"], [estimator]).fetchone()
    if row is None:
        raise NotFound(f"{estimator!r} has not been computed yet", code="no_model_run")
    run_id, computed_at, customers, parameters, report = row
    return ModelRun(
        model_run_id=run_id,
        estimator=estimator,
        computed_at=computed_at,
        customers=customers,
        parameters=parameters,
        report=report,
    )


def read_orders(
    connection: Connection,
    now: datetime,
    currency: str,
    *,
    profile_ids: Sequence[int] | None = None,
) -> tuple[Transactions, int]:
    """Return all orders as purchases, or some customers', and how many are in another currency."""
    sql = load("amity.analysis")
    query = sql["scores_orders"]
    given: list[Any] = [currency, currency, now]
    if profile_ids is not None:
        query, given = sql["scores_orders_of"], [*given, list(profile_ids)]
    profile, day, amount, foreign = fetch_columns(connection, query, given, width=4)
    purchases = Transactions(
        customer_id=profile,
        day=day,
        amount=amount,
        minor_per_unit=10 ** exponent_of(currency),
    )
    return purchases, int(foreign.sum())


def day_of(moment: datetime) -> int:
    """Return the day of a moment (UTC), as purchases count days."""
    return (moment.astimezone(UTC).date() - _EPOCH).days


def _compute(
    transactions: Transactions, histories: Histories, now: datetime, foreign: int
) -> list[_Run]:
    bgnbd, pareto = BgNbd(unit_days=UNIT_DAYS), ParetoNbd(unit_days=UNIT_DAYS)
    buying, buying_run = _fit(bgnbd, histories)
    spending, spending_run = _fit(GammaGamma(unit_days=UNIT_DAYS), histories)
    _, rfm_run = _fit(Rfm(unit_days=UNIT_DAYS), histories)
    rival_run = _second_opinion(pareto, transactions, histories, now)
    if foreign:
        warning = f"{foreign} orders in other currencies count as purchases of no amount"
        spending_run.report["warnings"] = [*spending_run.report.get("warnings", []), warning]
    if buying is not None:
        until = day_of(now)
        buying_run.report["calibration"] = _try_calibration(transactions, until, bgnbd)
        buying_run.report["warnings"] = [
            *buying_run.report["warnings"],
            *_doubts(transactions, histories, until, buying_run),
        ]
        alive = buying_run.columns["p_alive"].value
        buying_run.columns.update(predict_waiting(buying, histories, alive))
        buying_run.report["typical"] = _typical_of(histories)
    if buying is not None and spending is not None:
        spend = spending_run.columns["expected_spend"]
        clv = predict_value(buying, histories, buying_run.columns["p_alive"].value, spend)
        spending_run.columns["clv"] = clv
        spending_run.report["clv"] = {
            "months": VALUE_MONTHS,
            "yearly_discount_rate": YEARLY_DISCOUNT_RATE,
            "total": float(clv.value.sum()),
        }
        profit, told = score_profit((buying, spending), histories)
        spending_run.report["profit"] = told
        if profit is not None:
            spending_run.columns["profit"] = profit
    if "expected_spend" in spending_run.columns:
        spending_run.columns["next_basket"] = spending_run.columns.pop("expected_spend")
    return [rfm_run, buying_run, spending_run, rival_run]


def _typical_of(histories: Histories) -> dict[str, float]:
    """Return the medians of those who came back, which `scoring.reasons` compares with."""
    back = histories.take(histories.frequency > 0)
    if not len(back):
        return {}
    return {
        "frequency": float(np.median(back.frequency)),
        "silent_days": float(np.median(back.age_days - back.recency_days)),
        "age_days": float(np.median(back.age_days)),
        "spend": float(np.median(back.spend)),
    }


def _second_opinion(
    estimator: Estimator, transactions: Transactions, histories: Histories, now: datetime
) -> _Run:
    """Fit a rival of the model whose scores are used, for its check alone: no scores of its own."""
    fit, run = _fit(estimator, histories)
    if fit is not None:
        until = day_of(now)
        run.report["calibration"] = _try_calibration(transactions, until, estimator)
    return msgspec.structs.replace(run, columns={})


def _doubts(transactions: Transactions, histories: Histories, until: int, run: _Run) -> list[str]:
    doubts = [*describe_few(histories), *describe_drift(transactions, histories, until=until)]
    calibration = run.report["calibration"]
    if not calibration.get("refused"):
        doubts += describe_moved_rate(msgspec.convert(calibration, Calibration))
    return doubts


def predict_waiting(fit: Fit, histories: Histories, alive: FloatArray) -> dict[str, Column]:
    """Return the chance to buy nothing within the horizon, and the wait for the next purchase."""
    low, middle, high = (
        np.minimum(wait_days(fit, histories, quantile), _LONGEST_WAIT) for quantile in QUANTILES
    )
    return {
        "churn": Column(value=chance_of_none(fit, histories, alive, PURCHASE_HORIZON_DAYS)),
        "next_purchase_days": Column(value=middle, low=low, high=high),
    }


def _fit(estimator: Estimator, histories: Histories) -> tuple[Fit | None, _Run]:
    """Fit one estimator and predict; a refusal becomes a run without scores."""
    try:
        fit = estimator.fit(histories)
    except Refused as error:
        refusal = {"refused": error.message}
        return None, _Run(
            estimator=estimator.name,
            customers=len(histories),
            parameters={},
            report=refusal,
            columns={},
        )
    found: Predictions = estimator.predict(fit, histories, horizon_days=PURCHASE_HORIZON_DAYS)
    report: dict[str, Any] = {
        "version": estimator.version,
        "unit_days": fit.unit_days,
        "log_likelihood": fit.log_likelihood,
        "standard_errors": fit.standard_errors,
        "covariance": fit.covariance,
        "iterations": fit.iterations,
        "warnings": fit.warnings,
        "details": fit.details,
    }
    if isinstance(fit, RfmFit):
        report["cuts"] = fit.cuts
    if estimator.capabilities.uses_horizon:
        report["horizon_days"] = PURCHASE_HORIZON_DAYS
    return fit, _Run(
        estimator=estimator.name,
        customers=fit.customers,
        parameters=fit.parameters,
        report=report,
        columns=dict(found.columns),
    )


def _try_calibration(
    transactions: Transactions, until: int, estimator: Estimator
) -> dict[str, Any]:
    try:
        return as_report(calibrate(transactions, until=until, estimator=estimator))
    except Refused as error:
        return {"refused": error.message}


def predict_value(fit: Fit, histories: Histories, alive: FloatArray, spend: Column) -> Column:
    """Return the value of twelve months, discounted, with the interval of its purchases."""
    year = BgNbd(unit_days=UNIT_DAYS).predict(
        fit, histories, horizon_days=VALUE_MONTHS * 365.25 / 12
    )
    ends, factors = months_ahead(VALUE_MONTHS)
    return expected_value(
        year.columns["expected_purchases"],
        spend,
        alive,
        discounted_purchases(fit, histories, ends=ends, factors=factors),
    )


def _record(connection: Connection, run: _Run, now: datetime) -> ModelRun:
    row = connection.execute(
        load("amity.analysis")["scores_record"],
        [
            run.estimator,
            now,
            run.customers,
            msgspec.json.encode(run.parameters).decode(),
            msgspec.json.encode(run.report).decode(),
        ],
    ).fetchone()
    assert row is not None
    return ModelRun(
        model_run_id=row[0],
        estimator=run.estimator,
        computed_at=now,
        customers=run.customers,
        parameters=run.parameters,
        report=run.report,
    )


def _rows(histories: Histories, runs: list[_Run], run_ids: list[int]) -> Iterator[ScoreRow]:
    for run, run_id in zip(runs, run_ids, strict=True):
        for name, column in run.columns.items():
            yield from score_rows(histories, name, column, run_id)


def score_rows(histories: Histories, name: str, column: Column, run_id: int) -> Iterator[ScoreRow]:
    """Return a score of everybody as rows to be kept."""
    customers = histories.customer_id.tolist()
    for customer, value, label, low, high in zip(
        customers,
        column.value.tolist(),
        column.labels or [""] * len(customers),
        _bounds(column.low, len(customers)),
        _bounds(column.high, len(customers)),
        strict=True,
    ):
        yield customer, name, value, label, low, high, run_id


def _bounds(values: FloatArray | None, size: int) -> Iterable[float | None]:
    return [None] * size if values is None else values.tolist()
