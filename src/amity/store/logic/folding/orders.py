"""Orders as folded from events (pure), in any order of arrival.

An order is known by its `order_id`: told twice, it counts once, and the latest telling (by event
time) says its total. A refund names an amount (`total`, `revenue` or `value`) or means the whole
order; refunds of one order add up, never beyond its total. An amount is one of the order's currency
where it names none, and takes nothing off where it names another: there is no rate. A cancelled
order does not count and brings no revenue. A refund may come before its order. An order without an
id counts by itself.
Two refunds told with different message ids are two refunds: nothing on the wire tells them apart.
"""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from amity.kernel.money import exponent_of, to_minor
from amity.rules import PlacedOrder
from amity.store.contracts import OrderSummary

COMPLETED: Final = "Order Completed"
REFUNDED: Final = "Order Refunded"
CANCELLED: Final = "Order Cancelled"
ORDER_EVENTS: Final = frozenset({COMPLETED, REFUNDED, CANCELLED})
LAST_ORDERS: Final = 10

_AMOUNTS: Final = ("total", "revenue", "value")
_LARGEST_MINOR: Final = 10**15  # beyond this a total is a mistake, and sums could overflow
_MAX_ITEMS: Final = 1_000_000
_MAX_ID: Final = 255
_CURRENCY_LENGTH: Final = 3
_ONE_OF_PLACES: Final = {"0": "JPY", "2": "EUR", "3": "KWD"}
"""By the number of decimal places a currency can have, one that has them."""
_AS_READ_BEFORE: Final = "*"
"""Stands for refunds that were read before their currencies were kept (migration 0020)."""


class Order(msgspec.Struct, frozen=True):
    """One order, or what is known of it so far."""

    order_id: str
    placed_at: datetime | None = None
    event_id: int | None = None
    total_minor: int = 0
    currency: str = ""
    items: int = 0
    refunds: dict[str, int] = {}
    """Minor units by currency; of those that name none, by the decimal places they would be of."""
    is_refunded: bool = False
    is_cancelled: bool = False

    @property
    def refunded_minor(self) -> int:
        """What was paid back in the order's currency, by amounts that were told."""
        kinds = (_AS_READ_BEFORE, self.currency, str(exponent_of(self.currency)))
        return min(sum(self.refunds.get(kind, 0) for kind in kinds), _LARGEST_MINOR)


class OrderTotals(msgspec.Struct, frozen=True):
    """What a profile says of all its orders."""

    order_count: int = 0
    revenue_minor: int = 0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    last_orders: tuple[OrderSummary, ...] = ()


def read_order(
    name: str, properties: dict[str, Any], *, event_id: int, at: datetime, home_currency: str
) -> Order:
    """Return what one order event says by itself."""
    order_id = _order_id(properties.get("order_id"), event_id)
    if name == CANCELLED:
        return Order(order_id, is_cancelled=True)
    if name == REFUNDED:
        return _read_refund(order_id, properties)
    currency = _currency(properties.get("currency")) or home_currency
    amount = _amount(properties, currency)
    lines = properties.get("products")
    lines = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return Order(
        order_id,
        placed_at=at,
        event_id=event_id,
        total_minor=_sum_of(lines, currency) if amount is None else amount,
        currency=currency,
        items=min(sum(int(_quantity(line)) for line in lines), _MAX_ITEMS),
    )


def _read_refund(order_id: str, properties: dict[str, Any]) -> Order:
    """Return a part paid back, or all of it where no amount can be read."""
    currency = _currency(properties.get("currency"))
    kinds = {currency: currency} if currency else _ONE_OF_PLACES
    read = {kind: _amount(properties, one) for kind, one in kinds.items()}
    refunds = {kind: amount for kind, amount in read.items() if amount is not None}
    return Order(order_id, refunds=refunds, is_refunded=not refunds)


def combine_orders(one: Order, other: Order) -> Order:
    """Join what is known of one order from two sides; the order of the sides does not matter."""
    told = one if _told(one) >= _told(other) else other
    return Order(
        order_id=one.order_id,
        placed_at=told.placed_at,
        event_id=told.event_id,
        total_minor=told.total_minor,
        currency=told.currency,
        items=told.items,
        refunds=_add(one.refunds, other.refunds),
        is_refunded=one.is_refunded or other.is_refunded,
        is_cancelled=one.is_cancelled or other.is_cancelled,
    )


