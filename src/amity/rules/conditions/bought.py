"""``bought``: units, lines, spend or margin of the order lines that are like something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import msgspec

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import (
    EventFilter,
    Wheres,
    WindowDays,
    answer_of,
    check_window,
    describe_wheres,
)
from amity.rules.fragment import Fragment, join, sql
from amity.rules.measure import (
    EXACT,
    Exact,
    add_up,
    check_bound,
    currencies_sql,
    currency_of,
    holds,
    holds_sql,
    read_number,
)
from amity.rules.mentions import Mentions
from amity.rules.operator import answer_sql, json_value, operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator, Name, Where

Measure = Literal["units", "lines", "spend", "margin"]
Line = Mapping[str, Any]

_ORDER: Final = "Order Completed"
_LINES: Final = "products"
_MONEY: Final = frozenset({"spend", "margin"})
_WORDS: Final[Mapping[str, str]] = {
    "units": "the units bought",
    "lines": "the order lines",
    "spend": "the spend",
    "margin": "the margin",
}


@conditions.register("bought")
class Bought(Condition, frozen=True, tag="bought"):
    """A number worked out of the order lines that are like `lines`, beside a bound.

    Order lines are the objects in the list `products` of an order; `lines` tests their properties
    (`category`, `brand`, `product_id`, `sku` …), `where` those of the order.  `measure` is `units`
    (the sum of `quantity`; without a number it is 1, below 0 it is 0), `lines` (how many),
    `spend` (the sum of `price` × quantity; lines without a price from 0 up are left out) or
    `margin` (the sum of (`price` - `cost`) × quantity; lines without both are left out).  Of
    nothing the first three are 0; the margin is not known, and no test passes.  Money of different
    currencies is never added: when the orders of the lines that count name more than one
    `currency` (naming none is one too), spend and margin are not known; choose one by `where`.
    Orders count as they were placed: refunds and cancellations are not taken off.
    """

    measure: Measure
    is_: AnyOperator = msgspec.field(name="is")
    lines: Wheres = ()
    event: Name = _ORDER
    where: Wheres = ()
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        check_bound(self.is_)

    @property
    def events(self) -> EventFilter:
        """The orders whose lines are taken."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    @property
    def _is_money(self) -> bool:
        return self.measure in _MONEY

    def matches(self, subject: Subject, now: datetime) -> bool:
        numbers: list[Exact] = []
        currencies = set()
        for _, properties in self.events.list_found(subject, now):
            for line in _lines_of(properties):
                if all(test.matches(line, now) for test in self.lines):
                    number = _READ[self.measure](line)
                    if number is not None:
                        numbers.append(number)
                        currencies.add(currency_of(properties))
        if self._is_money and len(currencies) > 1:
            return False
        if self.measure == "margin" and not numbers:
            return False
        return holds(self.is_, add_up(numbers))

    def to_sql(self, selection: Selection) -> Fragment:
        properties = selection.catalogue.activity.properties
        number = _NUMBERS[self.measure]
        total = sql("sum({})", number)
        if self.measure != "margin":
            total = sql("coalesce({}, 0)", total)
        passes = holds_sql(self.is_, total)
        if self._is_money:
            passes = sql("({} AND {} <= 1)", passes, currencies_sql(number, properties))
        # Who bought nothing is in no row: when that passes too, those who do not pass are sought.
        is_absent = self.measure != "margin" and holds(self.is_, 0)
        having = sql("NOT {}", passes) if is_absent else passes
        found = self.events.join_having(selection, having, self._lines_sql(selection))
        return answer_of(found, is_absent=is_absent)

    def _lines_sql(self, selection: Selection) -> Fragment:
        tests = [Fragment("jsonb_typeof(l.line) = 'object'")]
        for test in self.lines:
            value = json_value(sql("(l.line -> {}::text)", test.property))
            tests.append(answer_sql(test.is_, test.is_.to_sql(value, selection.now)))
        listed = sql("({} -> {}::text)", selection.catalogue.activity.properties, _LINES)
        return sql(
            " JOIN LATERAL jsonb_array_elements("
            "CASE WHEN jsonb_typeof({}) = 'array' THEN {} ELSE '[]'::jsonb END) AS l(line) ON {}",
            listed,
            listed,
            join(" AND ", tests),
        )

    def describe(self, names: Names = NO_NAMES) -> str:
        window = self.events.describe_window()
        where = describe_wheres(self.lines)
        number = f"{_WORDS[self.measure]}{where}{window}"
        if self.event != _ORDER or self.where:
            number += f" of “{self.event}”{describe_wheres(self.where)}"
        return self.is_.describe(number)

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        changes = [self.events.next_change(subject, now)]
        timed = [test for test in self.lines if test.is_.is_timed]
        if timed:
            changes += [
                test.is_.next_change(line[test.property], now)
                for _, properties in subject.history.get(self.event, ())
                for line in _lines_of(properties)
                for test in timed
                if line.get(test.property) is not None
            ]
        return min((at for at in changes if at is not None), default=None)

    def mentions(self) -> Mentions:
        currency = ("currency",) if self._is_money else ()
        look = self.events.look((_LINES, *currency))
        if any(test.is_.is_timed for test in self.lines):
            look = msgspec.structs.replace(look, timed_days=None)
        return Mentions(looks={self.event: look}, is_timed=look.timed_days != 0.0)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        tea = (Where("category", operators["eq"]("Tea")),)
        euros = (Where("currency", operators["eq"]("EUR")),)
        own = (Where("brand", operators["in"](("a", "Own brand"))),)
        soon = (Where("best_before", operators["within_next"](30)),)
        at_least, at_most = operators["gte"], operators["lte"]
        return [
            cls("spend", at_least(50), tea, where=euros, within_days=90),
            cls("units", at_least(2), own),
            cls("lines", at_most(1), tea, during=Period("quarter", "last")),
            cls("spend", at_most(12.99)),
            cls("margin", at_most(0.5), within_days=30),
            cls("units", at_least(1), soon),
        ]


def _lines_of(properties: Mapping[str, Any]) -> list[Line]:
    listed = properties.get(_LINES)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _units(line: Line) -> Exact:
    quantity = read_number(line.get("quantity"))
    return 1 if quantity is None else max(quantity, 0)


def _amount(line: Line, name: str) -> Exact | None:
    """Return a price or a cost from 0 up."""
    amount = read_number(line.get(name))
    return None if amount is None or amount < 0 else amount


def _spend(line: Line) -> Exact | None:
    price = _amount(line, "price")
    return None if price is None else EXACT.multiply(price, _units(line))


def _margin(line: Line) -> Exact | None:
    price, cost = _amount(line, "price"), _amount(line, "cost")
    if price is None or cost is None:
        return None
    return EXACT.multiply(EXACT.subtract(price, cost), _units(line))


_READ: Final = {
    "units": _units,
    "lines": lambda line: 1,
    "spend": _spend,
    "margin": _margin,
}


def _amount_sql(name: str) -> Fragment:
    number = json_value(sql("(l.line -> {}::text)", name)).number
    return sql("CASE WHEN {} >= 0 THEN {} END", number, number)


_UNITS_SQL: Final = sql(
    "greatest(coalesce({}, 1), 0)", json_value(Fragment("(l.line -> 'quantity')")).number
)
_NUMBERS: Final[Mapping[str, Fragment]] = {
    "units": _UNITS_SQL,
    "lines": Fragment("1"),
    "spend": sql("({} * {})", _amount_sql("price"), _UNITS_SQL),
    "margin": sql("(({} - {}) * {})", _amount_sql("price"), _amount_sql("cost"), _UNITS_SQL),
}
