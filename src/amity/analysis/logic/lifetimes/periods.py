"""Purchases by period of the calendar: in which of the weeks, months or years each one bought."""

from datetime import date, timedelta
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.estimator import IntArray, Transactions

Period = Literal["week", "month", "quarter", "year"]
PERIOD_DAYS: Final[dict[str, float]] = {
    "week": 7.0,
    "month": 365.25 / 12,
    "quarter": 365.25 / 4,
    "year": 365.25,
}
_MONTHS: Final[dict[str, int]] = {"month": 1, "quarter": 3, "year": 12}
_EPOCH: Final = date(1970, 1, 1)


class Presence(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """In which periods customers bought: one place a customer and period, sorted by both."""

    customer_id: IntArray
    period: IntArray


class Opportunities(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of each customer after a period, sorted by ``customer_id``.

    ``periods`` is how many there were after the one of the first purchase, ``frequency`` in how
    many of them he or she bought, ``recency`` the number of the last such period, 0 for none.
    """

    customer_id: IntArray
    frequency: IntArray
    recency: IntArray
    periods: IntArray

    def __len__(self) -> int:
        return len(self.customer_id)


def number_of(days: IntArray, period: Period) -> IntArray:
    """Return which period each day lies in, counted from the one of 1970-01-01.

    Weeks begin on Monday.
    """
    if period == "week":
        return (days + 3) // 7
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    number: IntArray = months // _MONTHS[period]
    return number


def last_whole(until: int, period: Period) -> int:
    """Return the last period that is over at the end of a day."""
    here, after = number_of(np.array([until, until + 1]), period).tolist()
    return int(here if after > here else here - 1)


def end_of(number: int, period: Period) -> date:
    """Return the last day of a period."""
    if period == "week":
        return _EPOCH + timedelta(days=7 * (number + 1) - 4)
    first = np.datetime64((number + 1) * _MONTHS[period], "M").astype("datetime64[D]")
    return _EPOCH + timedelta(days=int(first.astype(np.int64)) - 1)


def find_presence(transactions: Transactions, period: Period, *, until: int) -> Presence:
    """Return who bought in which period up to one."""
    number = number_of(transactions.day, period)
    kept = number <= until
    pairs = np.unique(np.stack((transactions.customer_id[kept], number[kept]), axis=1), axis=0)
    return Presence(customer_id=pairs[:, 0], period=pairs[:, 1])


def summarise_periods(presence: Presence, *, until: int) -> Opportunities:
    """Return what is known of each customer after period ``until``; later ones are left out."""
    kept = presence.period <= until
    customers, period = presence.customer_id[kept], presence.period[kept]
    ids, first, counts = np.unique(customers, return_index=True, return_counts=True)
    last = period[first + counts - 1] if len(ids) else period
    return Opportunities(
        customer_id=ids,
        frequency=(counts - 1).astype(np.int64),
        recency=last - period[first],
        periods=until - period[first],
    )


def count_periods(presence: Presence, customer_id: IntArray, *, after: int) -> IntArray:
    """Return in how many periods after one each customer bought; ``customer_id`` is sorted."""
    place = np.searchsorted(customer_id, presence.customer_id)
    known = place < len(customer_id)
    known[known] = customer_id[place[known]] == presence.customer_id[known]
    counted = known & (presence.period > after)
    number: IntArray = np.bincount(place[counted], minlength=len(customer_id)).astype(np.int64)
    return number