def _add(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    if not one or not other:
        return one or other
    kinds = sorted(one.keys() | other.keys())
    return {k: min(one.get(k, 0) + other.get(k, 0), _LARGEST_MINOR) for k in kinds}


def sum_orders(orders: list[Order], home_currency: str) -> OrderTotals:
    """Return the totals of a profile's orders, each order given once."""
    return add_orders(OrderTotals(), orders, home_currency)


def add_orders(totals: OrderTotals, orders: list[Order], home_currency: str) -> OrderTotals:
    """Add orders that are not yet among ``totals``."""
    counted = [order for order in orders if order.placed_at and not order.is_cancelled]
    if not counted:
        return totals
    times = [order.placed_at for order in counted if order.placed_at is not None]
    first, last = totals.first_order_at, totals.last_order_at
    latest = sorted(
        [*totals.last_orders, *map(_summary, counted)],
        key=lambda order: (order.at, order.event_id),
        reverse=True,
    )
    return OrderTotals(
        order_count=totals.order_count + len(counted),
        revenue_minor=totals.revenue_minor
        + sum(_revenue(order, home_currency) for order in counted),
        first_order_at=min(times) if first is None else min(first, *times),
        last_order_at=max(times) if last is None else max(last, *times),
        last_orders=tuple(latest[:LAST_ORDERS]),
    )


def _told(order: Order) -> tuple[Any, ...]:
    if order.placed_at is None:
        return (False,)
    return True, order.placed_at, order.event_id


def _revenue(order: Order, home_currency: str) -> int:
    if order.currency != home_currency or order.is_refunded:
        return 0
    return max(order.total_minor - order.refunded_minor, 0)


def as_placed(order: Order) -> PlacedOrder:
    """Return an order that was placed as rules see it."""
    assert order.placed_at is not None
    back = order.total_minor if order.is_refunded else order.refunded_minor
    back = min(back, order.total_minor)
    net = order.total_minor - back
    return PlacedOrder(order.placed_at, order.currency, order.total_minor, back, net, order.items)


def _summary(order: Order) -> OrderSummary:
    assert order.placed_at is not None
    assert order.event_id is not None
    return OrderSummary(
        order_id=order.order_id,
        at=order.placed_at,
        total_minor=order.total_minor,
        currency=order.currency,
        items=order.items,
        event_id=order.event_id,
    )


def _order_id(value: Any, event_id: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and 0 < len(value.strip()) <= _MAX_ID:
        return value.strip()
    return f"event:{event_id}"


def _currency(value: Any) -> str:
    """Return the currency somebody names, or "" where none is."""
    if isinstance(value, str):
        code = value.strip().upper()
        if len(code) == _CURRENCY_LENGTH and code.isascii() and code.isalpha():
            return code
    return ""


def _amount(properties: dict[str, Any], currency: str) -> int | None:
    """Return the first amount that can be read, at least 0; None when there is none."""
    for name in _AMOUNTS:
        minor = to_minor(properties.get(name), currency)
        if minor is not None and abs(minor) <= _LARGEST_MINOR:
            return max(minor, 0)
    return None


def _sum_of(lines: list[dict[str, Any]], currency: str) -> int:
    total = Decimal(0)
    for line in lines:
        price = to_minor(line.get("price"), currency)
        if price is not None and 0 <= price <= _LARGEST_MINOR:
            total += price * _quantity(line)
    return min(int(total.to_integral_value(ROUND_HALF_EVEN)), _LARGEST_MINOR)


def _quantity(line: dict[str, Any]) -> Decimal:
    """Return how many of a line, a number or its text; without one it is 1, below 0 it is 0."""
    value = line.get("quantity", 1)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return Decimal(1)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal(1)
    # Compared with nothing that is not finite, which Decimal would refuse.
    return min(max(number, Decimal(0)), Decimal(_MAX_ITEMS)) if number.is_finite() else Decimal(1)
