"""`amity estimate churn`: who will not buy again within a horizon, or not renew a contract."""

from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, Option
from amity.analysis.estimator import Estimator, Fit, FloatArray
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.pareto_nbd import ParetoNbd
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
    PERIOD,
    START,
    as_facts,
    read_agreements,
)
from amity.analysis.logic.files.forecasts import (
    as_limits,
    forecast,
    history_columns,
    say_limits,
)
from amity.analysis.logic.files.purchases import (
    CUSTOMER,
    DATE,
    UNIT,
    UNTIL,
    as_purchases,
)
from amity.analysis.logic.files.shops import make_shop
from amity.analysis.logic.lifetimes import renewals
from amity.analysis.logic.lifetimes.fitting import parameter_intervals
from amity.analysis.logic.lifetimes.leaving import check_silence, describe_moved_share
from amity.analysis.logic.lifetimes.retention import (
    check_contracts,
    describe_cohorts,
    fit_contracts,
    natural_of,
)
from amity.analysis.logic.lifetimes.totals import total_of, total_silent
from amity.analysis.logic.lifetimes.waiting import chance_of_none
from amity.analysis.logic.model_cards import BGNBD, PARETO_NBD, SBG, join_cards
from amity.kernel.errors import Invalid
from amity.kernel.estimate import Estimate

_MODELS: Final[dict[str, type[Estimator]]] = {"bgnbd": BgNbd, "pareto-nbd": ParetoNbd}


@FILE_ESTIMATES.register("churn")
class Churn(FileEstimator):
    """The chance to buy nothing more within a horizon, or to end a contract."""

    name = "churn"
    summary = "Estimate who will not buy again within a horizon, or not renew a contract."
    card = join_cards(
        "Churn",
        "The chance that each customer buys nothing within a horizon; with contracts, that he or "
        "she ends it within so many renewals.",
        BGNBD,
        PARETO_NBD,
        SBG,
    )
    options = (
        CUSTOMER,
        msgspec.structs.replace(DATE, is_required=False),
        msgspec.structs.replace(
            START, help="With contracts, instead of --date: column that says when one began."
        ),
        END,
        Option(
            name="model",
            kind="choice",
            choices=tuple(_MODELS),
            default="bgnbd",
            help="Model of purchases; pareto-nbd also lets those leave who bought once.",
        ),
        UNIT,
        PERIOD,
        UNTIL,
        Option(
            name="horizon",
            kind="number",
            help="How far to look ahead, in units, or in periods of contracts. "
            "[default: 90 days, 13 weeks or 1 period]",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        if options.is_given("start") == options.is_given("date"):
            raise Invalid(
                "give --date for purchases, or --start and --end for contracts", code="no_option"
            )
        if options.is_given("start"):
            found = _from_contracts(table, options, now)
        else:
            found = _from_purchases(table, options, now)
        expected = float(found.chance.sum())
        answer = FileEstimate(
            estimate=self.name,
            words=[
                f"Of {len(found.chance):,} customers, {expected:,.0f} will {found.what} "
                f"({expected / max(len(found.chance), 1):.0%}){say_limits(found.total)}"
            ],
            counts=found.counts,
            parameters=found.fit.parameters,
            standard_errors=found.fit.standard_errors,
            intervals=parameter_intervals([found.fit]),
            log_likelihood=found.fit.log_likelihood,
            fit=found.fit.details,
            result={
                **found.facts,
                "expected_churned": expected,
                **as_limits("expected_churned", found.total),
            },
            calibration=found.calibration,
            card=self.card,
            warnings=found.warnings,
            rejected=table.rejected,
        )
        parts = {**found.columns, "probability_of_churn": found.chance}
        return Estimated(
            answer=answer, out=OutTable(heads=tuple(parts), columns=tuple(parts.values()))
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        shop = make_shop(rng, size)
        return Example(
            heads=shop.heads, rows=shop.rows, options={"customer": "customer", "date": "date"}
        )


class _Found(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The chances of some customers, and all that is said beside them."""

    fit: Fit
    chance: FloatArray
    total: Estimate | None
    what: str
    columns: dict[str, OutColumn]
    facts: dict[str, Any]
    counts: dict[str, int]
    calibration: dict[str, Any]
    warnings: list[str]


def _from_purchases(table: Table, options: Options, now: datetime) -> _Found:
    purchases = as_purchases(table, options, now=now)
    model = options.text("model")
    estimator = _MODELS[model](unit_days=purchases.unit_days)
    found = forecast(purchases, estimator)
    chance = chance_of_none(
        found.fit, purchases.histories, found.alive.value, purchases.horizon_days
    )
    calibration = check_silence(purchases.transactions, until=purchases.until, estimator=estimator)
    return _Found(
        fit=found.fit,
        chance=chance,
        total=total_silent(found.fit, purchases.histories, chance, purchases.horizon_days),
        what=f"buy nothing in {purchases.span}",
        columns={**history_columns(purchases), "probability_alive": found.alive.value},
        facts={
            "model": model,
            "unit": purchases.unit,
            "until": purchases.until_on.isoformat(),
            "horizon": purchases.horizon,
        },
        counts=purchases.counts,
        calibration=calibration,
        warnings=[*found.warnings, *describe_moved_share(calibration)],
    )


def _from_contracts(table: Table, options: Options, now: datetime) -> _Found:
    held = read_agreements(table, options, now=now)
    horizon = options.find_number("horizon") or 1.0
    if not 1 <= horizon <= 600 or horizon != round(horizon):
        raise Invalid("the horizon of contracts is a whole number of periods from 1 to 600")
    fit = fit_contracts(held.renewed, held.left, held.weight)
    there = np.flatnonzero(held.left == 0)
    renewed = held.renewed[there].astype(np.float64)
    chance = 1 - renewals.stays(natural_of(fit), renewed, horizon)
    assert held.begun is not None
    times = "renewal" if horizon == 1 else f"{horizon:g} renewals"
    return _Found(
        fit=fit,
        chance=chance,
        total=total_of(
            fit,
            float(chance.sum()),
            float(chance @ (1 - chance)),
            lambda moved: float((1 - renewals.stays(natural_of(moved), renewed, horizon)).sum()),
        ),
        what=f"end their contract within the next {times}",
        columns={
            "customer": [held.names[place] for place in there.tolist()],
            "renewed": held.renewed[there],
        },
        facts={**as_facts(held), "model": "sbg", "horizon": horizon},
        counts=held.counts,
        calibration=check_contracts(held.renewed, held.left, held.weight),
        warnings=[
            *fit.warnings,
            *describe_cohorts(held.begun, held.renewed, held.left),
            *held.warnings,
        ],
    )
