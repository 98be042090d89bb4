"""``ordered``: a number worked out of the orders as they stand, refunds and cancellations off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from msgspec import Meta

from amity.kernel.money import exponent_of
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
from amity.rules.measure import add_up, check_bound, holds, holds_sql
from amity.rules.mentions import Look, Mentions
from amity.rules.operator import answer_sql, column_value, operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import ORDER_COLUMNS, Subject
from amity.rules.where import AnyOperator, Where

Measure = Literal["orders", "net", "total", "refunded", "items"]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]

_PLACED: Final = "Order Completed"
_CHANGING: Final = ("Order Refunded", "Order Cancelled")
_COLUMNS: Final[Mapping[str, str]] = {
    "net": "net_minor",
    "total": "total_minor",
    "refunded": "refunded_minor",
    "items": "items",
}
_MONEY: Final = frozenset({"net", "total", "refunded"})
_WORDS: Final[Mapping[str, str]] = {
    "orders": "the number of orders",
    "net": "what the orders brought",
    "total": "the orders' totals",
    "refunded": "what was refunded of the orders",
    "items": "the items of the orders",
}
_AVERAGE_WORDS: Final[Mapping[str, str]] = {
    "net": "what an order brought",
    "total": "an order's total",
    "refunded": "what was refunded of an order",
    "items": "the items of an order",
}


@conditions.register("ordered")
class Ordered(Condition, frozen=True, tag="ordered"):
    """A number worked out of the orders of one currency as they stand, beside a bound.

    Each order counts once, however often it was told; cancelled ones do not count. `measure` is
    `orders` (how many), `net` (their totals, refunds taken off), `total`, `refunded` or `items`;
    money is in units of the `currency`, and orders in others are left out. With `average` it is
    that of one order; of no orders that is not known, and no test passes, while a sum is 0.
    `where` tests `total_minor`, `refunded_minor`, `net_minor` or `items` of each order. An order
    is in the window by when it was placed.
    """

    measure: Measure
    is_: AnyOperator = msgspec.field(name="is")
    currency: Currency
    average: bool = False
    where: Wheres = ()
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        check_bound(self.is_)
        if self.average and self.measure == "orders":
            raise ValueError("the number of orders has no average")
        for test in self.where:
            if test.property not in ORDER_COLUMNS:
                raise ValueError(f"of an order can be tested: {', '.join(ORDER_COLUMNS)}")

    @property
    def _filter(self) -> EventFilter:
        return EventFilter(_PLACED, self.where, self.within_days, self.during)

    @property
    def _scale(self) -> int:
        """How many of what is added up make one of what the bound is said in."""
        return int(10 ** exponent_of(self.currency)) if self.measure in _MONEY else 1

    def matches(self, subject: Subject, now: datetime) -> bool:
        found = self._filter.list_found(self._as_events(subject), now)
        if self.measure == "orders":
            return holds(self.is_, len(found))
        column = _COLUMNS[self.measure]
        number = add_up(values[column] for _, values in found)
        if self.average:
            return bool(found) and holds(self.is_, number, len(found) * self._scale)
        return holds(self.is_, number, self._scale)

    def _as_events(self, subject: Subject) -> Subject:
        """Return the orders of the currency as if they were events: windows are the same."""
        happened: list[tuple[datetime, Mapping[str, Any]]] = [
            (order.placed_at, {name: getattr(order, name) for name in ORDER_COLUMNS})
            for order in subject.orders
            if order.currency == self.currency
        ]
        return Subject(history={_PLACED: happened})

    def to_sql(self, selection: Selection) -> Fragment:
        orders = selection.catalogue.orders
        passes = self._passes_sql(orders.columns)
        # Who ordered nothing is in no row: when that passes too, those who do not pass are sought.
        is_absent = not self.average and holds(self.is_, 0)
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE {} GROUP BY 1 HAVING {}",
                orders.profile_id,
                orders.relation,
                join(" AND ", self._tests_sql(selection)),
                sql("NOT {}", passes) if is_absent else passes,
            )
        )
        return answer_of(found, is_absent=is_absent)

    def _passes_sql(self, columns: Mapping[str, Fragment]) -> Fragment:
        if self.measure == "orders":
            return holds_sql(self.is_, Fragment("count(*)"))
        number = sql("sum({})", columns[_COLUMNS[self.measure]])
        scale = Fragment(str(self._scale))
        return holds_sql(self.is_, number, sql("count(*) * {}", scale) if self.average else scale)

    def _tests_sql(self, selection: Selection) -> list[Fragment]:
        orders, now = selection.catalogue.orders, selection.now
        tests = [
            sql("{} = {}", orders.currency, self.currency),
            sql("{} <= {}", orders.placed_at, now),
        ]
        if self.within_days is not None:
            tests.append(sql("{} > {}", orders.placed_at, now - timedelta(days=self.within_days)))
        if self.during is not None:
            begin, end = self.during.bounds(now)
            tests.append(sql("{} >= {}", orders.placed_at, begin))
            tests.append(sql("{} < {}", orders.placed_at, end))
        for test in self.where:
            value = column_value(orders.columns[test.property], "number")
            tests.append(answer_sql(test.is_, test.is_.to_sql(value, now)))
        return tests

    def describe(self, names: Names = NO_NAMES) -> str:
        words = (_AVERAGE_WORDS if self.average else _WORDS)[self.measure]
        if self.average:
            words = f"on average {words}"
        unit = f" ({self.currency})"
        window = self._filter.describe_window()
        return self.is_.describe(words + unit + window) + describe_wheres(self.where)

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self._filter.next_change(self._as_events(subject), now)

    def mentions(self) -> Mentions:
        # Nothing of the histories is read: the orders are folded of these events.
        nothing = Look(timed_days=self._filter.look().timed_days)
        looks = {_PLACED: nothing, **dict.fromkeys(_CHANGING, Look())}
        return Mentions(looks=looks, orders=True, is_timed=self._filter.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((_PLACED, ()), *((name, ()) for name in _CHANGING))

    @classmethod
    def examples(cls) -> Iterable[Self]:
        at_least, below = operators["gte"], operators["lt"]
        large = (Where("net_minor", at_least(50)),)
        return [
            cls("net", at_least(1), "EUR", within_days=90),
            cls("orders", at_least(2), "EUR", where=large),
            cls("net", at_least(0.3), "EUR", average=True, within_days=30),
            cls("refunded", below(0.5), "EUR", during=Period("month", "last")),
            cls("items", operators["between"](1, 4), "JPY"),
        ]
