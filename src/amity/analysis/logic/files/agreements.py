"""Contracts in a file: how often each was renewed and whether it has ended."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import Option
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.file_estimate import Options, Table
from amity.analysis.logic.files.cells import BLANK_DAY
from amity.analysis.logic.lifetimes.periods import PERIOD_DAYS
from amity.kernel.errors import Invalid

_EPOCH: Final = date(1970, 1, 1)
_SLACK: Final = 0.1
"""Months are not alike: a contract of 28 days in February lasted a month."""

START: Final = Option(
    name="start", kind="column", cells="day", help="Column that says when a contract began."
)
END: Final = Option(
    name="end",
    kind="column",
    cells="day",
    may_be_blank=True,
    help="Column that says when it ended; blank while it lasts.",
)
RENEWED: Final = Option(
    name="renewed",
    kind="column",
    cells="count",
    help="Instead of dates: how often a contract was renewed.",
)
LEFT: Final = Option(
    name="left",
    kind="column",
    cells="flag",
    help="Instead of dates: whether it then ended, 1 or 0.",
)
PERIOD: Final = Option(
    name="period",
    kind="choice",
    choices=tuple(PERIOD_DAYS),
    default="month",
    help="How long a contract lasts until it is renewed or not.",
)


class Agreements(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Contracts as of a day: how often each was renewed, and whether it ended after that."""

    names: list[str]
    renewed: IntArray
    left: IntArray
    weight: FloatArray
    period: str
    until: date | None
    begun: IntArray | None
    """The day each began, days since 1970-01-01, when dates are known; `ended` likewise."""
    ended: IntArray | None
    counts: dict[str, int]
    warnings: list[str]


def read_agreements(table: Table, options: Options, *, now: datetime) -> Agreements:
    """Return the contracts of a table read by the options above."""
    period = options.text("period")
    if options.is_given("start"):
        return _from_dates(table, options, period, now)
    wanted = ("renewed", "left")
    if missing := [f"--{name}" for name in wanted if name not in table.columns]:
        raise Invalid(
            f"give --start and --end, or --renewed and --left; not given: {', '.join(missing)}",
            code="no_option",
        )
    count = table.columns.get("count")
    weight = np.ones(len(table)) if count is None else count.real
    left = table.columns["left"].whole
    return Agreements(
        names=_names(table),
        renewed=table.columns["renewed"].whole,
        left=left,
        weight=weight,
        period=period,
        until=None,
        begun=None,
        ended=None,
        counts={**table.count(), **_sizes(weight, left)},
        warnings=[],
    )


def _from_dates(table: Table, options: Options, period: str, now: datetime) -> Agreements:
    if not options.is_given("end"):
        raise Invalid("`--end` must be given beside `--start`", code="no_option")
    begun, ended = table.columns["start"].whole, table.columns["end"].whole
    is_open = ended == BLANK_DAY
    wrong = ~is_open & (ended < begun)
    if wrong.any():
        row = int(table.row[np.argmax(wrong)])
        raise Invalid(f"row {row} ends before it begins", code="wrong_rows")
    asked = options.find_date("until")
    last = int(max(begun.max(), ended.max())) if asked is None else (asked - _EPOCH).days
    until = _EPOCH + timedelta(days=last)
    kept = begun <= last
    renewed, left = observe(begun[kept], ended[kept], last, period)
    names = _names(table)
    weight = np.ones(len(renewed))
    slip = asked is None and until > now.astimezone(UTC).date()
    return Agreements(
        names=[names[place] for place in np.flatnonzero(kept).tolist()],
        renewed=renewed,
        left=left,
        weight=weight,
        period=period,
        until=until,
        begun=begun[kept],
        ended=ended[kept],
        counts={
            **table.count(),
            "used": int(kept.sum()),
            "after_until": int((~kept).sum()),
            **_sizes(weight, left),
        },
        warnings=[f"the last date, {until}, lies in the future: is it a slip?"] * slip,
    )


def observe(begun: IntArray, ended: IntArray, until: int, period: str) -> tuple[IntArray, IntArray]:
    """Return how often each contract was renewed by a day, and whether it has ended by then.

    Who left in a period had renewed into it and did not renew out of it.
    """
    length = PERIOD_DAYS[period]
    left = (ended != BLANK_DAY) & (ended <= until)
    spent = (np.where(left, ended, until) - begun) / length
    gone = np.maximum(np.ceil(spent - _SLACK), 1) - 1
    renewed = np.where(left, gone, np.floor(spent + _SLACK))
    return renewed.astype(np.int64), left.astype(np.int64)


def _names(table: Table) -> list[str]:
    customer = table.columns.get("customer")
    if customer is None:
        return [f"row {row}" for row in table.row.tolist()]
    return [customer.names[place] for place in customer.whole.tolist()]


def _sizes(weight: FloatArray, left: IntArray) -> dict[str, int]:
    if not weight.sum():
        raise Refused("the contracts stand for 0 customers")
    return {"customers": int(weight.sum()), "left": int(weight @ left)}


def as_facts(agreements: Agreements) -> dict[str, Any]:
    """Return what a result says of where its contracts come from."""
    until = agreements.until
    return {
        "period": agreements.period,
        "until": None if until is None else until.isoformat(),
    }
