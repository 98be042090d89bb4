"""A metric read as a number of one customer: what rules, experiments and rewards share.

The definition of the catalogue is about all customers; of one it is the same rows, hers alone. Not
every metric can be read so, and what cannot is refused with the reason. A count of customers is 1
for one who is counted and 0 for any other.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from amity.analysis.contracts_metrics import Counted, Difference, MetricDefinition, Ratio, Where
from amity.analysis.contracts_reports import Unit
from amity.kernel.errors import Invalid

Per = Literal["", "order", "customer"]
_SENDS: Final = (
    "it counts messages, which stand in the ledger of sends and not among what customers did"
)
_REASONS: Final = {
    "newcomers": "it tells who was new from who was there before, which is about all orders ever",
    "earlier": "it compares two windows",
    "order_lines": "it is about order lines, which the orders as they stand do not have",
    "sends": _SENDS,
}


class OfCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted or added up for one customer."""

    event: str = ""
    """The events that count; "" means orders as they stand."""
    column: str = ""
    """What of each order is added up; "" means that rows are counted."""
    where: tuple[Where, ...] = ()
    """Of orders."""
    is_flag: bool = False
    """Whether it is 1 for whoever has a row at all, else 0."""
    per: Per = ""
    """Whether it is an average of orders, or is known only of those with an order."""
    unit: Unit = "number"


def read_of_customer(name: str, known: Mapping[str, MetricDefinition]) -> OfCustomer:
    """Return what a metric counts of one customer; raise Invalid with the reason if it cannot."""
    if name not in known:
        raise Invalid(f"there is no metric {name!r}", code="no_metric")
    definition = known[name]
    expression = definition.expression
    if isinstance(expression, Counted):
        found = _of_counted(name, expression)
    elif isinstance(expression, Ratio):
        found = _of_ratio(name, expression, known)
    else:
        assert isinstance(expression, Difference)
        raise _refuse(name, "it is a difference of two numbers, which no condition says exactly")
    return msgspec.structs.replace(found, unit=definition.unit)


def _refuse(name: str, reason: str) -> Invalid:
    return Invalid(f"{name!r} cannot be said of one customer: {reason}", code="not_of_customer")


def _of_counted(name: str, counted: Counted) -> OfCustomer:
    if counted.base in _REASONS:
        raise _refuse(name, _REASONS[counted.base])
    is_flag = counted.what == "customers"
    if counted.base == "orders":
        return OfCustomer(column=counted.column, where=counted.where, is_flag=is_flag)
    names = [str(one.value) for one in counted.where if (one.column, one.op) == ("name", "is")]
    if len(names) != 1:
        raise _refuse(name, "it counts events of more than one name")
    if len(counted.where) > 1:
        raise _refuse(name, "it looks at an event's type or source, which rules do not know")
    return OfCustomer(event=names[0], is_flag=is_flag)


def _of_ratio(name: str, ratio: Ratio, known: Mapping[str, MetricDefinition]) -> OfCustomer:
    of, by = read_of_customer(ratio.of, known), read_of_customer(ratio.by, known)
    is_like = not of.event and not by.event and of.where == by.where and not of.is_flag
    if is_like and not by.column and not of.per and not by.per:
        if by.is_flag:
            return msgspec.structs.replace(of, per="customer")
        if of.column:
            return msgspec.structs.replace(of, per="order")
    raise _refuse(name, f"{ratio.of!r} and {ratio.by!r} do not count the same orders")
