"""Saleor's webhooks: customers, orders and checkouts, as its own payloads or as subscriptions.

Signatures are checked with the secret key of the webhook (HMAC). Saleor signs with its own key in
place of it (JWS) when a webhook has none: give it one, as such requests are refused.
A subscription says what its query asks for: `order`, `user` or `checkout` with the fields that its
own payloads have too, in camelCase.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from amity.store.dialect import DIALECTS, BadEvent, Call, Dialect, Taken, read_list
from amity.store.logic.intake.webhook_reading import (
    Event,
    amount,
    at_text,
    find_dict,
    find_text,
    finish,
    identify,
    is_hmac_hex,
    list_dicts,
    read_object,
    track,
    who,
)

_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


@DIALECTS.register("saleor")
class Saleor(Dialect):
    """What a Saleor shop posts, with the webhook's secret key as the key of its signature."""

    name: ClassVar[str] = "saleor"
    title: ClassVar[str] = "Saleor"
    description: ClassVar[str] = "Customers, orders, refunds and checkouts of a Saleor shop."
    is_signed: ClassVar[bool] = True
    subscribe_to: ClassVar[str] = "customer and order events, checkout created and updated"
    signed_with: ClassVar[str] = (
        "the webhook's secret key; without one Saleor signs in a way that is refused here"
    )

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Compare `Saleor-Signature`; with a secret key Saleor signs no time."""
        given = call.headers.get("saleor-signature") or call.headers.get("x-saleor-signature", "")
        return is_hmac_hex(call.body, secret, given.removeprefix("sha256="))

    def read(self, call: Call) -> Taken:
        """Return what an event says; events nothing is known of say nothing."""
        event = call.headers.get("saleor-event") or call.headers.get("x-saleor-event", "")
        if not event:
            raise BadEvent("missing_topic", "the header Saleor-Event is missing")
        read = _EVENTS.get(event.lower())
        if read is None:
            return Taken(events=[])
        bodies = read_list(call.body) if call.body.lstrip()[:1] == b"[" else [call.body]
        made = [each for body in bodies for each in read(_unwrap(read_object(body)))]
        return Taken(events=finish("saleor", made))


def _unwrap(said: Event) -> Event:
    """Return the thing a payload is about, its names as Saleor's own payloads write them."""
    said = find_dict(said, "event") or find_dict(said, "data", "event") or said
    inner = next(
        (said[name] for name in ("order", "checkout", "user") if isinstance(said.get(name), dict)),
        said,
    )
    # An order of Saleor's own payload has a user too; it is told by the id beside it.
    made: Event = _snake(said if "id" in said else inner)
    return made


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {_HUMP.sub(r"_\1", name).lower(): _snake(item) for name, item in value.items()}
    return [_snake(item) for item in value] if isinstance(value, list) else value


def _gross(said: Event, name: str) -> Any:
    """Return an amount with tax, from either kind of payload."""
    priced = find_dict(said, name)
    found = find_dict(priced, "gross") or priced
    return amount(found.get("amount")) if found else amount(said.get(f"{name}_gross_amount"))


def _address(said: Event) -> Event:
    country = said.get("country")
    code = find_text(country, "code") if isinstance(country, dict) else find_text(said, "country")
    found = {
        "street": find_text(said, "street_address_1", "street_address1"),
        "city": find_text(said, "city"),
        "postalCode": find_text(said, "postal_code"),
        "country": code,
    }
    return {name: value for name, value in found.items() if value}


def _whose(said: Event) -> Event:
    user, billing = find_dict(said, "user"), find_dict(said, "billing_address")
    email = find_text(said, "user_email", "email") or find_text(user, "email")
    return who("saleor", find_text(user, "id"), email=email, phone=find_text(billing, "phone"))


