"""Constants of a rule as parts of a syntax tree, which writes them out quoted for its engine."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlglot import exp

from amity.kernel.errors import Invalid

_DAY_SECONDS: Final = 86_400
_MILLION: Final = 1_000_000


def literal(value: Any) -> exp.Expr:
    """Return a constant as an expression; raise Invalid for what SQL has no word for."""
    for kind, say in _WORDS:
        if isinstance(value, kind):
            return say(value)
    raise Invalid(f"a {type(value).__name__} cannot be said to the warehouse", code="no_batch")


def _instant(value: datetime) -> exp.Expr:
    text = exp.Literal.string(value.astimezone(UTC).isoformat(sep=" "))
    return exp.cast(text, exp.DataType.Type.TIMESTAMPTZ)


def _day(value: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(value.isoformat()), exp.DataType.Type.DATE)


def number(value: int | float | Decimal) -> exp.Expr:
    """Return a number, written in full: as many digits as it has."""
    if isinstance(value, float):
        value = Decimal(repr(value))
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    positive = exp.Literal.number(text.removeprefix("-"))
    return exp.Neg(this=positive) if text.startswith("-") else positive


def interval(value: timedelta) -> exp.Expr:
    """Return a length of time in microseconds, which all engines count alike."""
    microseconds = (value.days * _DAY_SECONDS + value.seconds) * _MILLION + value.microseconds
    return exp.Interval(this=exp.Literal.string(str(microseconds)), unit=exp.var("MICROSECOND"))


def value_of(node: exp.Expr) -> int | Decimal | None:
    """Return the number a constant is; None when it is none."""
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return value_of(node.this)
    if isinstance(node, exp.Neg):
        found = value_of(node.this)
        return None if found is None else -found
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    return Decimal(node.this) if "." in node.this else int(node.this)


def floor_of(value: int | Decimal) -> int:
    """Return the whole number at or below a number."""
    return math.floor(value)


# In this order: a truth is an int to Python, and an instant a date.
_WORDS: Final[list[tuple[Any, Callable[[Any], exp.Expr]]]] = [
    (type(None), lambda value: exp.Null()),
    (bool, lambda value: exp.Boolean(this=value)),
    ((int, float, Decimal), number),
    (str, exp.Literal.string),
    (datetime, _instant),
    (date, _day),
    (timedelta, interval),
    (list | tuple, lambda value: exp.Array(expressions=[literal(each) for each in value])),
]
