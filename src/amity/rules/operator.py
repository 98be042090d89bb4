"""The base of every operator: one test of one value, with its faces.

An operator is one file in `rules/operators/`; `amity.testing.rules_kit` proves that its faces
agree.  A missing value (absent, or JSON null) never reaches an operator: the rule answers for it
with ``matches_missing``, so that memory and SQL cannot differ on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeGuard

import msgspec
from msgspec import Meta

from amity.kernel.clock import parse_instant
from amity.kernel.registry import Registry
from amity.rules.fragment import Fragment, sql

ValueType = Literal["text", "number", "flag", "instant", "list"]
ParameterKind = Literal["scalar", "scalars", "text", "number", "instant", "days", "zone"]
Bind = Callable[[object], str]
"""Gives a constant a generated name under which compiled source can reach it."""

NUMBERS: Final = frozenset({int, float})
_INT64: Final = 2**63
MAX_DAYS: Final = 36_500

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Days = Annotated[float, Meta(gt=0, le=MAX_DAYS)]
Number = int | float
Scalar = Annotated[str, Meta(max_length=1000)] | int | float | bool


class Parameter(msgspec.Struct, frozen=True):
    """One constant an operator takes: its key in the JSON and what to ask for."""

    name: str
    kind: ParameterKind


class OneOf(msgspec.Struct, frozen=True):
    """The test is membership of these values, or with ``negated`` the contrary."""

    values: tuple[Any, ...]
    negated: bool = False


class Span(msgspec.Struct, frozen=True):
    """The test is lying between two numbers; None is open-ended."""

    low: Number | None = None
    high: Number | None = None
    low_open: bool = False
    high_open: bool = False


class Value(msgspec.Struct, frozen=True):
    """One field as SQL sees it; each face is NULL when the value is not of that type."""

    json: Fragment
    text: Fragment
    number: Fragment
    instant: Fragment


# Each of its type, so that engines which resolve functions by type know which is meant.
_NO_TEXT: Final = Fragment("NULL::text")
_NO_NUMBER: Final = Fragment("NULL::numeric")
_NO_INSTANT: Final = Fragment("NULL::timestamptz")


def json_value(json: Fragment) -> Value:
    """Return the faces of an expression of type jsonb."""
    text = sql("CASE jsonb_typeof({}) WHEN 'string' THEN {} #>> ARRAY[]::text[] END", json, json)
    return Value(
        json=sql("NULLIF({}, 'null'::jsonb)", json),
        text=text,
        number=sql("CASE jsonb_typeof({}) WHEN 'number' THEN ({})::numeric END", json, json),
        instant=sql("amity_instant({})", text),
    )


def column_value(column: Fragment, kind: ValueType) -> Value:
    """Return the faces of a typed column of text, number (numeric) or instant (timestamptz)."""
    instant = sql("amity_instant({})", column) if kind == "text" else _NO_INSTANT
    return Value(
        json=sql("to_jsonb({})", column),
        text=column if kind == "text" else _NO_TEXT,
        number=column if kind == "number" else _NO_NUMBER,
        instant=column if kind == "instant" else instant,
    )


class Operator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """A test of one value against constants.

    ``matches``, the compiled ``source`` and ``to_sql`` must agree on every value, those of
    another type than the operator is for included.
    """

    label: ClassVar[str]
    """The words a person chooses it by, as in "country *is one of* …"."""
    accepts: ClassVar[frozenset[ValueType]]
    parameters: ClassVar[tuple[Parameter, ...]]
    matches_missing: ClassVar[bool] = False
    is_timed: ClassVar[bool] = False
    """Whether the answer changes as time passes; then ``next_change`` says when."""

    refuses_none: ClassVar[bool] = False
    """Whether ``source`` is false of None, and mentions its variable first where it is first
    evaluated; then the compiled rule need not look for None before."""

    def matches(self, actual: Any, now: datetime) -> bool:
        """Say whether ``actual``, which is not None, passes."""
        raise NotImplementedError

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        """Return a condition; NULL counts as ``matches_missing``."""
        raise NotImplementedError

    def describe(self, field: str) -> str:
        """Say the test in words."""
        raise NotImplementedError

    def source(self, x: str, bind: Bind) -> str:
        """Return Python source of the test of the variable ``x``; every constant is bound."""
        return f"{bind(self.matches)}({x}, now)"

    def next_change(self, actual: Any, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which the answer may differ."""
        return None

    def shape(self) -> OneOf | Span | None:
        """Say what the test is to an index; None when only ``matches`` can tell."""
        return None

    @classmethod
    def examples(cls) -> Iterable[Self]:
        """Return instances for the conformance kit and the reference."""
        raise NotImplementedError


