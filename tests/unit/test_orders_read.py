"""What one event says of an order, counted by hand."""

from datetime import UTC, datetime

import pytest

from amity.store.logic.folding.orders import as_placed, combine_orders, read_order


@pytest.mark.parametrize(
    ("lines", "total", "items"),
    [
        ([{"price": 2, "quantity": 1.5}, {"price": 0.99}], 399, 2),
        ([{"price": "2.50", "quantity": "3"}], 750, 3),
        ([{"price": 4, "quantity": -2}, {"price": 1, "quantity": 0}], 0, 0),
        ([{"price": -4, "quantity": 2}, {"price": 0.335, "quantity": 3}], 102, 5),
        ([{"price": 1, "quantity": "many"}, {"price": 1, "quantity": True}], 200, 2),
        ([{"price": 1, "quantity": "NaN"}, "no line"], 100, 1),
    ],
)
def test_an_order_without_a_total_is_the_sum_of_its_lines(lines, total, items):
    order = read_order(
        "Order Completed",
        {"products": lines},
        event_id=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        home_currency="EUR",
    )
    assert (order.total_minor, order.items) == (total, items)


def told(name, **properties):
    return read_order(
        name,
        {"order_id": "o-1", **properties},
        event_id=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        home_currency="EUR",
    )


@pytest.mark.parametrize(
    ("order", "refunds", "back"),
    [
        # Without a currency it is one of the order's, whatever comes first.
        ({"total": 5000, "currency": "JPY"}, [{"total": 1000}, {"total": "500.4"}], 1500),
        ({"total": 50, "currency": "KWD"}, [{"total": 1.5}], 1500),
        ({"total": 50}, [{"total": 1.5}, {"total": 1, "currency": "EUR"}], 250),
        # One in another currency takes nothing off, and is not the whole order either.
        ({"total": 50}, [{"total": 40, "currency": "USD"}, {"total": 2}], 200),
        ({"total": 5000, "currency": "JPY"}, [{"total": 10, "currency": "EUR"}], 0),
        ({"total": 50}, [{"total": 40}, {"total": 40}], 5000),
        ({"total": 50}, [{"total": "all", "currency": "USD"}], 5000),
    ],
)
def test_refunds_are_of_the_order_they_pay_back(order, refunds, back):
    parts = [
        told("Order Completed", **order),
        *(told("Order Refunded", **refund) for refund in refunds),
    ]
    for several in (parts, parts[::-1]):
        joined = several[0]
        for part in several[1:]:
            joined = combine_orders(joined, part)
        assert as_placed(joined).refunded_minor == back
