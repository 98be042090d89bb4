"""What estimates from a file of purchases share: their options, and the histories in the file."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import Option
from amity.analysis.estimator import FloatArray, Histories, IntArray, Refused, Transactions
from amity.analysis.file_estimate import Options, Table
from amity.analysis.logic.transactions import summarise
from amity.kernel.errors import Invalid

EPOCH: Final = date(1970, 1, 1)
Unit = Literal["day", "week"]
UNIT_DAYS: Final[dict[str, int]] = {"day": 1, "week": 7}
DEFAULT_HORIZON: Final[dict[str, int]] = {"day": 90, "week": 13}
_MAX_HORIZON_DAYS: Final = 36_525

CUSTOMER: Final = Option(
    name="customer",
    kind="column",
    cells="name",
    is_required=True,
    help="Column that says who bought.",
)
DATE: Final = Option(
    name="date", kind="column", cells="day", is_required=True, help="Column that says when."
)
AMOUNT: Final = Option(
    name="amount",
    kind="column",
    cells="amount",
    help="Column that says for how much; without it, no values.",
)
CURRENCY: Final = Option(
    name="currency",
    kind="column",
    cells="text",
    may_be_blank=True,
    found_as=("currency", "currency_code"),
    help="Column that says in which currency; there must be one only. "
    "[default: a column called currency, if there is one]",
)
UNIT: Final = Option(
    name="unit",
    kind="choice",
    choices=("day", "week"),
    default="day",
    help="Unit of time of the parameters and of the horizon.",
)
UNTIL: Final = Option(
    name="until",
    kind="date",
    help="Last day looked at. [default: the last date in the file]",
)
HORIZON: Final = Option(
    name="horizon",
    kind="number",
    help="How far to predict, in units. [default: 90 days or 13 weeks]",
)


class Purchases(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A file's purchases up to a day; ``names`` holds the customer of each id."""

    names: list[str]
    transactions: Transactions
    histories: Histories
    until: int
    """Days since 1970-01-01."""
    unit: Unit
    unit_days: int
    horizon: float
    """In units."""
    counts: dict[str, int]
    warnings: list[str]

    @property
    def until_on(self) -> date:
        """The last day looked at."""
        return EPOCH + timedelta(days=self.until)

    @property
    def horizon_days(self) -> float:
        """How far to predict, in days."""
        return self.horizon * self.unit_days

    @property
    def span(self) -> str:
        """The time predicted, for people."""
        return f"the {self.horizon:g} {self.unit}s after {self.until_on}"

    def customers(self) -> list[str]:
        """Return the names of the customers in the order of the histories."""
        return [self.names[place] for place in self.histories.customer_id.tolist()]

    def in_units(self, days: IntArray) -> FloatArray:
        """Return days in the unit of time."""
        return days / self.unit_days


def as_purchases(table: Table, options: Options, *, now: datetime) -> Purchases:
    """Return the purchases of a table read by the options above."""
    unit: Unit = "week" if options.text("unit") == "week" else "day"
    horizon = _horizon(options, unit)
    customer, amount = table.columns["customer"], table.columns.get("amount")
    if amount is not None:
        _refuse_mixed(table)
    transactions = Transactions(
        customer_id=customer.whole,
        day=table.columns["date"].whole,
        amount=None if amount is None else amount.whole,
        minor_per_unit=100 if amount is None else amount.minor_per_unit,
    )
    until = _until(options, transactions)
    histories = summarise(transactions, until=until)
    after = int(np.count_nonzero(transactions.day > until))
    last = EPOCH + timedelta(days=until)
    slip = options.find_date("until") is None and last > now.astimezone(UTC).date()
    return Purchases(
        names=customer.names,
        transactions=transactions,
        histories=histories,
        until=until,
        unit=unit,
        unit_days=UNIT_DAYS[unit],
        horizon=horizon,
        counts={
            **table.count(),
            "used": len(table) - after,
            "after_until": after,
            "customers": len(histories),
            "repeaters": int(np.count_nonzero(histories.frequency)),
            "transactions": int(histories.frequency.sum()) + len(histories),
        },
        warnings=[f"the last date, {last}, lies in the future: is it a slip?"] * slip,
    )


def _refuse_mixed(table: Table) -> None:
    """Raise Refused when amounts are in several currencies: nobody says at what rate to add."""
    cells = table.columns.get("currency")
    there = sorted({name.upper() for name in cells.names if name}) if cells is not None else []
    if len(there) > 1:
        raise Refused(
            f"amounts are in {len(there)} currencies ({', '.join(there[:6])}), which are not added "
            "without a rate: turn them into one, or estimate each by itself"
        )


def _horizon(options: Options, unit: Unit) -> float:
    horizon = options.find_number("horizon")
    if horizon is None:
        return DEFAULT_HORIZON[unit]
    if not 0 < horizon * UNIT_DAYS[unit] <= _MAX_HORIZON_DAYS:
        raise Invalid("the horizon must be above zero and at most a hundred years")
    return horizon


def _until(options: Options, transactions: Transactions) -> int:
    until = options.find_date("until")
    return int(transactions.day.max()) if until is None else (until - EPOCH).days