def answer_sql(operator: Operator, condition: Fragment) -> Fragment:
    """Return an operator's condition with its answer for a missing value: never NULL."""
    if operator.matches_missing:
        return sql("coalesce({}, true)", condition)
    return sql("coalesce({}, false)", condition)


operators: Registry[Operator] = Registry(Operator, group="amity.operators")


def is_number(actual: object) -> TypeGuard[Number]:
    """Say whether a value is a number; to Python a truth would be one too."""
    return actual.__class__ in NUMBERS


def instant_of(actual: object) -> datetime | None:
    """Read a value as an instant: a column's datetime, or a text that is one."""
    if isinstance(actual, datetime):
        return actual
    return parse_instant(actual) if isinstance(actual, str) else None


def read_instant(text: str) -> datetime:
    """Read a rule's constant; raise ValueError with the reason when it is no instant."""
    moment = parse_instant(text)
    if moment is None:
        raise ValueError(f"{text!r} is not a date such as 2026-01-31 or 2026-01-31T08:00:00Z")
    return moment


def check_number(value: object) -> None:
    """Raise ValueError for a number that no event can carry, so no rule should hold."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise ValueError("the number does not fit in 64 bits")
    if isinstance(value, float) and not abs(value) < _INT64:
        raise ValueError("the number is too large")


def exact(value: Number) -> int | Decimal:
    """Return the number as SQL must see it to order it as memory does.

    A whole float is exactly an integer; any other is below 2**53, where the shortest decimal
    that reads back as the float orders among such decimals as the floats do.
    """
    if isinstance(value, int) or value.is_integer():
        return int(value)
    return Decimal(repr(value))


def shift(moment: datetime, days: float) -> datetime | None:
    """Return ``moment`` some days later; None when that is past the end of the calendar."""
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return None


def quote(value: object) -> str:
    """Write a constant for people."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{value}”" if isinstance(value, str) else f"{value:,}"


def quote_days(days: float) -> str:
    """Write a length of time for people: "30 days", "1 day", "6 hours"."""
    for unit, size in (("day", 1.0), ("hour", 1 / 24), ("minute", 1 / 1440)):
        count = days / size
        if abs(count - round(count)) < 1e-6 and round(count) > 0:
            return f"{round(count):,} {unit}{'' if round(count) == 1 else 's'}"
    return f"{days:g} days"


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class OperatorWords(msgspec.Struct, frozen=True):
    """What a screen needs to offer an operator."""

    op: str
    label: str
    parameters: tuple[Parameter, ...]
    accepts: tuple[ValueType, ...]
    example: dict[str, Any]


def name_of(operator: type[Operator]) -> str:
    """Return the name an operator has in JSON."""
    tag = operator.__struct_config__.tag
    if not isinstance(tag, str) or not _NAME.match(tag):
        raise TypeError(f"{operator!r} needs a tag of small letters, digits and underscores")
    return tag


def list_operators() -> list[OperatorWords]:
    """Return every operator there is, for builders and for the reference; by name."""
    return sorted(
        (
            OperatorWords(
                op=name_of(kind),
                label=kind.label,
                parameters=kind.parameters,
                accepts=tuple(sorted(kind.accepts)),
                example=msgspec.to_builtins(next(iter(kind.examples()))),
            )
            for kind in operators
        ),
        key=lambda info: info.op,
    )
