"""``aggregate``: a number worked out of a property of events: sum, average, least, most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
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
from amity.rules.fragment import Fragment, sql
from amity.rules.measure import (
    add_up,
    check_bound,
    currencies_sql,
    currency_of,
    holds,
    holds_sql,
    read_number,
)
from amity.rules.mentions import Mentions
from amity.rules.operator import Value, is_number, json_value, operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator, Name, Where

Measure = Literal["sum", "average", "smallest", "largest", "distinct"]

_WORDS: Final[Mapping[str, str]] = {
    "sum": "the sum of",
    "average": "the average",
    "smallest": "the smallest",
    "largest": "the largest",
    "distinct": "the number of different values of",
}


@conditions.register("aggregate")
class Aggregate(Condition, frozen=True, tag="aggregate"):
    """A number worked out of one property of the events in a window, beside a bound.

    `measure` is `sum`, `average`, `smallest`, `largest` or `distinct`: how many different texts,
    numbers and truths there are.  Events without the property, or with one that is no number, are
    left out (of `distinct`: those without it, or with a list or an object).  The sum of nothing is
    0 and nothing has 0 different values; the average, smallest and largest of nothing are not
    known, and no test passes.  Money of different currencies is never added: when the events that
    count name more than one `currency` (naming none is one too) the number is not known, unless
    `mixes_currencies` says that the property is no money.
    """

    measure: Measure
    property_: Name = msgspec.field(name="property")
    event: Name
    is_: AnyOperator = msgspec.field(name="is")
    where: Wheres = ()
    within_days: WindowDays | None = None
    during: Period | None = None
    mixes_currencies: bool = False

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        check_bound(self.is_)

    @property
    def events(self) -> EventFilter:
        """The events whose property is taken."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    @property
    def _asks_currency(self) -> bool:
        return self.measure != "distinct" and not self.mixes_currencies

    @property
    def _is_known_of_nothing(self) -> bool:
        return self.measure in ("sum", "distinct")

    def matches(self, subject: Subject, now: datetime) -> bool:
        found = [properties for _, properties in self.events.list_found(subject, now)]
        if self.measure == "distinct":
            values = (_key(properties.get(self.property_)) for properties in found)
            return holds(self.is_, len({value for value in values if value is not None}))
        counted = [each for each in found if is_number(each.get(self.property_))]
        if self._asks_currency and len({currency_of(each) for each in counted}) > 1:
            return False
        numbers = [read_number(each[self.property_]) for each in counted]
        return self._holds([number for number in numbers if number is not None])

    def _holds(self, numbers: list[Any]) -> bool:
        if self.measure == "sum":
            return holds(self.is_, add_up(numbers))
        if not numbers:
            return False
        if self.measure == "average":
            return holds(self.is_, add_up(numbers), len(numbers))
        return holds(self.is_, min(numbers) if self.measure == "smallest" else max(numbers))

    def to_sql(self, selection: Selection) -> Fragment:
        properties = selection.catalogue.activity.properties
        value = json_value(sql("({} -> {}::text)", properties, self.property_))
        passes = self._passes_sql(value)
        if self._asks_currency:
            passes = sql("({} AND {} <= 1)", passes, currencies_sql(value.number, properties))
        # Who did nothing is in no row: when nothing passes too, those who do not pass are sought.
        is_absent = self._is_known_of_nothing and holds(self.is_, 0)
        having = sql("NOT {}", passes) if is_absent else passes
        found = self.events.join_having(selection, having)
        return answer_of(found, is_absent=is_absent)

    def _passes_sql(self, value: Value) -> Fragment:
        number = value.number
        match self.measure:
            case "sum":
                return holds_sql(self.is_, sql("coalesce(sum({}), 0)", number))
            case "average":
                return holds_sql(self.is_, sql("sum({})", number), sql("count({})", number))
            case "smallest":
                return holds_sql(self.is_, sql("min({})", number))
            case "largest":
                return holds_sql(self.is_, sql("max({})", number))
            case _:
                return holds_sql(self.is_, _distinct(value))

    def describe(self, names: Names = NO_NAMES) -> str:
        window = self.events.describe_window()
        number = f"{_WORDS[self.measure]} {self.property_} of “{self.event}”{window}"
        return self.is_.describe(number) + describe_wheres(self.where)

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self.events.next_change(subject, now)

    def mentions(self) -> Mentions:
        currency = ("currency",) if self._asks_currency else ()
        look = self.events.look((self.property_, *currency))
        return Mentions(looks={self.event: look}, is_timed=self.events.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        euros = (Where("currency", operators["eq"]("EUR")),)
        at_least, below = operators["gte"], operators["lt"]
        return [
            cls("sum", "total", "Order Completed", at_least(100), euros, within_days=90),
            cls("sum", "total", "Order Completed", below(0.3)),
            cls("average", "score", "Survey Answered", at_least(0.1), mixes_currencies=True),
            cls("smallest", "total", "Order Completed", operators["between"](1, 5)),
            cls("largest", "total", "Order Completed", operators["ne"](5), within_days=7),
            cls("distinct", "product_id", "Product Viewed", at_least(2), during=Period("week")),
            cls("distinct", "product_id", "Product Viewed", below(2)),
        ]


def _key(value: Any) -> tuple[str, Any] | None:
    """Return what tells values apart: the number 1 and 1.0 are one, true is another."""
    if is_number(value):
        return "number", Fraction(read_number(value) or 0)
    if isinstance(value, bool | str):
        return type(value).__name__, value
    return None


def _distinct(value: Value) -> Fragment:
    truth = sql(
        "CASE WHEN {} = 'true'::jsonb THEN 1 WHEN {} = 'false'::jsonb THEN 0 END",
        value.json,
        value.json,
    )
    return sql(
        "(count(DISTINCT {}) + count(DISTINCT {}) + count(DISTINCT {}))",
        value.number,
        value.text,
        truth,
    )
