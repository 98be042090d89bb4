"""The tills of the demo shop: baskets become orders, coupons handed in and sent become events.

The data are dirty on purpose, as till data are. What is done about it is counted in `Tally` and
told on the page about this data.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from amity.cli.demo.shop import (
    Basket,
    Calendar,
    Event,
    Line,
    Mailing,
    Redemption,
    card_of,
)

_FUEL: Final = "GASOLINE"
_FUEL_FROM: Final = 100
_COUPON: Final = "COUPON"


class Tally(msgspec.Struct):
    """What was found in the till data, and left out or put right."""

    orders: int = 0
    lines: int = 0
    coupon_only_lines: int = 0
    empty_baskets: int = 0
    unknown_products: int = 0
    fuel_lines: int = 0
    still_to_come: int = 0


def iter_orders(baskets: Iterator[Basket], calendar: Calendar, tally: Tally) -> Iterator[Event]:
    """Give an `Order Completed` for each basket that holds something and has happened."""
    for basket in baskets:
        at = calendar.move(basket.at)
        if at is None:
            tally.still_to_come += 1
            continue
        products = [product for line in basket.lines if (product := _product(line, tally))]
        tally.lines += len(basket.lines)
        if not products:
            tally.empty_baskets += 1
            continue
        tally.orders += 1
        yield {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"jm-order-{basket.basket_id}",
            "userId": card_of(basket.household_id),
            "timestamp": at,
            "properties": _order(basket, products),
        }


def _order(basket: Basket, products: list[dict[str, Any]]) -> dict[str, Any]:
    """Say what the shop took; discounts are what it gave, coupons what their makers paid back."""
    order: dict[str, Any] = {
        "order_id": str(basket.basket_id),
        "affiliation": f"Store {basket.store_id}",
        "total": round(sum(line.value for line in basket.lines), 2),
        "currency": "USD",
    }
    given = sum(line.shop_discount + line.matched_discount for line in basket.lines)
    coupons = sum(line.coupon_discount for line in basket.lines)
    if given >= 0.005:
        order["discount"] = round(given, 2)
    if coupons >= 0.005:
        order["coupon_discount"] = round(coupons, 2)
    return order | {"products": products}


def _product(line: Line, tally: Tally) -> dict[str, Any] | None:
    """Return a line as a product; None for a line that only carries a coupon."""
    is_coupon = line.kind is not None and line.kind.startswith(_COUPON)
    if line.value == 0 and (line.quantity <= 0 or is_coupon):
        tally.coupon_only_lines += 1
        return None
    quantity: int | float = max(line.quantity, 1)
    product: dict[str, Any] = {"product_id": str(line.product_id)}
    if line.kind is None:
        tally.unknown_products += 1
        product["name"] = f"Product {line.product_id}"
    elif line.kind.startswith(_FUEL):
        product |= {"name": "Petrol", "category": "Fuel"}
        if quantity > _FUEL_FROM:
            tally.fuel_lines += 1
            quantity = round(quantity / 1_000, 3)
            product["name"] = "Petrol, gallons"
    else:
        product["name"] = line.kind.capitalize() + (f", {line.size}" if line.size else "")
        product["category"] = (line.category or line.kind).capitalize()
    if line.brand == "Private":
        product["brand"] = "Own brand"
    return product | {"quantity": quantity, "price": round(line.value / quantity, 4)}


def iter_mailings(mailings: list[Mailing], calendar: Calendar) -> Iterator[Event]:
    """Give a `Campaign Received` for each household a campaign's coupons were sent to."""
    for mailing in mailings:
        if at := calendar.move(mailing.starts):
            yield {
                "type": "track",
                "event": "Campaign Received",
                "messageId": f"jm-campaign-{mailing.campaign_id}-{mailing.household_id}",
                "userId": card_of(mailing.household_id),
                "timestamp": at,
                "properties": {
                    "campaign_id": str(mailing.campaign_id),
                    "campaign_type": mailing.kind,
                    "coupons": mailing.coupons,
                    "starts_on": calendar.move_day(mailing.starts),
                    "ends_on": calendar.move_day(mailing.ends),
                    "medium": "post",
                },
            }


def iter_redemptions(redemptions: list[Redemption], calendar: Calendar) -> Iterator[Event]:
    """Give a `Coupon Applied` for each coupon handed in."""
    for redemption in redemptions:
        if at := calendar.move(redemption.at):
            properties = {
                "coupon_id": str(redemption.coupon_id),
                "campaign_id": str(redemption.campaign_id),
            }
            if redemption.basket_id is not None:
                properties["order_id"] = str(redemption.basket_id)
            yield {
                "type": "track",
                "event": "Coupon Applied",
                "messageId": f"jm-coupon-{redemption.coupon_id}-{redemption.campaign_id}"
                f"-{redemption.household_id}-{redemption.number}",
                "userId": card_of(redemption.household_id),
                "timestamp": at,
                "properties": properties,
            }
