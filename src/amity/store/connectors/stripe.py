"""Stripe's webhooks: customers, checkouts, invoices, refunds and subscriptions.

An order is known by its payment intent where there is one, so that a checkout, its invoice and its
refunds speak of the same; else by the id of the session or invoice.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from amity.kernel.money import exponent_of
from amity.store.dialect import DIALECTS, BadEvent, Call, Dialect, Taken, at_seconds
from amity.store.logic.intake.webhook_reading import (
    Event,
    consent,
    find_dict,
    find_text,
    finish,
    from_minor,
    identify,
    is_hmac_hex,
    is_recent,
    list_dicts,
    read_object,
    track,
    who,
)

_TOLERANCE_SECONDS: Final = 300
_MOST_SIGNATURES: Final = 10
# Where Stripe's smallest unit is another than that of ISO 4217 (docs.stripe.com/currencies).
_PLACES: Final = {"ISK": 2, "UGX": 2, "MGA": 0}


@DIALECTS.register("stripe")
class Stripe(Dialect):
    """What a Stripe account posts, signed with the endpoint's secret (`whsec_…`)."""

    name: ClassVar[str] = "stripe"
    title: ClassVar[str] = "Stripe"
    description: ClassVar[str] = (
        "Customers, completed checkouts, paid invoices, refunds and subscriptions of Stripe."
    )
    is_signed: ClassVar[bool] = True
    subscribe_to: ClassVar[str] = (
        "customer.*, checkout.session.*, invoice.paid, invoice.payment_failed, charge.refunded"
    )
    signed_with: ClassVar[str] = "the endpoint's Signing secret, which begins with whsec_"

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        """Check `Stripe-Signature`, which is good for five minutes."""
        parts = [
            part.strip().partition("=")
            for part in call.headers.get("stripe-signature", "").split(",")
        ]
        stamp = next((value for name, _, value in parts if name == "t"), "")
        if not is_recent(stamp, now, seconds=_TOLERANCE_SECONDS):
            return False
        signed = stamp.encode() + b"." + call.body
        given = [value for name, _, value in parts if name == "v1"][:_MOST_SIGNATURES]
        return any(is_hmac_hex(signed, secret, value) for value in given)

    def read(self, call: Call) -> Taken:
        """Return what an event says; types nothing is known of say nothing."""
        said = read_object(call.body)
        kind, event_id = find_text(said, "type"), find_text(said, "id")
        thing = find_dict(said, "data", "object")
        if not kind or not event_id or not thing:
            raise BadEvent("not_an_event", "expected an event of Stripe, with its id and object")
        read = _TYPES.get(kind)
        if read is None:
            return Taken(events=[])
        before = find_dict(said, "data", "previous_attributes")
        at = at_seconds(said.get("created"))
        events = [
            event | {"messageId": f"stripe-{event_id}-{number}", "timestamp": at}
            for number, event in enumerate(read(thing, before))
        ]
        return Taken(events=finish("stripe", events))


def _money(thing: Event, field: str) -> float | int | None:
    currency = find_text(thing, "currency").upper()
    places = _PLACES.get(currency, exponent_of(currency))
    return from_minor(thing.get(field), places)


def _id(value: Any) -> str:
    """Return the id of what is named by it or written out."""
    return find_text(value if isinstance(value, dict) else {"id": value}, "id")


def _whose(thing: Event) -> Event:
    details = (
        find_dict(thing, "customer_details")
        or find_dict(thing, "billing_details")
        or find_dict(thing, "customer")
    )
    email = find_text(details, "email") or find_text(
        thing, "customer_email", "receipt_email", "email"
    )
    phone = find_text(details, "phone") or find_text(thing, "customer_phone", "phone")
    return who("stripe", _id(thing.get("customer")), email=email, phone=phone)


def _address(thing: Event) -> Event:
    home = find_dict(thing, "address")
    found = {
        "street": find_text(home, "line1"),
        "city": find_text(home, "city"),
        "state": find_text(home, "state"),
        "postalCode": find_text(home, "postal_code"),
        "country": find_text(home, "country"),
    }
    return {name: value for name, value in found.items() if value}


def _customer(thing: Event, _before: Event) -> Iterator[Event]:
    email, phone = find_text(thing, "email"), find_text(thing, "phone")
    whose = who("stripe", find_text(thing, "id"), email=email, phone=phone)
    traits = {
        "name": find_text(thing, "name"),
        "address": _address(thing),
        "createdAt": at_seconds(thing.get("created")),
        "stripe_customer_id": find_text(thing, "id"),
        "is_delinquent": thing.get("delinquent"),
    }
    yield identify(whose, traits, None)


def _deleted(thing: Event, _before: Event) -> Iterator[Event]:
    yield track(who("stripe", find_text(thing, "id")), "Customer Deleted", {}, None)


