"""`amity estimate sbg`: who renews a contract, and for how long, from a file of contracts."""

from datetime import date, datetime, timedelta

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, Option
from amity.analysis.estimator import Fit, FloatArray
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
from amity.analysis.logic.files.agreements import (
    END,
    LEFT,
    PERIOD,
    RENEWED,
    START,
    as_facts,
    read_agreements,
)
from amity.analysis.logic.files.forecasts import as_limits, say_limits
from amity.analysis.logic.files.purchases import CUSTOMER, UNTIL
from amity.analysis.logic.lifetimes import renewals
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.retention import (
    check_contracts,
    describe_cohorts,
    describe_curve,
    fit_contracts,
    natural_of,
    tabulate,
)
from amity.analysis.logic.lifetimes.totals import total_of
from amity.analysis.logic.model_cards import SBG
from amity.kernel.estimate import Estimate


@FILE_ESTIMATES.register("sbg")
class Sbg(FileEstimator):
    """Fits the shifted-beta-geometric model to contracts."""

    name = "sbg"
    summary = "Estimate who renews a contract, and how long, with the shifted-beta-geometric model."
    card = SBG
    options = (
        msgspec.structs.replace(CUSTOMER, is_required=False),
        START,
        END,
        RENEWED,
        LEFT,
        Option(
            name="count",
            kind="column",
            cells="count",
            help="How many contracts a row stands for; without it, one.",
        ),
        PERIOD,
        UNTIL,
        Option(
            name="horizon",
            kind="whole",
            default=12,
            low=1,
            high=600,
            help="How many periods to look ahead.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        held = read_agreements(table, options, now=now)
        fit = fit_contracts(held.renewed, held.left, held.weight)
        natural, ahead = natural_of(fit), options.whole("horizon")
        there = held.left == 0
        renewed = held.renewed.astype(np.float64)
        stays = np.where(there, renewals.stays(natural, renewed, 1), 0.0)
        lasts = np.where(there, renewals.stays(natural, renewed, ahead), 0.0)
        more = np.where(there, renewals.remaining(natural, renewed, ahead=ahead), 0.0)
        curve = describe_curve(natural, tabulate(held.renewed, held.left, held.weight), ahead)
        current, renew = float(held.weight @ there), float(held.weight @ stays)
        remain = float(held.weight @ lasts)
        renewing, running = (
            _total(fit, held.weight * there, renewed, periods) for periods in (1, ahead)
        )
        drift = [] if held.begun is None else describe_cohorts(held.begun, held.renewed, held.left)
        answer = FileEstimate(
            estimate=self.name,
            words=[
                f"Of {current:,.0f} contracts that run, {renew:,.0f}{say_limits(renewing)} will be "
                f"renewed the next time and {remain:,.0f}{say_limits(running)} will still run "
                f"after {ahead} renewals",
                f"Of new contracts, {curve[0]['retention_rate']:.0%} are renewed the first time "
                f"and {curve[ahead - 1]['survival']:.0%} run for more than {ahead} periods",
            ],
            counts=held.counts,
            parameters=fit.parameters,
            standard_errors=fit.standard_errors,
            intervals=parameter_intervals([fit]),
            log_likelihood=fit.log_likelihood,
            fit=fit.details,
            result={
                **as_facts(held),
                "horizon": ahead,
                "running": current,
                "expected_renewals_next": renew,
                **as_limits("expected_renewals_next", renewing),
                "expected_running_at_horizon": remain,
                **as_limits("expected_running_at_horizon", running),
                "curve": curve,
            },
            calibration=check_contracts(held.renewed, held.left, held.weight),
            card=self.card,
            warnings=[*fit.warnings, *drift, *held.warnings],
            rejected=table.rejected,
        )
        parts: dict[str, OutColumn] = {
            "customer": held.names,
            "renewed": held.renewed,
            "left": held.left,
            "probability_renews": stays,
            "probability_at_horizon": lasts,
            "expected_renewals": more,
        }
        return Estimated(
            answer=answer, out=OutTable(heads=tuple(parts), columns=tuple(parts.values()))
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        return make_contracts(rng, size)


def _total(fit: Fit, weight: FloatArray, renewed: FloatArray, periods: int) -> Estimate | None:
    """Return how many contracts will be renewed so often, with 95 % of what will come."""
    chance = renewals.stays(natural_of(fit), renewed, periods)
    return total_of(
        fit,
        float(weight @ chance),
        float(weight @ (chance * (1 - chance))),
        lambda moved: float(weight @ renewals.stays(natural_of(moved), renewed, periods)),
    )


def make_contracts(rng: np.random.Generator, size: int) -> Example:
    """Return made-up monthly contracts of two years, some of which have ended."""
    rows: list[tuple[object, ...]] = []
    last = date(2025, 12, 31)
    for customer in range(size):
        start = date(2024, 1, 1) + timedelta(days=int(rng.integers(0, 500)))
        months = int(rng.geometric(max(rng.beta(0.7, 3.8), 1e-3)))
        end = start + timedelta(days=round(months * 365.25 / 12))
        rows.append((f"c{customer}", start.isoformat(), end.isoformat() if end <= last else ""))
    return Example(
        heads=("customer", "start", "end"),
        rows=rows,
        options={"customer": "customer", "start": "start", "end": "end", "until": last},
    )
