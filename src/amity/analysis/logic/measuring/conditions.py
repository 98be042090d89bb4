"""What a metric means in a rule: the conditions about orders or events that say the same."""

import math
from collections.abc import Mapping
from typing import Any, Final

from amity.analysis.contracts_metrics import MetricDefinition
from amity.analysis.contracts_metrics import Where as Test
from amity.analysis.logic.measuring import catalogue
from amity.analysis.logic.measuring.of_customer import OfCustomer, read_of_customer
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.kernel.errors import Invalid
from amity.rules import (
    All,
    Condition,
    Did,
    Not,
    Operator,
    Rule,
    Where,
    decode_rule,
    encode_rule,
    fill_rule,
    mentions,
)
from amity.rules.conditions.metric import IsMetric
from amity.rules.conditions.ordered import Measure, Ordered
from amity.rules.measure import holds
from amity.rules.operator import OneOf, Span, is_number, operators

_MEASURES: Final[dict[str, Measure]] = {
    "": "orders",
    "net_minor": "net",
    "total_minor": "total",
    "refunded_minor": "refunded",
    "items": "items",
}
_OPERATORS: Final = {"is": "eq", "is_not": "ne", "at_least": "gte", "at_most": "lte"}


def read_rule(raw: dict[str, Any], connection: Connection | None = None) -> Rule:
    """Read a rule, each metric in it with what it means by the catalogue as it is now.

    Raises Invalid, also for a metric that is not there or cannot be said of one customer. Of a
    rule that names no metric nothing is looked up.
    """
    rule = decode_rule(raw)
    if not mentions(rule).metrics:
        return rule
    return decode_rule(fill_with(encode_rule(rule), catalogue.definitions(connection)))


def fill_with(rule: dict[str, Any], known: Mapping[str, MetricDefinition]) -> dict[str, Any]:
    """Return a rule's JSON with what each metric in it means by these definitions."""

    def fill(node: dict[str, Any]) -> dict[str, Any]:
        asked = decode_rule(node)
        if not isinstance(asked, IsMetric):
            return {}
        return {"means": encode_rule(expand(asked, known, settings().currency))}

    filled: dict[str, Any] = fill_rule(rule, fill)
    return filled


def expand(asked: IsMetric, known: Mapping[str, MetricDefinition], currency: str) -> Condition:
    """Return the condition that says what a metric does; raise Invalid when there is none."""
    found = read_of_customer(asked.metric, known)
    if found.is_flag:
        return _flag(asked, found, currency)
    if found.event:
        return _times(asked, found)
    number = _ordered(asked, found, asked.is_, currency)
    if found.per != "customer":
        return number
    # Divided by one customer, and not known of who has no order.
    return All((number, _ordered(asked, OfCustomer(where=found.where), _AT_LEAST_ONE, currency)))


_AT_LEAST_ONE: Final = operators["gte"](1)


def _ordered(asked: IsMetric, found: OfCustomer, test: Operator, currency: str) -> Condition:
    return Ordered(
        _MEASURES[found.column],
        test,
        currency,
        average=found.per == "order",
        where=tuple(map(_where, found.where)),
        within_days=asked.within_days,
        during=asked.during,
    )


def _where(test: Test) -> Where:
    return Where(test.column, operators[_OPERATORS[test.op]](test.value))


def _flag(asked: IsMetric, found: OfCustomer, currency: str) -> Condition:
    yes, no = holds(asked.is_, 1), holds(asked.is_, 0)
    if yes == no:
        raise Invalid(
            f"{asked.metric!r} is 1 or 0 for one customer, which this bound does not tell apart",
            code="bad_bound",
        )
    counted: Condition
    if found.event:
        counted = Did(found.event, within_days=asked.within_days, during=asked.during)
    else:
        counted = _ordered(asked, OfCustomer(where=found.where), _AT_LEAST_ONE, currency)
    return counted if yes else Not(counted)


def _times(asked: IsMetric, found: OfCustomer) -> Condition:
    """Say a bound on a number of events as the fewest and the most."""
    shape = asked.is_.shape()
    if isinstance(shape, OneOf) and len(shape.values) == 1 and is_number(shape.values[0]):
        value = shape.values[0]
        same = _did(asked, found, value, value)
        return Not(same) if shape.negated else same
    if not isinstance(shape, Span):
        raise Invalid(f"{asked.metric!r} is compared with one number, or two", code="bad_bound")
    low = None if shape.low is None else _whole(shape.low, is_open=shape.low_open)
    high = None if shape.high is None else -_whole(-shape.high, is_open=shape.high_open)
    return _did(asked, found, low, high)


def _whole(edge: float, *, is_open: bool) -> int:
    """Return the least whole number that is not below an edge, or above it when it is open."""
    return math.floor(edge) + 1 if is_open else math.ceil(edge)


def _did(asked: IsMetric, found: OfCustomer, low: float | None, high: float | None) -> Condition:
    if any(edge is not None and edge != int(edge) for edge in (low, high)):
        raise Invalid(f"{asked.metric!r} is a whole number", code="bad_bound")
    least = None if low is None or low <= 0 else int(low)
    if high is not None and high < max(least or 0, 0):
        raise Invalid(f"{asked.metric!r} is never so", code="bad_bound")
    if least is None and high is None:
        raise Invalid(f"{asked.metric!r} is always so", code="bad_bound")
    most = None if high is None else int(high)
    did = Did(found.event, (), least, most, asked.within_days, asked.during)
    # By way of JSON, so that the limits of counts are kept.
    decoded: Condition = decode_rule(encode_rule(did))
    return decoded
