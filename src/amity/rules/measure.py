"""Numbers worked out of many events, exactly: sums and averages compared without rounding.

Whatever a number of an event is, its shortest decimal is what is added, in memory as in SQL; an
average is compared as its sum with so many times the bound, so that nothing is ever divided.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact
from typing import Any, Final

from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import OneOf, Operator, Span, exact, is_number, json_value

Exact = int | Decimal

# Twice the digits of the least float beside the greatest number are well within.
EXACT: Final = Context(prec=2000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""Arithmetic that never rounds the numbers events can carry, nor a product of two of them."""


def check_bound(test: Operator) -> None:
    """Raise ValueError for a test that is not of a number."""
    if "number" not in test.accepts or test.shape() is None:
        raise ValueError(f"{test.label!r} does not go with a number that is worked out")


def read_number(value: Any) -> Exact | None:
    """Return a value as it is added up; None when it is no number."""
    return exact(value) if is_number(value) else None


def add_up(numbers: Iterable[Exact]) -> Exact:
    """Return the sum, without rounding; 0 of nothing."""
    total: Exact = 0
    for number in numbers:
        is_whole = isinstance(total, int) and isinstance(number, int)
        total = total + number if is_whole else EXACT.add(Decimal(total), Decimal(number))
    return total


def holds(test: Operator, number: Exact, times: int = 1) -> bool:
    """Say whether ``number`` is to ``times`` what the test says of it to one."""
    shape = test.shape()
    if isinstance(shape, OneOf):
        is_one = any(number == _bound(value, times) for value in shape.values if is_number(value))
        return is_one is not shape.negated
    assert isinstance(shape, Span)
    return all(_SIGNS[sign](number, _bound(edge, times)) for sign, edge in _edges(shape))


_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _edges(shape: Span) -> list[tuple[str, Any]]:
    """Return what a number must be to each edge of a span."""
    both = (
        (">" if shape.low_open else ">=", shape.low),
        ("<" if shape.high_open else "<=", shape.high),
    )
    return [(sign, edge) for sign, edge in both if edge is not None]


def _bound(value: Any, times: int) -> Decimal:
    return EXACT.multiply(Decimal(exact(value)), Decimal(times))


def holds_sql(test: Operator, number: Fragment, times: Fragment | None = None) -> Fragment:
    """Return the same as a condition; NULL where ``number`` is."""
    shape = test.shape()
    if isinstance(shape, OneOf):
        among = [
            sql("{} = {}", number, _bound_sql(value, times))
            for value in shape.values
            if is_number(value)
        ]
        found = sql("({})", join(" OR ", among)) if among else sql("false")
        return sql("(NOT {})", found) if shape.negated else found
    assert isinstance(shape, Span)
    tests = [
        sql("{} {} {}", number, Fragment(sign), _bound_sql(edge, times))
        for sign, edge in _edges(shape)
    ]
    return sql("({})", join(" AND ", tests))


def _bound_sql(value: Any, times: Fragment | None) -> Fragment:
    bound = Decimal(exact(value))
    return sql("{}", bound) if times is None else sql("{} * {}", bound, times)


def currency_of(properties: Mapping[str, Any]) -> str:
    """Return the currency an event names, as it stands there; empty when it names none."""
    named = properties.get("currency")
    return named if isinstance(named, str) else ""


def currencies_sql(number: Fragment, properties: Fragment) -> Fragment:
    """Return how many currencies the rows that have a number name; naming none is one too."""
    named = json_value(sql("({} -> 'currency')", properties)).text
    return sql("count(DISTINCT CASE WHEN {} IS NOT NULL THEN coalesce({}, '') END)", number, named)
