"""The business at a glance: acquisition, expansion, retention, each beside the time before."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts import Concentration, ConcentrationPoint, Figure
from amity.analysis.estimator import IntArray
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.overview_statistics import Measure
from amity.infra.columns import fetch_columns
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.infra.queries import load
from amity.kernel.errors import Invalid
from amity.kernel.money import exponent_of, format_minor

_EPOCH: Final = date(1970, 1, 1)
_WEEK: Final = 7
_MAX_DAYS: Final = 730
_TOP: Final = 0.2
_POINTS: Final = 100

# For each figure its title and its definition.
_HEADS: Final[dict[str, tuple[str, str]]] = {
    "acquisition": (
        "Acquisition",
        "Customers whose first order, in whatever currency, was in the window. The interval (95 %) "
        "is that of a count of independent happenings.",
    ),
    "expansion": (
        "Expansion",
        "Revenue in the window (orders in the home currency, refunds taken off) "
        "divided by the customers with such an order in it. The trend is by week. The interval "
        "(95 %) comes from how customers differ.",
    ),
    "retention": (
        "Retention",
        "Of the customers who ordered in the window before, in whatever currency, the share who "
        "ordered in this one. The trend moves both windows week by week. The interval (95 %) is "
        "Wilson's.",
    ),
    "active_customers": (
        "Active customers",
        "Customers with at least one order in the window, in whatever currency, that was not "
        "cancelled.",
    ),
    "revenue": (
        "Revenue",
        "The sum of all orders in the home currency in the window, refunds taken off. "
        "The interval (95 %) is that of a sum over customers who come by chance.",
    ),
}


class _Orders(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Orders of the days looked at, first day first; customers numbered from zero."""

    customer: IntArray
    customers: int
    day: IntArray
    revenue: IntArray
    is_ours: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Whether an order is in the home currency; the revenue of the others is not known."""
    first_day: IntArray
    """Days on which customers bought for the first time, one place a customer."""
    start: int | None
    """The day of the very first order."""

    def between(self, after: int, until: int) -> slice:
        """Return where the orders of days (after, until] are."""
        first, last = np.searchsorted(self.day, [after + 1, until + 1])
        return slice(int(first), int(last))

    def active(self, after: int, until: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Say of each customer whether he or she ordered in days (after, until]."""
        flags = np.zeros(self.customers, np.bool_)
        flags[self.customer[self.between(after, until)]] = True
        return flags

    def revenue_of_active(self, after: int, until: int) -> IntArray:
        """Return the revenue of each customer with an order of ours in days (after, until]."""
        inside = self.between(after, until)
        ours = self.is_ours[inside]
        customer = self.customer[inside][ours]
        sums = np.bincount(customer, weights=self.revenue[inside][ours], minlength=self.customers)
        flags = np.zeros(self.customers, np.bool_)
        flags[customer] = True
        revenue: IntArray = sums[flags].astype(np.int64)
        return revenue

    def say_others(self, after: int, until: int) -> str:
        """Say how many orders of these days have no part in revenue, if any."""
        number = int((~self.is_ours[self.between(after, until)]).sum())
        if not number:
            return ""
        some = f"{number:,} orders in other currencies are"
        return f" {'1 order in another currency is' if number == 1 else some} left out."


class _Span(msgspec.Struct, frozen=True, kw_only=True):
    """The window: ``days`` days, the last of which is ``today`` (since 1970-01-01)."""

    today: int
    days: int

    @property
    def weeks(self) -> list[tuple[int, int]]:
        """The weeks (after, until] of this window and the one before, first week first."""
        number = 2 * self.days // _WEEK
        return [
            (self.today - _WEEK * (place + 1), self.today - _WEEK * place)
            for place in reversed(range(number))
        ]


def overview(*, now: datetime, days: int = 90) -> list[Figure]:
    """Return the figures of the last ``days`` days (UTC, today included), with their words.

    ``before`` is the same figure of as many days before; None when the shop did not yet sell
    during all of them. Shares are in 0..1, money in units of the home currency. Raises Invalid
    when ``days`` is not from 7 to 730.
    """
    if not _WEEK <= days <= _MAX_DAYS:
        raise Invalid(f"an overview covers {_WEEK} to {_MAX_DAYS} days", code="bad_days")
    span = _Span(today=_day(now), days=days)
    currency = settings().currency
    with transaction("readonly") as connection:
        orders = _read(connection, span, now, currency)
    scale = 10.0 ** exponent_of(currency)
    return [
        _acquisition(orders, span),
        _expansion(orders, span, currency, scale),
        _retention(orders, span),
        _active(orders, span),
        _revenue(orders, span, currency, scale),
    ]


