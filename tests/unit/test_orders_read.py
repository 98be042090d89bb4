"""What one event says of an order, counted by hand."""

from datetime import UTC, datetime

import pytest

from amity.store.logic.folding.orders import read_order


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
