"""`amity estimate next-purchase`: when each customer buys next, and how large the basket is."""

from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate
from amity.analysis.estimator import Fit, FloatArray, Refused
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
    forecast,
    history_columns,
    say_limits,
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
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.leaving import check_silence, describe_moved_share
from amity.analysis.logic.lifetimes.totals import total_silent
from amity.analysis.logic.lifetimes.waiting import (
    QUANTILES,
    basket_quantile,
    chance_of_none,
    mean_wait_days,
    wait_days,
)
from amity.analysis.logic.model_cards import BGNBD, GAMMA_GAMMA, join_cards
from amity.kernel.estimate import Estimate

_PERCENT: Final = {quantile: f"p{round(100 * quantile)}" for quantile in QUANTILES}


@FILE_ESTIMATES.register("next-purchase")
class NextPurchase(FileEstimator):
    """How long until each customer buys again, and for how much, from BG/NBD and Gamma-Gamma."""

    name = "next-purchase"
    summary = "Estimate when each customer buys next and for how much, from a line a purchase."
    card = join_cards(
        "Next purchase: time and basket",
        "When each customer who still is one buys next, with the times by which a tenth, half and "
        "nine tenths of customers alike have bought, and what the basket will be worth.",
        BGNBD,
        GAMMA_GAMMA,
    )
    options = (CUSTOMER, DATE, AMOUNT, CURRENCY, UNIT, UNTIL, HORIZON)

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        purchases = as_purchases(table, options, now=now)
        estimator = BgNbd(unit_days=purchases.unit_days)
        found = forecast(purchases, estimator)
        none = chance_of_none(
            found.fit, purchases.histories, found.alive.value, purchases.horizon_days
        )
        calibration = check_silence(
            purchases.transactions, until=purchases.until, estimator=estimator
        )
        basket = _Basket.of(purchases) if options.is_given("amount") else None
        told = _tell(purchases, found, none, basket)
        fits = [found.fit, *([basket.fit] if basket is not None and basket.fit else [])]
        answer = FileEstimate(
            estimate=self.name,
            words=told.words,
            counts=purchases.counts,
            parameters={name: value for fit in fits for name, value in fit.parameters.items()},
            standard_errors={
                name: value for fit in fits for name, value in fit.standard_errors.items()
            },
            intervals=parameter_intervals(fits),
            log_likelihood=found.fit.log_likelihood,
            fit=found.fit.details,
            result=told.result,
            calibration=calibration,
            card=self.card,
            warnings=[*found.warnings, *describe_moved_share(calibration), *told.warnings],
            rejected=table.rejected,
        )
        parts = {**_times(purchases, found, none), **_amounts(purchases, basket)}
        return Estimated(
            answer=answer, out=OutTable(heads=tuple(parts), columns=tuple(parts.values()))
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        return make_shop(rng, size)


class _Basket(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of the next baskets, or why nothing is."""

    fit: Fit | None
    mean: FloatArray
    refused: str

    @staticmethod
    def of(purchases: Purchases) -> "_Basket":
        """Fit Gamma-Gamma, if it can be."""
        estimator = GammaGamma(unit_days=purchases.unit_days)
        try:
            fit = estimator.fit(purchases.histories)
        except Refused as error:
            return _Basket(fit=None, mean=np.empty(0), refused=error.message)
        spend = estimator.predict(fit, purchases.histories, horizon_days=0)
        return _Basket(fit=fit, mean=spend.columns["expected_spend"].value, refused="")


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    words: list[str]
    result: dict[str, Any]
    warnings: list[str]


def _tell(purchases: Purchases, found: Forecast, none: FloatArray, basket: _Basket | None) -> _Told:
    """Return what is said of all customers together."""
    histories, unit = purchases.histories, purchases.unit
    buyers = float(len(none) - none.sum())
    silent = total_silent(found.fit, histories, none, purchases.horizon_days)
    back = None if silent is None else _rest_of(len(none), silent)
    again = histories.take(histories.frequency > 0)
    wait = float(np.median(wait_days(found.fit, again, 0.5))) / purchases.unit_days
    words = [
        f"Customers who buy again in {purchases.span}: {buyers:,.0f} of {len(none):,}"
        f"{say_limits(back)}",
        f"Of those who came back before and still buy, half are back within {wait:,.1f} {unit}s",
    ]
    result: dict[str, Any] = {
        "unit": unit,
        "until": purchases.until_on.isoformat(),
        "horizon": purchases.horizon,
        "expected_buyers": buyers,
        **as_limits("expected_buyers", back),
        "median_wait_of_repeaters": wait,
    }
    if basket is None:
        return _Told(words=words, result=result, warnings=[])
    if basket.fit is None:
        return _Told(words=words, result=result, warnings=[f"no baskets: {basket.refused}"])
    mean = float(basket.mean.mean())
    words.append(f"A next basket is worth {mean:,.2f} on average")
    return _Told(
        words=words, result={**result, "expected_basket": mean}, warnings=basket.fit.warnings
    )


def _rest_of(size: int, silent: Estimate) -> Estimate:
    return Estimate(
        value=size - silent.value, low=max(size - silent.high, 0.0), high=size - silent.low
    )


def _times(purchases: Purchases, found: Forecast, none: FloatArray) -> dict[str, OutColumn]:
    fit, histories, unit = found.fit, purchases.histories, purchases.unit_days
    mean = mean_wait_days(fit, histories) / unit
    waits: dict[str, OutColumn] = {
        f"wait_{name}": wait_days(fit, histories, quantile) / unit
        for quantile, name in _PERCENT.items()
    }
    return {
        **history_columns(purchases),
        "probability_alive": found.alive.value,
        "probability_buys_in_horizon": 1 - none,
        # Where no mean exists nothing is written; the quantiles always exist.
        "wait_mean": np.where(np.isfinite(mean), mean, np.nan),
        **waits,
    }


def _amounts(purchases: Purchases, basket: _Basket | None) -> dict[str, OutColumn]:
    if basket is None or basket.fit is None:
        return {}
    fit = basket.fit
    quantiles: dict[str, OutColumn] = {
        f"basket_{name}": basket_quantile(fit, purchases.histories, quantile)
        for quantile, name in _PERCENT.items()
    }
    return {"expected_basket": basket.mean, **quantiles}