def _day(moment: datetime) -> int:
    return (moment.astimezone(UTC).date() - _EPOCH).days


def _read(connection: Connection, span: _Span, now: datetime, currency: str) -> _Orders:
    sql = load("amity.analysis")
    # The first week of retention's trend looks back one window, and its base another.
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=span.today - 4 * span.days + 1)
    profile, day, revenue = fetch_columns(
        connection, sql["overview_orders"], [currency, since, now], width=3
    )
    first, number = fetch_columns(connection, sql["overview_first_orders"], [now], width=2)
    order = np.argsort(day, kind="stable")
    known, customer = np.unique(profile[order], return_inverse=True)
    return _Orders(
        customer=customer.astype(np.int64),
        customers=len(known),
        day=day[order],
        revenue=np.maximum(revenue[order], 0),
        is_ours=revenue[order] >= 0,
        first_day=np.sort(np.repeat(first, number)),
        start=int(first.min()) if len(first) else None,
    )


def _figure(
    *,
    name: str,
    unit: str,
    measures: tuple[Measure, Measure | None],
    trend: list[tuple[date, float]],
    sentence: str,
) -> Figure:
    now, before = measures
    title, definition = _HEADS[name]
    return Figure(
        name=name,
        title=title,
        unit=unit,
        value=now.value,
        before=None if before is None else before.value,
        low=now.low,
        high=now.high,
        trend=trend,
        sentence=f"{sentence} {_compare(now, before)}".strip(),
        definition=definition,
    )


def _compare(now: Measure, before: Measure | None) -> str:
    """Say whether a change means something."""
    if now.value is None:
        return ""
    if before is None or before.value is None:
        return "There is no full period before to compare with."
    if now.value == before.value:
        return "That is the same as in the period before."
    if statistics.is_within_chance(now, before):
        return "A difference as small as this to the period before can be chance."
    direction = "more" if now.value > before.value else "less"
    if not before.value:
        return f"That is {direction} than in the period before, beyond chance."
    change = abs(now.value / before.value - 1)
    return f"That is {change:.0%} {direction} than in the period before, beyond chance."


def _windows(orders: _Orders, span: _Span, *, reach: int = 1) -> tuple[int, int, bool]:
    """Return the day before this window, the day before the previous, and if that one counts.

    ``reach`` is how many windows a figure looks back to: 2 for retention.
    """
    after, earlier = span.today - span.days, span.today - 2 * span.days
    first = span.today - (reach + 1) * span.days + 1
    return after, earlier, orders.start is not None and orders.start <= first


def _since(orders: _Orders, weeks: list[tuple[int, int]], needed: int) -> list[tuple[int, int]]:
    """Leave out the weeks for which the shop had not sold for ``needed`` days."""
    if orders.start is None:
        return []
    return [week for week in weeks if week[1] - needed + 1 >= orders.start]


def _week_of(after: int) -> date:
    return _EPOCH + timedelta(days=after + 1)


def _acquisition(orders: _Orders, span: _Span) -> Figure:
    def new(after: int, until: int) -> int:
        first, last = np.searchsorted(orders.first_day, [after + 1, until + 1])
        return int(last - first)

    after, earlier, comparable = _windows(orders, span)
    number = new(after, span.today)
    people = "1 customer" if number == 1 else f"{number:,} customers"
    return _figure(
        name="acquisition",
        unit="customers",
        measures=(
            statistics.count(number),
            statistics.count(new(earlier, after)) if comparable else None,
        ),
        trend=[
            (_week_of(week[0]), float(new(*week))) for week in _since(orders, span.weeks, _WEEK)
        ],
        sentence=f"{people} ordered for the first time in the last {span.days} days.",
    )


def _expansion(orders: _Orders, span: _Span, currency: str, scale: float) -> Figure:
    def measure(after: int, until: int) -> Measure:
        return statistics.mean(orders.revenue_of_active(after, until), scale)

    after, earlier, comparable = _windows(orders, span)
    now = measure(after, span.today)
    sentence = f"Nobody ordered in the last {span.days} days."
    if now.value is not None:
        amount = format_minor(round(now.value * scale), currency)
        sentence = f"A customer who ordered in the last {span.days} days spent {amount}."
    sentence += orders.say_others(after, span.today)
    weekly = ((week, measure(*week)) for week in _since(orders, span.weeks, _WEEK))
    return _figure(
        name="expansion",
        unit=currency,
        measures=(now, measure(earlier, after) if comparable else None),
        trend=[(_week_of(week[0]), week_now.value or 0.0) for week, week_now in weekly],
        sentence=sentence,
    )


