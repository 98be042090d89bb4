"""The models of orders as the last refresh left them, and what they say of some customers.

Fitting a model takes all orders; predicting some customers takes theirs. So whoever did something
since, or asks why a score is what it is, is predicted with the parameters there are.
"""

from typing import Any, Final

import msgspec

from amity.analysis.estimator import Column, Fit, FloatArray, Histories
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.estimators.rfm import Rfm, RfmFit
from amity.analysis.logic.scores import PURCHASE_HORIZON_DAYS, predict_value, predict_waiting
from amity.analysis.logic.scoring.profits import score_profit
from amity.infra.database import Connection
from amity.infra.queries import load

_SQL: Final = load("amity.analysis")


class Fits(msgspec.Struct, frozen=True, kw_only=True):
    """The models of the last refresh, each with its run; those it had to refuse are None."""

    runs: dict[str, int]
    rfm: RfmFit | None
    buying: Fit | None
    spending: Fit | None
    typical: dict[str, float]
    """The facts of a typical customer; see `scoring.reasons`."""


def find_fits(connection: Connection) -> Fits:
    """Return the models of the last refresh; none before a first one."""
    runs: dict[str, int] = {}
    fits: dict[str, Fit] = {}
    typical: dict[str, float] = {}
    for name in ("rfm", "bgnbd", "gamma_gamma"):
        row = connection.execute(_SQL["scores_latest"], [name]).fetchone()
        if row is None or not row[3]:
            continue
        run_id, _, customers, parameters, report = row
        runs[name] = run_id
        fits[name] = _fit_of(name, customers, parameters, report)
        typical = typical | (report.get("typical") or {})
    rfm = fits.get("rfm")
    return Fits(
        runs=runs,
        rfm=rfm if isinstance(rfm, RfmFit) and rfm.cuts else None,
        buying=fits.get("bgnbd"),
        spending=fits.get("gamma_gamma"),
        typical=typical,
    )


def _fit_of(name: str, customers: int, parameters: dict[str, float], report: dict[str, Any]) -> Fit:
    kept = {
        "estimator": name,
        "unit_days": report["unit_days"],
        "parameters": parameters,
        "customers": customers,
        "covariance": report.get("covariance") or [],
    }
    if name == "rfm":
        # A run of before its cuts were kept cannot rate anybody.
        return RfmFit(**kept, cuts=report.get("cuts") or [])
    return Fit(**kept)


def predict_scores(fits: Fits, histories: Histories) -> dict[str, tuple[str, Column]]:
    """Return the scores the models make of some histories: by name, the model and the column."""
    found: dict[str, tuple[str, Column]] = {}
    if not len(histories):
        return found
    if fits.rfm is not None:
        rated = Rfm(unit_days=fits.rfm.unit_days).predict(fits.rfm, histories, horizon_days=0)
        found["rfm"] = ("rfm", rated.columns["rfm"])
    alive = None
    if fits.buying is not None:
        alive, buying = _predict_buying(fits.buying, histories)
        found |= {name: ("bgnbd", column) for name, column in buying.items()}
    if fits.spending is not None:
        spend = _predict_basket(fits.spending, histories)
        found["next_basket"] = ("gamma_gamma", spend)
        if fits.buying is not None and alive is not None:
            worth = _predict_worth((fits.buying, fits.spending), histories, alive, spend)
            found |= {name: ("gamma_gamma", column) for name, column in worth.items()}
    return found


def _predict_buying(fit: Fit, histories: Histories) -> tuple[FloatArray, dict[str, Column]]:
    found = BgNbd(unit_days=fit.unit_days).predict(
        fit, histories, horizon_days=PURCHASE_HORIZON_DAYS
    )
    alive = found.columns["p_alive"].value
    return alive, {**found.columns, **predict_waiting(fit, histories, alive)}


def _predict_basket(fit: Fit, histories: Histories) -> Column:
    estimator = GammaGamma(unit_days=fit.unit_days)
    return estimator.predict(fit, histories, horizon_days=0).columns["expected_spend"]


def _predict_worth(
    fits: tuple[Fit, Fit], histories: Histories, alive: FloatArray, spend: Column
) -> dict[str, Column]:
    columns = {"clv": predict_value(fits[0], histories, alive, spend)}
    profit, _ = score_profit(fits, histories)
    return columns if profit is None else {**columns, "profit": profit}
