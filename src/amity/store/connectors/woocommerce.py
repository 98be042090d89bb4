"""WooCommerce's webhooks: customers, orders and their refunds.

Signed is the body, not its headers. When a webhook is saved WooCommerce sends a form that only
says `webhook_id=…`, unsigned; it is refused, which does no harm.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Final

from amity.store.dialect import DIALECTS, BadEvent, Call, Dialect, Taken
from amity.store.logic.intake.webhook_reading import (
    Event,
    amount,
    at_text,
    find_dict,
    find_text,
    finish,
    identify,
    is_hmac_base64,
    list_dicts,
    read_object,
    track,
    who,
)

_PLACED: Final = frozenset({"processing", "completed", "on-hold", "refunded"})
_GONE: Final = frozenset({"cancelled", "failed", "trash"})


@DIALECTS.register("woocommerce")
class WooCommerce(Dialect):
    """What a WooCommerce shop posts, with the webhook's secret as the key of its signature."""

    name: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce"
    description: ClassVar[str] = "Customers, orders, cancellations and refunds of WooCommerce."
    is_signed: ClassVar[bool] = True
    subscribe_to: ClassVar[str] = "order created, order updated, customer created, customer updated"
    signed_with: ClassVar[str] = "what you write into the webhook's field Secret"

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Compare `X-WC-Webhook-Signature`; WooCommerce signs no time."""
        return is_hmac_base64(call.body, secret, call.headers.get("x-wc-webhook-signature", ""))

    def read(self, call: Call) -> Taken:
        """Return what a topic says; topics nothing is known of say nothing."""
        topic = call.headers.get("x-wc-webhook-topic", "")
        said = read_object(call.body)
        resource, _, what = topic.partition(".")
        if not what:
            raise BadEvent("missing_topic", "the header X-WC-Webhook-Topic is missing")
        if resource == "order" and what in {"created", "updated", "restored"}:
            return Taken(events=finish("woocommerce", _order(said)))
        if resource == "customer" and what in {"created", "updated"}:
            return Taken(events=finish("woocommerce", _customer(said)))
        if resource == "customer" and what == "deleted":
            gone = track(who("woocommerce", find_text(said, "id")), "Customer Deleted", {}, None)
            return Taken(events=finish("woocommerce", [gone]))
        return Taken(events=[])


def _traits(said: Event) -> Event:
    billing = find_dict(said, "billing")
    address = {
        "street": find_text(billing, "address_1"),
        "city": find_text(billing, "city"),
        "state": find_text(billing, "state"),
        "postalCode": find_text(billing, "postcode"),
        "country": find_text(billing, "country"),
    }
    return {
        "firstName": find_text(said, "first_name") or find_text(billing, "first_name"),
        "lastName": find_text(said, "last_name") or find_text(billing, "last_name"),
        "company": find_text(billing, "company"),
        "address": {name: value for name, value in address.items() if value},
    }


def _customer(said: Event) -> Iterator[Event]:
    billing = find_dict(said, "billing")
    email = find_text(said, "email") or find_text(billing, "email")
    whose = who(
        "woocommerce", find_text(said, "id"), email=email, phone=find_text(billing, "phone")
    )
    at = at_text(said.get("date_modified_gmt")) or at_text(said.get("date_created_gmt"))
    more = {
        "createdAt": at_text(said.get("date_created_gmt")),
        "username": find_text(said, "username"),
        "woocommerce_customer_id": find_text(said, "id"),
    }
    yield identify(whose, _traits(said) | more, at)


def _line(line: Event) -> Event:
    found = {
        "product_id": find_text(line, "product_id"),
        "sku": find_text(line, "sku"),
        "name": find_text(line, "name"),
        "price": amount(line.get("price")),
        "quantity": line.get("quantity"),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _order(said: Event) -> Iterator[Event]:
    status, order_id = find_text(said, "status"), find_text(said, "id")
    billing, buyer = find_dict(said, "billing"), find_text(said, "customer_id")
    whose = who(
        "woocommerce",
        "" if buyer == "0" else buyer,  # a guest
        email=find_text(billing, "email"),
        phone=find_text(billing, "phone"),
    )
    changed_at = at_text(said.get("date_modified_gmt"))
    if status in _PLACED:
        yield track(whose, "Order Completed", _bought(said), at_text(said.get("date_created_gmt")))
    elif status in _GONE:
        about = {"order_id": order_id, "reason": status}
        yield track(whose, "Order Cancelled", about, changed_at)
    for refund in list_dicts(said, "refunds"):
        paid = amount(refund.get("total"))
        told: Event = {
            "order_id": order_id,
            "refund_id": find_text(refund, "id"),
            "total": abs(paid) if paid is not None else None,
            "currency": find_text(said, "currency"),
            "reason": find_text(refund, "reason"),
        }
        # An order says of a refund neither when it was nor anything else that could change.
        yield track(whose, "Order Refunded", told, at_text(said.get("date_created_gmt")))
    if status == "refunded" and not list_dicts(said, "refunds"):
        yield track(whose, "Order Refunded", {"order_id": order_id}, changed_at)


def _bought(said: Event) -> Event:
    codes = [find_text(code, "code") for code in list_dicts(said, "coupon_lines")]
    return {
        "order_id": find_text(said, "id"),
        "order_number": find_text(said, "number"),
        "total": amount(said.get("total")),
        "currency": find_text(said, "currency"),
        "tax": amount(said.get("total_tax")),
        "discount": amount(said.get("discount_total")),
        "shipping": amount(said.get("shipping_total")),
        "coupon": ", ".join(filter(None, codes)),
        "products": [_line(line) for line in list_dicts(said, "line_items")],
    }