def _retention(orders: _Orders, span: _Span) -> Figure:
    def measure(until: int) -> Measure:
        base = orders.active(until - 2 * span.days, until - span.days)
        again = base & orders.active(until - span.days, until)
        return statistics.share(int(again.sum()), int(base.sum()))

    _, _, comparable = _windows(orders, span, reach=2)
    now = measure(span.today)
    sentence = f"Nobody ordered in the {span.days} days before the last {span.days}."
    if now.value is not None:
        sentence = (
            f"{now.value:.0%} of those who ordered in the {span.days} days before "
            f"ordered again in the last {span.days}."
        )
    weeks = _since(orders, span.weeks, 2 * span.days)
    return _figure(
        name="retention",
        unit="share",
        measures=(now, measure(span.today - span.days) if comparable else None),
        trend=[(_week_of(week[0]), measure(week[1]).value or 0.0) for week in weeks],
        sentence=sentence,
    )


def _active(orders: _Orders, span: _Span) -> Figure:
    def measure(after: int, until: int) -> Measure:
        return statistics.count(int(orders.active(after, until).sum()))

    after, earlier, comparable = _windows(orders, span)
    now = measure(after, span.today)
    number = int(now.value or 0)
    people = "1 customer" if number == 1 else f"{number:,} customers"
    weeks = _since(orders, span.weeks, _WEEK)
    return _figure(
        name="active_customers",
        unit="customers",
        measures=(now, measure(earlier, after) if comparable else None),
        trend=[(_week_of(week[0]), measure(*week).value or 0.0) for week in weeks],
        sentence=f"{people} ordered in the last {span.days} days.",
    )


def _revenue(orders: _Orders, span: _Span, currency: str, scale: float) -> Figure:
    def measure(after: int, until: int) -> Measure:
        return statistics.total(orders.revenue_of_active(after, until), scale)

    after, earlier, comparable = _windows(orders, span)
    now = measure(after, span.today)
    amount = format_minor(round((now.value or 0.0) * scale), currency)
    weeks = _since(orders, span.weeks, _WEEK)
    return _figure(
        name="revenue",
        unit=currency,
        measures=(now, measure(earlier, after) if comparable else None),
        trend=[(_week_of(week[0]), measure(*week).value or 0.0) for week in weeks],
        sentence=f"Customers spent {amount} in the last {span.days} days."
        f"{orders.say_others(after, span.today)}",
    )


def concentration() -> Concentration:
    """Return how far revenue hangs on few customers, with the whole curve."""
    currency = settings().currency
    with transaction("readonly") as connection:
        (revenues,) = fetch_columns(
            connection, load("amity.analysis")["overview_revenues"], [], width=1
        )
    total = int(revenues.sum())
    shares = np.cumsum(revenues) / total if total else np.zeros(len(revenues))
    definition = (
        "All customers who ever ordered, those who brought most first (all their orders, refunds "
        "taken off, home currency only), and the share of all revenue that they brought together. "
        "The 80/20 page looks at one window; it says the same of that window's buyers, and beside "
        "it what the best fifth brings of all customers, visitors and those written to among them, "
        "which is more."
    )
    if not total:
        return Concentration(
            customers=len(revenues),
            revenue_minor=0,
            currency=currency,
            top_share=None,
            half_share=None,
            curve=[],
            sentence="There is no revenue yet.",
            definition=definition,
        )
    size = len(revenues)
    top = float(np.interp(_TOP, np.arange(size + 1) / size, np.append(0.0, shares)))
    half = float((np.searchsorted(shares, 0.5) + 1) / size)
    places = np.unique(np.linspace(0, size, min(size, _POINTS) + 1).astype(np.int64))
    curve = [
        ConcentrationPoint(
            customers=place / size, revenue=float(shares[place - 1]) if place else 0.0
        )
        for place in places.tolist()
    ]
    return Concentration(
        customers=size,
        revenue_minor=total,
        currency=currency,
        top_share=top,
        half_share=half,
        curve=curve,
        sentence=f"Of the {size:,} customers who ever bought, the best fifth brought {top:.0%} of "
        f"all revenue; half of it comes from {half:.0%}.",
        definition=definition,
    )
