"""Scores of customers who have just ordered, by the models of the last refresh: cheap and soon.

Fitting a model takes all orders; predicting one customer takes hers. So between refreshes those who
ordered since are predicted anew with the parameters there are.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from amity.analysis.estimator import Column, Fit, FloatArray, Histories
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic.scores import (
    LOCK,
    PURCHASE_HORIZON_DAYS,
    predict_value,
    predict_waiting,
    read_orders,
)
from amity.analysis.logic.scoring.keeping import ScoreRow, renew_scores
from amity.analysis.logic.scoring.profits import score_profit
from amity.analysis.logic.transactions import summarise
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.infra.queries import load

_EPOCH: Final = date(1970, 1, 1)


class Fits(msgspec.Struct, frozen=True, kw_only=True):
    """The models of the last refresh."""

    since: datetime
    buying_run: int
    buying: Fit
    spending_run: int
    spending: Fit | None
    typical: dict[str, float]
    """The facts of a typical customer; see `scoring.reasons`."""


def refresh_recent_scores(*, now: datetime) -> int:
    """Predict anew who ordered since the last refresh; return of how many customers scores changed.

    Nothing is done before a first refresh, or when its models were refused. RFM, which says where
    somebody stands among all, waits for the next.
    """
    sql = load("amity.analysis")
    with transaction() as connection:
        connection.execute(sql["scores_lock"], [LOCK])
        fits = find_fits(connection)
        if fits is None:
            return 0
        orders, _ = read_orders(connection, now, settings().currency, since=fits.since)
        histories = summarise(orders, until=(now.astimezone(UTC).date() - _EPOCH).days)
        if not len(histories):
            return 0
        alive, columns = _predict_buying(fits.buying, histories)
        rows = list(_rows(histories, columns, fits.buying_run))
        if fits.spending is not None:
            worth = _predict_spending(fits.buying, fits.spending, histories, alive)
            rows += _rows(histories, worth, fits.spending_run)
        return renew_scores(connection, rows)


def find_fits(connection: Connection) -> Fits | None:
    """Return the models of the last refresh; None when there are none or they were refused."""
    buying = _find_fit(connection, "bgnbd")
    if buying is None:
        return None
    spending = _find_fit(connection, "gamma_gamma")
    return Fits(
        since=buying[1],
        buying_run=buying[0],
        buying=buying[2],
        spending_run=0 if spending is None else spending[0],
        spending=None if spending is None else spending[2],
        typical=buying[3],
    )


def predict_scores(buying: Fit, spending: Fit | None, histories: Histories) -> dict[str, Column]:
    """Return the scores the models make of some histories, by name."""
    alive, columns = _predict_buying(buying, histories)
    if spending is not None:
        columns |= _predict_spending(buying, spending, histories, alive)
    return columns


def _find_fit(
    connection: Connection, estimator: str
) -> tuple[int, datetime, Fit, dict[str, float]] | None:
    """Return the latest run with its time, fit and typical customer, if it was not refused."""
    row = connection.execute(load("amity.analysis")["scores_latest"], [estimator]).fetchone()
    if row is None or not row[3]:
        return None
    run_id, computed_at, customers, parameters, report = row
    fit = Fit(
        estimator=estimator,
        unit_days=report["unit_days"],
        parameters=parameters,
        customers=customers,
        covariance=report.get("covariance") or [],
    )
    return run_id, computed_at, fit, report.get("typical") or {}


def _predict_buying(fit: Fit, histories: Histories) -> tuple[FloatArray, dict[str, Column]]:
    found = BgNbd(unit_days=fit.unit_days).predict(
        fit, histories, horizon_days=PURCHASE_HORIZON_DAYS
    )
    alive = found.columns["p_alive"].value
    return alive, {**found.columns, **predict_waiting(fit, histories, alive)}


def _predict_spending(
    buying: Fit, spending: Fit, histories: Histories, alive: FloatArray
) -> dict[str, Column]:
    spend = (
        GammaGamma(unit_days=spending.unit_days)
        .predict(spending, histories, horizon_days=0)
        .columns["expected_spend"]
    )
    columns = {
        "next_basket": spend,
        "clv": predict_value(buying, histories, alive, spend),
    }
    profit, _ = score_profit((buying, spending), histories)
    return columns if profit is None else {**columns, "profit": profit}


def _rows(histories: Histories, columns: dict[str, Column], run_id: int) -> Iterator[ScoreRow]:
    customers = histories.customer_id.tolist()
    for name, column in columns.items():
        ends = [_plain(column.low, len(customers)), _plain(column.high, len(customers))]
        for customer, value, low, high in zip(customers, column.value.tolist(), *ends, strict=True):
            yield customer, name, value, "", low, high, run_id


def _plain(values: FloatArray | None, size: int) -> list[float | None]:
    return [None] * size if values is None else list(values.tolist())
