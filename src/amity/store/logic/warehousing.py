"""What the store exports to the warehouse: events as understood, profiles, identities, orders
and the lines orders were told with, households and companies and what reviews said of them.

An event keeps the `origin_id` it came with, which a merge does not change; the row of that profile
says by `root_id` which customer it is now. So a merge moves no event's row.
"""

from typing import Any, Final

from amity.infra import queries, warehouse
from amity.infra.database import Connection
from amity.infra.warehouse import ColumnKind, Export, Shape

_SQL: Final = queries.load("amity.store")
_EVENTS: Final[dict[str, ColumnKind]] = {
    "event_id": "integer",
    "origin_id": "integer",
    "source_id": "integer",
    "type": "text",
    "name": "text",
    "occurred_at": "instant",
    "received_at": "instant",
    "properties": "json",
    "context": "json",
}
_PROFILES: Final[dict[str, ColumnKind]] = {
    "profile_id": "integer",
    "root_id": "integer",
    "merged_into": "integer",
    "user_id": "text",
    "name": "text",
    "email": "text",
    "phone": "text",
    "traits": "json",
    "consents": "json",
    "first_seen_at": "instant",
    "last_seen_at": "instant",
    "event_count": "integer",
    "event_counts": "json",
    "order_count": "integer",
    "revenue_minor": "integer",
    "first_order_at": "instant",
    "last_order_at": "instant",
    "identifier_count": "integer",
}
_IDENTITIES: Final[dict[str, ColumnKind]] = {
    "profile_id": "integer",
    "kind": "text",
    "value": "text",
    "origin_id": "integer",
    "source_id": "integer",
    "event_id": "integer",
    "first_seen_at": "instant",
}
_ORDERS: Final[dict[str, ColumnKind]] = {
    "profile_id": "integer",
    "order_id": "text",
    "placed_at": "instant",
    "event_id": "integer",
    "total_minor": "integer",
    "currency": "text",
    "items": "integer",
    "refunded_minor": "integer",
    "is_refunded": "boolean",
    "is_cancelled": "boolean",
}

_ORDER_LINES: Final[dict[str, ColumnKind]] = {
    "event_id": "integer",
    "origin_id": "integer",
    "received_at": "instant",
    "line": "integer",
    "product_id": "text",
    "name": "text",
    "category": "text",
    "brand": "text",
    "quantity_milli": "integer",
    "amount_micro": "integer",
    "cost_micro": "integer",
    "discount_micro": "integer",
}
_LINKS: Final[dict[str, ColumnKind]] = {
    "link_id": "text",
    "kind": "text",
    "link_key": "text",
    "profile_id": "integer",
    "label": "text",
    "probability": "number",
    "found_at": "instant",
}
_LINK_REVIEWS: Final[dict[str, ColumnKind]] = {
    "review_id": "integer",
    "kind": "text",
    "state": "text",
    "one_id": "integer",
    "other_id": "integer",
    "decided_at": "instant",
}


def events_export() -> Export:
    """Return how events as understood are exported."""
    return Export(
        name="events",
        shape=Shape(
            columns=_EVENTS,
            key="event_id",
            present="event_id",
            day="received_at",
            subject="origin_id",
        ),
        horizon=_SQL["warehouse_horizon"],
        rows=_SQL["warehouse_events"],
        source=_SQL["warehouse_all_events"],
        moved=_SQL["warehouse_moved"],
        owners=_SQL["warehouse_owners"],
    )


def order_lines_export() -> Export:
    """Return how the lines of orders are exported, each as often as its order was told.

    Of an order told twice those of `orders.event_id` hold.
    """
    everything = _SQL["warehouse_all_order_lines"]
    return Export(
        name="order_lines",
        shape=Shape(
            columns=_ORDER_LINES,
            key="event_id",
            present="event_id",
            day="received_at",
            subject="origin_id",
        ),
        horizon=_SQL["warehouse_horizon"],
        rows=everything + b" AND a.position > %(after)s",
        source=everything,
        moved=_SQL["warehouse_moved"],
        owners=_SQL["warehouse_owners"],
    )


def warehouse_exports() -> list[Export]:
    """Return what the store exports."""
    return [
        events_export(),
        order_lines_export(),
        _by_customer("profiles", _PROFILES, present="first_seen_at"),
        _by_customer("identities", _IDENTITIES, present="kind"),
        _by_customer("orders", _ORDERS, present="order_id"),
        _of_links(
            "links",
            Shape(
                columns=_LINKS, key="link_id", present="kind", subject="profile_id", changes=True
            ),
        ),
        _of_links(
            "link_reviews",
            Shape(
                columns=_LINK_REVIEWS,
                key="review_id",
                present="kind",
                subject="one_id",
                others=("other_id",),
                changes=True,
            ),
        ),
    ]


def start_warehouse_over(connection: Connection) -> None:
    """Have all that the store exports written anew, as a rebuild of the projections asks for."""
    warehouse.start_over(connection, [export.name for export in warehouse_exports()])


def read_log_days(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return by day of receipt how many events from outside were folded, and the sum of ids."""
    rows: list[tuple[Any, ...]] = connection.execute(_SQL["warehouse_log_days"]).fetchall()
    return {day: (count, ids) for day, count, ids in rows}


def _of_links(name: str, shape: Shape) -> Export:
    """Return an export of what is not made from activities."""
    return Export(
        name=name,
        shape=shape,
        horizon=_SQL["warehouse_links_horizon"],
        rows=_SQL[f"warehouse_{name}"],
        source=_SQL[f"warehouse_all_{name}"],
    )


def _by_customer(name: str, columns: dict[str, ColumnKind], *, present: str) -> Export:
    """Return an export whose rows change with what happens to a customer."""
    rows = _SQL[f"warehouse_{name}"]
    everyone = b"SELECT * FROM (" + rows + f') AS e WHERE e."{present}" IS NOT NULL'.encode()
    return Export(
        name=name,
        shape=Shape(
            columns=columns,
            key="profile_id",
            present=present,
            subject="profile_id",
            changes=True,
        ),
        horizon=_SQL["warehouse_horizon"],
        rows=_SQL["warehouse_touched"] + b" " + rows,
        source=_SQL["warehouse_every"] + b" " + everyone,
        moved=_SQL["warehouse_moved"],
    )
