"""Which scores of orders are followed, and what came: purchases, silence, baskets, money."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Transactions
from amity.analysis.logic.lifetime_value import MONTH_DAYS, YEARLY_DISCOUNT_RATE
from amity.analysis.logic.scoring.profits import find_terms
from amity.analysis.logic.scoring.reliability import Due, remember, settle
from amity.analysis.logic.transactions import by_customer_day, count_between
from amity.infra.database import Connection

_EPOCH: Final = date(1970, 1, 1)
_VALUE_DAYS: Final = 365


def _days(moment: datetime) -> int:
    return (moment.astimezone(UTC).date() - _EPOCH).days


def _count(transactions: Transactions, due: Due) -> FloatArray:
    number, _ = count_between(
        transactions, due.profile_id, after=_days(due.predicted_at), until=_days(due.due_at)
    )
    counted: FloatArray = number.astype(np.float64)
    return counted


def _is_silent(transactions: Transactions, due: Due) -> FloatArray:
    silent: FloatArray = (_count(transactions, due) == 0).astype(np.float64)
    return silent


def _bring(transactions: Transactions, due: Due) -> FloatArray:
    """Return the money that came, discounted month by month as it was when it was predicted."""
    if transactions.amount is None:
        return np.full(len(due.profile_id), np.nan)
    return _discounted(transactions, transactions.amount.astype(np.float64), due)


def _discounted(transactions: Transactions, amount: FloatArray, due: Due) -> FloatArray:
    start, end = _days(due.predicted_at), _days(due.due_at)
    months = np.ceil((transactions.day - start) / MONTH_DAYS)
    factors = (1 + YEARLY_DISCOUNT_RATE) ** (-np.maximum(months, 0) / 12)
    worth = msgspec.structs.replace(transactions, amount=np.rint(amount * factors).astype(np.int64))
    _, value = count_between(worth, due.profile_id, after=start, until=end)
    return value


def _earn(transactions: Transactions, due: Due) -> FloatArray:
    """Return the profit that came, by the margin and the cost of an order as they are set now."""
    terms = find_terms()
    if transactions.amount is None or terms is None:
        return np.full(len(due.profile_id), np.nan)
    cost = terms.cost_per_order * transactions.minor_per_unit
    earned = transactions.amount.astype(np.float64) * terms.margin_rate - cost
    return _discounted(transactions, earned, due)


def _spend_next(transactions: Transactions, due: Due) -> FloatArray:
    """Return the amount of each one's first day of purchases in the time; NaN without any."""
    start, end = _days(due.predicted_at), _days(due.due_at)
    if transactions.amount is None:
        return np.full(len(due.profile_id), np.nan)
    customers, days, amounts = by_customer_day(transactions, end)
    later = days > start
    assert amounts is not None
    ids, first = np.unique(customers[later], return_index=True)
    spent = amounts[later][first] / transactions.minor_per_unit
    place = np.minimum(np.searchsorted(ids, due.profile_id), max(len(ids) - 1, 0))
    if not len(ids):
        return np.full(len(due.profile_id), np.nan)
    found: FloatArray = np.where(ids[place] == due.profile_id, spent[place], np.nan)
    return found


_FOLLOWED: Final[dict[str, tuple[int, Callable[[Transactions, Due], FloatArray]]]] = {
    "expected_purchases": (90, _count),
    "churn": (90, _is_silent),
    "next_basket": (90, _spend_next),
    "clv": (_VALUE_DAYS, _bring),
    "profit": (_VALUE_DAYS, _earn),
}
"""Scores that time proves right or wrong: their horizon in days, and what came of each."""


def _observe(
    transactions: Transactions, came: Callable[[Transactions, Due], FloatArray], due: Due
) -> FloatArray:
    """Return what came; NaN of those who have no orders any more, merged into somebody else."""
    known = np.isin(due.profile_id, transactions.customer_id)
    found: FloatArray = np.where(known, came(transactions, due), np.nan)
    return found


def settle_orders(connection: Connection, transactions: Transactions, *, now: datetime) -> int:
    """Compare the rounds that are due with the orders that came; return how many rounds."""
    return sum(
        settle(connection, score=score, now=now, observe=partial(_observe, transactions, came))
        for score, (_, came) in _FOLLOWED.items()
    )


def remember_orders(
    connection: Connection,
    predicted: Mapping[str, FloatArray],
    *,
    profile_id: IntArray,
    model_run_id: int,
    now: datetime,
) -> None:
    """Keep what is predicted now to be compared later, of the scores that are followed."""
    for score, expected in predicted.items():
        if score in _FOLLOWED:
            remember(
                connection,
                score=score,
                model_run_id=model_run_id,
                now=now,
                horizon_days=_FOLLOWED[score][0],
                profile_id=profile_id,
                expected=expected,
            )
