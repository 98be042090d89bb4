"""`amity estimate bgbb`: purchases that can happen once a period, such as a yearly donation."""

from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.estimator import IntArray, Transactions
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
from amity.analysis.logic.files.forecasts import as_limits, say_limits
from amity.analysis.logic.files.purchases import CUSTOMER, DATE, EPOCH, UNTIL
from amity.analysis.logic.lifetimes.donors import (
    DonorForecast,
    check_donors,
    fit_donors,
    forecast_donors,
    total_donors,
    weigh,
)
from amity.analysis.logic.lifetimes.fitting import FEW_REPEATERS, parameter_intervals
from amity.analysis.logic.lifetimes.periods import (
    PERIOD_DAYS,
    Period,
    end_of,
    find_presence,
    last_whole,
    number_of,
    summarise_periods,
)
from amity.kernel.errors import Invalid

_PERIODS: Final[dict[str, Period]] = {
    "week": "week",
    "month": "month",
    "quarter": "quarter",
    "year": "year",
}
_MAX_PERIODS: Final = 600
_UNFINISHED: Final = 0.15
"""Share of a period from which on it looks unfinished when nobody bought in it."""


def _count_column(name: str, words: str) -> Option:
    return Option(name=name, kind="column", cells="count", help=words)


@FILE_ESTIMATES.register("bgbb")
class BgBb(FileEstimator):
    """Fits BG/BB to purchases by period, or to a table that already counts them."""

    name = "bgbb"
    summary = "Estimate who still buys in how many periods with BG/BB: once a period, or not."
    card = ModelCard(
        title="BG/BB",
        purpose="In how many of the coming periods each customer will buy, where one can buy once "
        "a period or not at all: a yearly donation, a monthly box, a season.",
        assumes=[
            "While a customer stays, he or she buys in each period with a chance of his or her "
            "own, whatever happened in the last one.",
            "At the start of each period the customer leaves for good with a chance of his or her "
            "own.",
            "Both chances are beta distributed over customers, independently.",
        ],
        needs=[
            "Who bought on which day, from the first purchase on; or in how many periods, which "
            "was the last, and how many periods there were.",
            "At least 3 whole periods after a first purchase, 30 customers, 10 who bought again.",
        ],
        refuses=["Fewer periods, customers or repeaters than that."],
        cannot_know=[
            "How much is bought within a period: twice in one period counts as once.",
            "Seasons: a chance is the same in every period.",
            "What a message would change: this is a forecast, not an effect.",
        ],
        sources=[
            "Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time "
            "Noncontractual Setting, Marketing Science 29(6), 1086-1108.",
        ],
    )
    options = (
        msgspec.structs.replace(CUSTOMER, is_required=False),
        msgspec.structs.replace(DATE, is_required=False),
        Option(
            name="period",
            kind="choice",
            choices=tuple(_PERIODS),
            default="month",
            help="Period of the calendar in which one buys or does not.",
        ),
        UNTIL,
        _count_column("frequency", "Instead of dates: periods with a purchase after the first."),
        _count_column("recency", "Instead of dates: the number of the last such period, 0: none."),
        _count_column("periods", "Instead of dates: periods there were after the first purchase."),
        _count_column("count", "How many customers a row stands for; without it, one."),
        Option(
            name="horizon",
            kind="whole",
            default=12,
            low=1,
            high=_MAX_PERIODS,
            help="How many periods to predict.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        known = _from_dates(table, options) if options.is_given("date") else _from_counts(table)
        grouped, place = weigh(known.frequency, known.recency, known.periods, known.count)
        fit = fit_donors(grouped)
        ahead = options.whole("horizon")
        found = forecast_donors(fit, grouped, ahead)
        expected = float(found.expected @ grouped.weight)
        alive = float(found.alive @ grouped.weight)
        total, there = total_donors(fit, grouped, found, ahead)
        period = options.text("period")
        repeaters = int(fit.details["repeaters"])
        few = [f"only {repeaters} of {fit.customers} customers bought again: this is uncertain"]
        answer = FileEstimate(
            estimate=self.name,
            words=[
                f"Periods with a purchase to expect of all customers in the next {ahead}: "
                f"{expected:,.1f}{say_limits(total)}",
                f"Customers still there in the next period: {alive:,.0f} of {fit.customers:,}"
                f"{say_limits(there)}",
            ],
            counts={**known.counts, "customers": fit.customers, "repeaters": repeaters},
            parameters=fit.parameters,
            standard_errors=fit.standard_errors,
            intervals=parameter_intervals([fit]),
            log_likelihood=fit.log_likelihood,
            fit=fit.details,
            result={
                "period": period,
                "until": known.until,
                "horizon": ahead,
                "expected_purchases": expected,
                **as_limits("expected_purchases", total),
                "expected_alive": alive,
                **as_limits("expected_alive", there),
            },
            calibration=known.calibration,
            card=self.card,
            warnings=[*fit.warnings, *few * (repeaters < FEW_REPEATERS), *known.warnings],
            rejected=table.rejected,
        )
        return Estimated(answer=answer, out=_rows(known, found, place))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        rows: list[tuple[object, ...]] = []
        for customer in range(size):
            buys, leaves = rng.beta(1.2, 0.75), rng.beta(0.66, 2.8)
            for month in range(customer % 6, 24):
                is_first = month == customer % 6
                if not is_first and rng.random() < leaves:
                    break
                if is_first or rng.random() < buys:
                    day = f"{2024 + month // 12}-{1 + month % 12:02}-{int(rng.integers(1, 28)):02}"
                    rows.append((f"c{customer}", day))
        return Example(
            heads=("customer", "date"),
            rows=rows,
            options={"customer": "customer", "date": "date"},
        )


class _Known(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the file says of customers, however it says it."""

    names: list[str]
    frequency: IntArray
    recency: IntArray
    periods: IntArray
    count: IntArray | None
    until: str | None
    counts: dict[str, int]
    calibration: dict[str, Any]
    warnings: list[str]


def _from_dates(table: Table, options: Options) -> _Known:
    if not options.is_given("customer"):
        raise Invalid("`--customer` must be given beside `--date`", code="no_option")
    customer, day = table.columns["customer"], table.columns["date"].whole
    period = _PERIODS[options.text("period")]
    asked = options.find_date("until")
    last = int(day.max()) if asked is None else (asked - EPOCH).days
    # Without a last day the period of the last date counts as over: somebody bought in it.
    until = (
        int(number_of(np.array([last]), period)[0]) if asked is None else last_whole(last, period)
    )
    presence = find_presence(Transactions(customer_id=customer.whole, day=day), period, until=until)
    if not len(presence.period):
        raise Invalid(f"no purchase lies in a {period} that was over by then", code="wrong_option")
    known = summarise_periods(presence, until=until)
    end = end_of(until, period)
    after = int(np.count_nonzero(day > (end - EPOCH).days))
    rest = (end - EPOCH).days - last
    unfinished = (
        f"the last date is {rest} days before the end of its {period}, which counts as over: if "
        "the file ends there, name its last day with --until"
    )
    left_out = f"{after} rows after {end} were left out: their {period} is not over"
    return _Known(
        names=[customer.names[place] for place in known.customer_id.tolist()],
        frequency=known.frequency,
        recency=known.recency,
        periods=known.periods,
        count=None,
        until=end.isoformat(),
        counts={**table.count(), "used": len(table) - after, "after_until": after},
        calibration=check_donors(presence, until=until),
        warnings=[
            *[left_out] * bool(after),
            *[unfinished] * (asked is None and rest > _UNFINISHED * PERIOD_DAYS[period]),
        ],
    )


def _from_counts(table: Table) -> _Known:
    wanted = ("frequency", "recency", "periods")
    if missing := [f"--{name}" for name in wanted if name not in table.columns]:
        raise Invalid(
            "give --customer and --date, or --frequency, --recency and --periods; "
            f"not given: {', '.join(missing)}",
            code="no_option",
        )
    frequency, recency, periods = (table.columns[name].whole for name in wanted)
    wrong = (frequency > recency) | (recency > periods) | ((frequency == 0) != (recency == 0))
    if wrong.any():
        row = int(table.row[np.argmax(wrong)])
        raise Invalid(
            f"row {row} cannot be: the last period with a purchase is at least as many as such "
            "periods, at most as many as there were, and 0 only when there is none",
            code="wrong_rows",
        )
    customer, count = table.columns.get("customer"), table.columns.get("count")
    names = [f"row {row}" for row in table.row.tolist()]
    return _Known(
        names=names if customer is None else [customer.names[i] for i in customer.whole.tolist()],
        frequency=frequency,
        recency=recency,
        periods=periods,
        count=None if count is None else count.whole,
        until=None,
        counts=table.count(),
        calibration={"refused": "a table of counts has no time to hold out"},
        warnings=[],
    )


def _rows(known: _Known, found: DonorForecast, place: IntArray) -> OutTable:
    parts: dict[str, OutColumn] = {
        "customer": known.names,
        "frequency": known.frequency,
        "recency": known.recency,
        "periods": known.periods,
        "probability_alive": found.alive[place],
        "expected_purchases": found.expected[place],
        "expected_purchases_low": found.low[place],
        "expected_purchases_high": found.high[place],
        "probability_of_none": found.none[place],
    }
    return OutTable(heads=tuple(parts), columns=tuple(parts.values()))
