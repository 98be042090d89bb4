"""`amity estimate pareto-nbd`: who still buys, and how often, from a file of purchases."""

from datetime import datetime

import numpy as np

from amity.analysis.contracts_estimates import FileEstimate
from amity.analysis.estimators.pareto_nbd import ParetoNbd
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutTable,
    Table,
)
from amity.analysis.logic.files.forecasts import (
    as_limits,
    bound,
    forecast,
    history_columns,
    say_limits,
)
from amity.analysis.logic.files.purchases import (
    CUSTOMER,
    DATE,
    HORIZON,
    UNIT,
    UNTIL,
    as_purchases,
)
from amity.analysis.logic.files.shops import make_shop
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.totals import total_alive
from amity.analysis.logic.model_cards import PARETO_NBD


@FILE_ESTIMATES.register("pareto-nbd")
class ParetoNbdFile(FileEstimator):
    """Fits Pareto/NBD to the purchases of a file."""

    name = "pareto-nbd"
    summary = "Estimate who still buys and how often with Pareto/NBD, from a line a purchase."
    card = PARETO_NBD
    options = (CUSTOMER, DATE, UNIT, UNTIL, HORIZON)

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        purchases = as_purchases(table, options, now=now)
        found = forecast(purchases, ParetoNbd(unit_days=purchases.unit_days))
        size = len(purchases.histories)
        alive = float(found.alive.value.sum())
        there = total_alive(found.fit, purchases.histories, found.alive.value)
        parts = {
            **history_columns(purchases),
            "probability_alive": found.alive.value,
            "expected_purchases": found.purchases.value,
            "probability_alive_low": bound(found.alive, "low", size),
            "probability_alive_high": bound(found.alive, "high", size),
            "expected_purchases_low": bound(found.purchases, "low", size),
            "expected_purchases_high": bound(found.purchases, "high", size),
        }
        answer = FileEstimate(
            estimate=self.name,
            words=[
                f"Expected purchases of all customers in {purchases.span}: {found.expected:,.1f}"
                f"{say_limits(found.total)}",
                f"Customers still there on {purchases.until_on}: {alive:,.0f} of {size:,}"
                f"{say_limits(there)}",
            ],
            counts=purchases.counts,
            parameters=found.fit.parameters,
            standard_errors=found.fit.standard_errors,
            intervals=parameter_intervals([found.fit]),
            log_likelihood=found.fit.log_likelihood,
            fit=found.fit.details,
            result={
                "unit": purchases.unit,
                "until": purchases.until_on.isoformat(),
                "horizon": purchases.horizon,
                "expected_purchases": found.expected,
                **as_limits("expected_purchases", found.total),
                "expected_alive": alive,
                **as_limits("expected_alive", there),
            },
            calibration=found.calibration,
            card=self.card,
            warnings=found.warnings,
            rejected=table.rejected,
        )
        return Estimated(
            answer=answer, out=OutTable(heads=tuple(parts), columns=tuple(parts.values()))
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        shop = make_shop(rng, size)
        return Example(
            heads=shop.heads, rows=shop.rows, options={"customer": "customer", "date": "date"}
        )
