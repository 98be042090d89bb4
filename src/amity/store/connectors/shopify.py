"""Shopify's webhooks: customers, orders, checkouts, and its requests for erasure.

A refund by itself (`refunds/create`) names no customer; refunds are read out of the orders they
belong to, so subscribe to `orders/updated`. Signed is the body, not its headers.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import ClassVar, Final

from amity.store.dialect import DIALECTS, BadEvent, Call, Dialect, Taken
from amity.store.logic.intake.webhook_reading import (
    Event,
    amount,
    at_text,
    consent,
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

_CONSENTS: Final = {
    "email_marketing_consent": "marketing.email",
    "sms_marketing_consent": "marketing.sms",
}
_STATES: Final = {"subscribed": True, "unsubscribed": False, "redacted": False}


@DIALECTS.register("shopify")
class Shopify(Dialect):
    """What a Shopify shop posts, with the app's secret as the key of its signature."""

    name: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
    description: ClassVar[str] = (
        "Customers, orders, refunds, checkouts and redaction requests of a Shopify shop."
    )
    is_signed: ClassVar[bool] = True
    subscribe_to: ClassVar[str] = (
        "customers/create, customers/update, orders/create, orders/updated, "
        "orders/cancelled, checkouts/create, checkouts/update, customers/redact, "
        "customers/data_request"
    )
    signed_with: ClassVar[str] = (
        "the app's client secret, or the one shown under Notifications → Webhooks"
    )

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Compare `X-Shopify-Hmac-Sha256`; Shopify signs no time."""
        return is_hmac_base64(call.body, secret, call.headers.get("x-shopify-hmac-sha256", ""))

    def read(self, call: Call) -> Taken:
        """Return what a topic says; topics nothing is known of say nothing."""
        topic = call.headers.get("x-shopify-topic", "")
        said = read_object(call.body)
        if topic == "refunds/create":
            raise BadEvent(
                "missing_identity", "a refund names no customer: subscribe to orders/updated"
            )
        read = _TOPICS.get(topic)
        if read is None and not topic:
            raise BadEvent("missing_topic", "the header X-Shopify-Topic is missing")
        return Taken(events=finish("shopify", read(said)) if read else [])


def _whose(said: Event) -> Event:
    customer = find_dict(said, "customer")
    email = find_text(said, "email", "contact_email") or find_text(customer, "email")
    phone = find_text(said, "phone") or find_text(customer, "phone")
    return who("shopify", find_text(customer, "id"), email=email, phone=phone)


def _customer(said: Event) -> Iterator[Event]:
    email, phone = find_text(said, "email"), find_text(said, "phone")
    whose = who("shopify", find_text(said, "id"), email=email, phone=phone)
    at = at_text(said.get("updated_at")) or at_text(said.get("created_at"))
    home = find_dict(said, "default_address")
    address = {
        "street": find_text(home, "address1"),
        "city": find_text(home, "city"),
        "state": find_text(home, "province"),
        "postalCode": find_text(home, "zip"),
        "country": find_text(home, "country_code", "country"),
    }
    traits = {
        "firstName": find_text(said, "first_name"),
        "lastName": find_text(said, "last_name"),
        "company": find_text(home, "company"),
        "address": {name: value for name, value in address.items() if value},
        "createdAt": at_text(said.get("created_at")),
        "shopify_customer_id": find_text(said, "id"),
        "shopify_tags": find_text(said, "tags"),
    }
    yield identify(whose, traits, at)
    yield from _consents(said, whose, at)


def _consents(said: Event, whose: Event, at: str | None) -> Iterator[Event]:
    for field, purpose in _CONSENTS.items():
        found = find_dict(said, field)
        choice = _STATES.get(find_text(found, "state"))
        if choice is not None:
            when = at_text(found.get("consent_updated_at")) or at
            yield consent(whose, {purpose: choice}, when)


def _line(line: Event) -> Event:
    found = {
        "product_id": find_text(line, "product_id"),
        "sku": find_text(line, "sku"),
        "name": find_text(line, "title", "name"),
        "variant": find_text(line, "variant_title"),
        "brand": find_text(line, "vendor"),
        "price": amount(line.get("price")),
        "quantity": line.get("quantity"),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _bought(said: Event) -> Event:
    codes = [find_text(code, "code") for code in list_dicts(said, "discount_codes")]
    shipping = find_dict(said, "total_shipping_price_set", "shop_money")
    return {
        "total": amount(said.get("total_price")),
        "currency": find_text(said, "currency"),
        "subtotal": amount(said.get("subtotal_price")),
        "tax": amount(said.get("total_tax")),
        "discount": amount(said.get("total_discounts")),
        "shipping": amount(shipping.get("amount")),
        "coupon": ", ".join(filter(None, codes)),
        "products": [_line(line) for line in list_dicts(said, "line_items")],
    }


def _order(said: Event) -> Iterator[Event]:
    whose, order_id = _whose(said), find_text(said, "id")
    at = at_text(said.get("processed_at")) or at_text(said.get("created_at"))
    about = {"order_id": order_id, "order_number": find_text(said, "name")}
    yield track(whose, "Order Completed", about | _bought(said), at)
    if cancelled_at := at_text(said.get("cancelled_at")):
        about = {"order_id": order_id, "reason": find_text(said, "cancel_reason")}
        yield track(whose, "Order Cancelled", about, cancelled_at)
    for refund in list_dicts(said, "refunds"):
        yield from _refund(refund, whose, order_id, find_text(said, "currency"))


def _refund(refund: Event, whose: Event, order_id: str, currency: str) -> Iterator[Event]:
    """Give a refund; one that only takes goods back pays nothing."""
    paid = [
        amount(each.get("amount")) or 0
        for each in list_dicts(refund, "transactions")
        if each.get("kind") == "refund" and each.get("status") == "success"
    ]
    if paid:
        about = {
            "order_id": order_id,
            "refund_id": find_text(refund, "id"),
            "total": amount(round(sum(paid), 4)),
            "currency": currency,
            "reason": find_text(refund, "note"),
        }
        yield track(whose, "Order Refunded", about, at_text(refund.get("created_at")))


def _checkout(name: str) -> Callable[[Event], Iterator[Event]]:
    def read(said: Event) -> Iterator[Event]:
        field = "created_at" if name == "Checkout Started" else "updated_at"
        if not (find_dict(said, "customer") or find_text(said, "email", "phone")):
            return  # until somebody has said who they are, a checkout is nobody's
        about = {
            "checkout_id": find_text(said, "token", "id"),
            "url": find_text(said, "abandoned_checkout_url"),
        }
        yield track(_whose(said), name, about | _bought(said), at_text(said.get(field)))

    return read


def _redact(said: Event) -> Iterator[Event]:
    """Give what the shop asks for; erasing her is decided here, by staff."""
    yield track(_whose(said), "Erasure Requested", {"requested_by": "Shopify"}, None)
    yield track(_whose(said), "Unsubscribed", {}, None)


def _asked(said: Event) -> Iterator[Event]:
    about = {
        "requested_by": "Shopify",
        "request_id": find_text(find_dict(said, "data_request"), "id"),
    }
    yield track(_whose(said), "Access Requested", about, None)


def _deleted(said: Event) -> Iterator[Event]:
    yield track(who("shopify", find_text(said, "id")), "Customer Deleted", {}, None)


_TOPICS: Final[dict[str, Callable[[Event], Iterator[Event]]]] = {
    "customers/create": _customer,
    "customers/update": _customer,
    "customers/delete": _deleted,
    "customers/redact": _redact,
    "customers/data_request": _asked,
    "orders/create": _order,
    "orders/updated": _order,
    "orders/paid": _order,
    "orders/cancelled": _order,
    "checkouts/create": _checkout("Checkout Started"),
    "checkouts/update": _checkout("Checkout Updated"),
}