def _customer(said: Event) -> Iterator[Event]:
    home = find_dict(said, "default_billing_address") or find_dict(said, "default_shipping_address")
    whose = who(
        "saleor",
        find_text(said, "id"),
        email=find_text(said, "email"),
        phone=find_text(home, "phone"),
    )
    traits = {
        "firstName": find_text(said, "first_name"),
        "lastName": find_text(said, "last_name"),
        "company": find_text(home, "company_name"),
        "address": _address(home),
        "language": find_text(said, "language_code"),
        "createdAt": at_text(said.get("date_joined")),
        "saleor_customer_id": find_text(said, "id"),
    }
    at = at_text(find_dict(said, "meta").get("issued_at")) or at_text(said.get("updated_at"))
    yield identify(whose, traits, at)


def _line(line: Event) -> Event:
    unit = _gross(line, "unit_price")
    found = {
        "product_id": find_text(line, "product_id", "product_variant_id", "id"),
        "sku": find_text(line, "product_sku"),
        "name": find_text(line, "product_name"),
        "variant": find_text(line, "variant_name"),
        "price": unit,
        "quantity": line.get("quantity"),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _bought(said: Event) -> Event:
    field = "total_price" if "total_price" in said else "total"  # of a checkout, of an order
    priced = find_dict(said, field, "gross")
    return {
        "total": _gross(said, field),
        "currency": find_text(priced, "currency") or find_text(said, "currency"),
        "shipping": _gross(said, "shipping_price"),
        "coupon": find_text(said, "voucher_code"),
        "products": [_line(line) for line in list_dicts(said, "lines")],
    }


def _order(said: Event) -> Iterator[Event]:
    about = {"order_id": find_text(said, "id"), "order_number": find_text(said, "number")}
    at = at_text(said.get("created"))
    yield track(_whose(said), "Order Completed", about | _bought(said), at)


def _cancelled(said: Event) -> Iterator[Event]:
    at = at_text(said.get("updated_at")) or at_text(said.get("created"))
    yield track(_whose(said), "Order Cancelled", {"order_id": find_text(said, "id")}, at)


def _fully_refunded(said: Event) -> Iterator[Event]:
    at = at_text(said.get("updated_at")) or at_text(said.get("created"))
    yield track(_whose(said), "Order Refunded", {"order_id": find_text(said, "id")}, at)


def _refunded(said: Event) -> Iterator[Event]:
    """Give each granted refund; without them only that something was paid back, not how much."""
    at, order_id = at_text(said.get("created")), find_text(said, "id")
    granted = list_dicts(said, "granted_refunds")
    for refund in granted:
        paid = find_dict(refund, "amount")
        about = {
            "order_id": order_id,
            "refund_id": find_text(refund, "id"),
            "total": amount(paid.get("amount")),
            "currency": find_text(paid, "currency"),
            "reason": find_text(refund, "reason"),
        }
        when = at_text(refund.get("created_at")) or at
        yield track(_whose(said), "Order Refunded", about, when)
    if not granted:
        changed_at = at_text(said.get("updated_at")) or at
        yield track(_whose(said), "Order Partly Refunded", {"order_id": order_id}, changed_at)


def _checkout(name: str) -> Callable[[Event], Iterator[Event]]:
    def read(said: Event) -> Iterator[Event]:
        if not (find_dict(said, "user") or find_text(said, "email", "user_email")):
            return  # until somebody has said who they are, a checkout is nobody's
        about = {"checkout_id": find_text(said, "id", "token")}
        field = "created" if name == "Checkout Started" else "updated_at"
        at = at_text(said.get(field)) or at_text(said.get("last_change"))
        yield track(_whose(said), name, about | _bought(said), at)

    return read


_EVENTS: Final[dict[str, Callable[[Event], Iterator[Event]]]] = {
    "customer_created": _customer,
    "customer_updated": _customer,
    "order_created": _order,
    "order_confirmed": _order,
    "order_fully_paid": _order,
    "order_cancelled": _cancelled,
    "order_refunded": _refunded,
    "order_fully_refunded": _fully_refunded,
    "checkout_created": _checkout("Checkout Started"),
    "checkout_updated": _checkout("Checkout Updated"),
}