def _checkout(thing: Event, _before: Event) -> Iterator[Event]:
    """Give a completed checkout; what is not paid yet, or by an invoice, is told apart."""
    whose = _whose(thing)
    details = find_dict(thing, "customer_details")
    if details:
        name, address = find_text(details, "name"), _address(details)
        yield identify(whose, {"name": name, "address": address}, None)
    about = {
        "checkout_id": find_text(thing, "id"),
        "reference": find_text(thing, "client_reference_id"),
        "total": _money(thing, "amount_total"),
        "currency": find_text(thing, "currency").upper(),
        "tax": _money(find_dict(thing, "total_details") | _currency(thing), "amount_tax"),
        "shipping": _money(find_dict(thing, "total_details") | _currency(thing), "amount_shipping"),
        "discount": _money(find_dict(thing, "total_details") | _currency(thing), "amount_discount"),
    }
    if thing.get("payment_status") in {"paid", "no_payment_required"} and (
        thing.get("mode") == "payment"
    ):
        order_id = _id(thing.get("payment_intent")) or find_text(thing, "id")
        yield track(whose, "Order Completed", {"order_id": order_id} | about, None)
    else:
        yield track(whose, "Checkout Completed", about, None)
    choice = {"opt_in": True, "opt_out": False}.get(
        find_text(find_dict(thing, "consent"), "promotions")
    )
    if choice is not None:
        yield consent(whose, {"marketing.email": choice}, None)


def _currency(thing: Event) -> Event:
    return {"currency": thing.get("currency")}


def _expired(thing: Event, _before: Event) -> Iterator[Event]:
    if thing.get("customer") or find_dict(thing, "customer_details") or thing.get("customer_email"):
        about = {
            "checkout_id": find_text(thing, "id"),
            "total": _money(thing, "amount_total"),
            "currency": find_text(thing, "currency").upper(),
        }
        yield track(_whose(thing), "Checkout Abandoned", about, None)


def _invoice_order(thing: Event) -> str:
    """Return the order an invoice is about: its payment intent, wherever this version has it."""
    if found := _id(thing.get("payment_intent")):
        return found
    for payment in list_dicts(find_dict(thing, "payments"), "data"):
        if found := _id(find_dict(payment, "payment").get("payment_intent")):
            return found
    return find_text(thing, "id")


def _invoice(thing: Event, _before: Event) -> Iterator[Event]:
    if not thing.get("amount_paid"):
        return  # a trial, or what a balance paid
    lines = [
        {
            "name": find_text(line, "description") or None,
            "quantity": line.get("quantity"),
            "line_total": _money(line | _currency(thing), "amount"),
        }
        for line in list_dicts(find_dict(thing, "lines"), "data")
    ]
    about = {
        "order_id": _invoice_order(thing),
        "invoice_id": find_text(thing, "id"),
        "order_number": find_text(thing, "number"),
        "total": _money(thing, "amount_paid"),
        "currency": find_text(thing, "currency").upper(),
        "billing_reason": find_text(thing, "billing_reason"),
        "products": [{k: v for k, v in line.items() if v is not None} for line in lines],
    }
    yield track(_whose(thing), "Order Completed", about, None)


def _unpaid(thing: Event, _before: Event) -> Iterator[Event]:
    about = {
        "invoice_id": find_text(thing, "id"),
        "total": _money(thing, "amount_due"),
        "currency": find_text(thing, "currency").upper(),
        "attempts": thing.get("attempt_count"),
    }
    yield track(_whose(thing), "Payment Failed", about, None)


def _refunded(thing: Event, before: Event) -> Iterator[Event]:
    """Give what was paid back now: the charge says how much it is by now, and how much it was."""
    total, earlier = thing.get("amount_refunded"), before.get("amount_refunded") or 0
    if not isinstance(total, int) or not isinstance(earlier, int) or total <= earlier:
        return
    about = {
        "order_id": _id(thing.get("payment_intent"))
        or _id(thing.get("invoice"))
        or find_text(thing, "id"),
        "charge_id": find_text(thing, "id"),
        "total": _money({"paid": total - earlier} | _currency(thing), "paid"),
        "currency": find_text(thing, "currency").upper(),
    }
    yield track(_whose(thing), "Order Refunded", about, None)


def _subscription(name: str) -> Callable[[Event, Event], Iterator[Event]]:
    def read(thing: Event, _before: Event) -> Iterator[Event]:
        about = {
            "subscription_id": find_text(thing, "id"),
            "status": find_text(thing, "status"),
            "current_period_end": at_seconds(thing.get("current_period_end")),
            "cancel_at_period_end": thing.get("cancel_at_period_end"),
        }
        yield track(_whose(thing), name, about, None)

    return read


_TYPES: Final[dict[str, Callable[[Event, Event], Iterator[Event]]]] = {
    "customer.created": _customer,
    "customer.updated": _customer,
    "customer.deleted": _deleted,
    "customer.subscription.created": _subscription("Subscription Started"),
    "customer.subscription.updated": _subscription("Subscription Changed"),
    "customer.subscription.deleted": _subscription("Subscription Ended"),
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.expired": _expired,
    "invoice.paid": _invoice,
    "invoice.payment_failed": _unpaid,
    "charge.refunded": _refunded,
}
