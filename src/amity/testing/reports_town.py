"""Small warehouses to ask reports of: made by hand, with every trouble, or drawn at random.

`Town` makes one out of what happened; use it for the numbers your own report must find.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

import ibis
import msgspec
import pyarrow as pa

from amity.infra.warehouse import Shape
from amity.infra.warehouse_reading import schema_of
from amity.web.warehousing import list_exports

NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
_ARROW: Final[dict[str, pa.DataType]] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "instant": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
    "json": pa.string(),
}
_NAMES: Final = (
    "Product Viewed",
    "Product Added",
    "Cart Viewed",
    "Checkout Started",
    "Email Opened",
    "Email Link Clicked",
    "Survey Answered",
)

Row = dict[str, Any]


@cache
def shapes() -> dict[str, Shape]:
    """Return the shapes of the warehouse's tables, without a database."""
    return {export.name: export.shape for export in list_exports()}


@cache
def expressions() -> Mapping[str, ibis.Table]:
    """Return the warehouse's tables as expressions, as `warehouse_reading.tables` does."""
    return {name: ibis.table(schema_of(shape), name=name) for name, shape in shapes().items()}


class Town:
    """A warehouse made by hand: call what happened, then `tables`."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {name: [] for name in shapes()}
        self._event_id = 0

    def customer(
        self, customer_id: int, *, root_id: int | None = None, seen: datetime = NOW, **more: Any
    ) -> None:
        """Add a profile; with ``root_id`` one that was merged into another."""
        row = {"profile_id": customer_id, "root_id": root_id or customer_id} | more
        row.setdefault("merged_into", root_id)
        row.setdefault("first_seen_at", seen)
        row.setdefault("last_seen_at", seen)
        row.setdefault("traits", "{}")
        row.setdefault("consents", "{}")
        self.rows["profiles"].append(row)

    def event(
        self,
        profile_id: int,
        name: str,
        at: datetime,
        properties: Row | None = None,
        **more: Any,
    ) -> int:
        """Add an event; return its id."""
        self._event_id += 1
        row = {
            "event_id": self._event_id,
            "origin_id": profile_id,
            "source_id": 2,
            "type": "track",
            "name": name,
            "occurred_at": at,
            "received_at": at,
            "properties": msgspec.json.encode(properties or {}).decode(),
            "context": "{}",
            "day": at.date(),
        }
        self.rows["events"].append(row | more)
        return self._event_id

    def order(
        self,
        profile_id: int,
        at: datetime,
        total_minor: int,
        *,
        products: tuple[Row, ...] = (),
        **more: Any,
    ) -> str:
        """Add an order and its event; return its id."""
        number = len(self.rows["orders"]) + 1
        order_id = f"o-{number}"
        currency = more.get("currency", "EUR")
        properties = {"order_id": order_id, "currency": currency, "products": list(products)}
        event_id = self.event(
            profile_id,
            "Order Completed",
            at,
            properties | {"total": total_minor / 100},
        )
        row = {
            "profile_id": profile_id,
            "order_id": order_id,
            "placed_at": at,
            "event_id": event_id,
            "total_minor": total_minor,
            "currency": currency,
            "items": len(products),
            "refunded_minor": 0,
            "is_refunded": False,
            "is_cancelled": False,
        }
        self.rows["orders"].append(row | more)
        for line, product in enumerate(products, start=1):
            self._line(profile_id, event_id, at, line, product)
        return order_id

    def _line(self, profile_id: int, event_id: int, at: datetime, line: int, product: Row) -> None:
        quantity = product.get("quantity", 1)
        row = {
            "event_id": event_id,
            "origin_id": profile_id,
            "received_at": at,
            "line": line,
            "quantity_milli": round(quantity * 1000),
            "day": at.date(),
        }
        for name in ("price", "cost"):
            if name in product:
                column = "amount_micro" if name == "price" else "cost_micro"
                row[column] = round(product[name] * quantity * 1_000_000)
        told = ("product_id", "name", "category", "brand")
        self.rows["order_lines"].append(row | {name: product.get(name) for name in told})

    def send(self, profile_id: int, at: datetime, **more: Any) -> None:
        """Add a message that went out."""
        row = {
            "send_id": f"s-{len(self.rows['sends']) + 1}",
            "planned_at": at,
            "run_kind": "campaign",
            "run_id": 1,
            "step_key": "",
            "contact_point": "",
            "profile_id": profile_id,
            "channel": "email",
            "class": "marketing",
            "purpose": "newsletter",
            "state": "delivered",
            "reason": "",
            "attempts": 1,
            "wire_at": at,
            "settled_at": at,
        }
        self.rows["sends"].append(row | more)

    def draw(self, campaign_id: int, profile_id: int, at: datetime, **more: Any) -> None:
        """Add somebody a campaign drew: to be written to, or with `arm="holdout"` held out.

        `held_rate_micro` is the share that was to be held out, in millionths; without it nothing
        is said of sizes.
        """
        row = {
            "participant_id": f"{campaign_id}:{profile_id}",
            "campaign_id": campaign_id,
            "profile_id": profile_id,
            "arm": "treatment",
            "assigned_at": at,
            "window_seconds": 7 * 86_400,
        }
        self.rows["participants"].append(row | more)

    def member(
        self, segment_id: int, profile_id: int, entered: datetime, left: datetime | None = None
    ) -> None:
        """Add a stay in a segment."""
        self.rows["memberships"].append(
            {
                "membership_id": len(self.rows["memberships"]) + 1,
                "segment_id": segment_id,
                "profile_id": profile_id,
                "entered_at": entered,
                "left_at": left,
            }
        )

    def score(self, profile_id: int, name: str, **more: Any) -> None:
        """Add a score: its `value`, `label`, `percentile`."""
        row = {"score_id": f"{profile_id}:{name}", "profile_id": profile_id, "name": name}
        self.rows["scores"].append({"label": "", "computed_at": NOW} | row | more)

    def link(self, kind: str, group: int, profile_id: int) -> None:
        """Have a customer belong to a household or company."""
        key = str(UUID(int=group))
        row = {"link_id": f"{kind}:{key}:{profile_id}", "kind": kind, "link_key": key}
        shared = {"profile_id": profile_id, "label": "", "probability": 0.8, "found_at": NOW}
        self.rows["links"].append(row | shared)

    def review(self, kind: str, one_id: int, other_id: int, state: str) -> None:
        """Have somebody said that two belong together, or that they do not."""
        row = {"review_id": len(self.rows["link_reviews"]) + 1, "kind": kind, "state": state}
        self.rows["link_reviews"].append(
            row | {"one_id": one_id, "other_id": other_id, "decided_at": NOW}
        )

    def tables(self) -> dict[str, pa.Table]:
        """Return the rows as Arrow, every column there."""
        return {name: _to_arrow(shape, self.rows[name]) for name, shape in shapes().items()}


def tiny_town() -> Town:
    """Return five customers with every trouble: merges, refunds, currencies, nothing bought."""
    town = Town()
    day = datetime(2026, 3, 2, 10, tzinfo=UTC)
    for customer_id in (1, 2, 3, 4):
        town.customer(customer_id, seen=day - timedelta(days=200))
    town.customer(5, root_id=1)
    bread = {"product_id": "b", "category": "Bakery", "brand": "Own", "quantity": 2, "price": 3}
    wine = {"product_id": "w", "category": "Wine", "quantity": 1, "price": 20.5}
    for customer_id, days, total, more in (
        (1, 0, 2650, {}),
        (5, 7, 600, {"refunded_minor": 900}),
        (2, 1, 600, {"currency": "USD"}),
        (2, -90, 2050, {}),
        (2, 20, 600, {"is_refunded": True}),
        (3, 3, 2050, {"refunded_minor": 50}),
        (3, 4, 600, {"is_cancelled": True}),
        (3, -150, 600, {}),
    ):
        at = day + timedelta(days=days)
        for name in ("Product Viewed", "Product Added", "Checkout Started"):
            town.event(customer_id, name, at - timedelta(hours=1), {"product_id": "b"})
        town.order(customer_id, at, total, products=(bread, wine), **more)
        town.send(customer_id, at - timedelta(days=1))
    town.event(4, "Product Viewed", day, {"product_id": "w"})
    town.member(7, 1, day)
    town.member(7, 2, day, day + timedelta(days=1))
    return town


def random_town(seed: int, *, customers: int = 40) -> Town:
    """Return a town of which everything is drawn; the same for a seed."""
    rng = random.Random(seed)  # noqa: S311  # a test's dice
    town = Town()
    first = datetime(2025, 9, 1, tzinfo=UTC)
    for customer_id in range(1, customers + 1):
        is_merged = customer_id > 1 and rng.random() < 0.1
        town.customer(customer_id, root_id=1 if is_merged else None, seen=first)
        if rng.random() < 0.3:
            town.member(7, customer_id, first + timedelta(days=rng.randrange(250)))
        for _ in range(int(rng.expovariate(0.2))):
            at = first + timedelta(seconds=rng.randrange(250 * 86_400))
            _happen(town, rng, customer_id, at)
    return town


def _happen(town: Town, rng: random.Random, customer_id: int, at: datetime) -> None:
    dice = rng.random()
    if dice < 0.35:
        product = {
            "product_id": f"p{rng.randrange(6)}",
            "category": rng.choice(("Bakery", "Wine", "Cheese")),
            "quantity": rng.randrange(1, 4),
            "price": rng.randrange(1, 30),
        }
        more = {
            "currency": "EUR" if rng.random() < 0.9 else "USD",
            "refunded_minor": rng.choice((0, 0, 0, 300, 10_000)),
            "is_refunded": rng.random() < 0.05,
            "is_cancelled": rng.random() < 0.05,
        }
        town.order(customer_id, at, rng.randrange(0, 9000), products=(product,), **more)
    elif dice < 0.5:
        town.send(customer_id, at, state=rng.choice(("delivered", "bounced", "sent")))
    else:
        name = rng.choice(_NAMES)
        properties = {
            "product_id": f"p{rng.randrange(6)}",
            "kind": "nps",
            "answer": rng.randrange(11),
        }
        town.event(customer_id, name, at, properties)


def _to_arrow(shape: Shape, rows: list[Row]) -> pa.Table:
    columns = {
        name: pa.array([row.get(name) for row in rows], _ARROW[kind])
        for name, kind in shape.columns.items()
    }
    columns["day"] = pa.array([row.get("day") for row in rows], pa.date32())
    return pa.table(columns)
