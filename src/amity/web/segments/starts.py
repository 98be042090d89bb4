"""Rules to start from, so that nobody begins with an empty page."""

from typing import Any, Final

import msgspec


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A rule to start from, with a name and what it is for."""

    key: str
    name: str
    description: str
    rule: dict[str, Any]


def _did(event: str, **times: Any) -> dict[str, Any]:
    return {"node": "did", "event": event} | times


def _all(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"node": "all", "of": list(rules)}


STARTS: Final = (
    Start(
        key="recent-buyers",
        name="Bought in the last 30 days",
        description="Customers with an order in the last 30 days.",
        rule=_all(_did("Order Completed", at_least=1, within_days=30)),
    ),
    Start(
        key="quiet-buyers",
        name="Has not bought for 60 days",
        description="Customers who have bought before, but not in the last 60 days.",
        rule=_all(
            _did("Order Completed", at_least=1), _did("Order Completed", at_most=0, within_days=60)
        ),
    ),
    Start(
        key="lapsed-valuable",
        name="Lapsed but valuable",
        description="Customers worth winning back: several orders, and none for 90 days.",
        rule=_all(
            {
                "node": "check",
                "field": "profile.order_count",
                "is": {"op": "gte", "value": 5},
            },
            {
                "node": "check",
                "field": "profile.last_order_at",
                "is": {"op": "more_than_ago", "days": 90},
            },
        ),
    ),
    Start(
        key="viewed-not-bought",
        name="Viewed but did not buy",
        description="Visitors who looked at products this fortnight and did not order.",
        rule=_all(
            _did("Product Viewed", at_least=2, within_days=14),
            _did("Order Completed", at_most=0, within_days=14),
        ),
    ),
)


def find_start(key: str) -> Start | None:
    """Return the start of that key, or None."""
    return next((start for start in STARTS if start.key == key), None)
