"""From purchases to one history a customer, by whole arrays."""

import numpy as np

from amity.analysis.estimator import FloatArray, Histories, IntArray, Transactions


def summarise(transactions: Transactions, *, until: int) -> Histories:
    """Return the history of every customer as of the end of day ``until``.

    Later purchases are not looked at, and who has none before is left out.  The purchases of a
    customer on one day are one purchase with the sum of their amounts.  Averages are rounded to
    minor units, half up: money has no finer parts, and published summaries do the same.
    """
    customers, days, amounts = by_customer_day(transactions, until)
    if not len(customers):
        none = np.empty(0, np.int64)
        nothing = np.empty(0, np.float64)
        return Histories(
            customer_id=none,
            frequency=none,
            recency_days=none,
            age_days=none,
            spend=nothing,
            total=nothing,
        )
    first = np.flatnonzero(np.concatenate(([True], customers[1:] != customers[:-1])))
    ends = np.append(first[1:], len(customers))
    frequency = ends - first - 1
    spend, total = _amounts(amounts, first, frequency, transactions.minor_per_unit)
    return Histories(
        customer_id=customers[first],
        frequency=frequency.astype(np.int64),
        recency_days=days[ends - 1] - days[first],
        age_days=until - days[first],
        spend=spend,
        total=total,
    )


def count_between(
    transactions: Transactions, customer_id: IntArray, *, after: int, until: int
) -> tuple[IntArray, FloatArray]:
    """Return each customer's number of purchases in days (after, until], and their amount.

    ``customer_id`` must be sorted.  The amount is in units of the currency, zero when unknown.
    """
    customers, days, amounts = by_customer_day(transactions, until)
    places = np.searchsorted(customer_id, customers)
    known = places < len(customer_id)
    known[known] = customer_id[places[known]] == customers[known]
    counted = known & (days > after)
    size = len(customer_id)
    number = np.bincount(places[counted], minlength=size).astype(np.int64)
    if amounts is None:
        return number, np.zeros(size)
    value = np.bincount(places[counted], weights=amounts[counted], minlength=size)
    return number, value / transactions.minor_per_unit


def by_customer_day(
    transactions: Transactions, until: int
) -> tuple[IntArray, IntArray, FloatArray | None]:
    """Return one place a customer and day up to ``until``, sorted, with the summed amounts."""
    kept = transactions.day <= until
    customers, days = transactions.customer_id[kept], transactions.day[kept]
    order = np.lexsort((days, customers))
    customers, days = customers[order], days[order]
    if not len(customers):
        return customers, days, None if transactions.amount is None else np.empty(0)
    new = (customers[1:] != customers[:-1]) | (days[1:] != days[:-1])
    starts = np.flatnonzero(np.concatenate(([True], new)))
    amounts = None
    if transactions.amount is not None:
        amounts = np.add.reduceat(transactions.amount[kept][order].astype(np.float64), starts)
    return customers[starts], days[starts], amounts


def _amounts(
    amounts: FloatArray | None, first: IntArray, frequency: IntArray, minor_per_unit: int
) -> tuple[FloatArray, FloatArray]:
    """Return the average of the purchases after the first, and the total."""
    if amounts is None:
        unknown = np.full(len(first), np.nan)
        return unknown, unknown.copy()
    total = np.add.reduceat(amounts, first)
    later = total - amounts[first]
    divisor = np.maximum(frequency, 1)
    # In minor units sums are whole numbers, so half of a minor unit is met exactly.
    average = np.floor((2 * later + divisor) / (2 * divisor))
    average[frequency == 0] = 0.0
    return average / minor_per_unit, total / minor_per_unit
