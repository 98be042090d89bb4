"""What a template can say: the customer, the sender, what was decided, what happened."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.kernel.money import exponent_of

_SQL: Final = queries.load("amity.broadcast")

VARIABLES: Final[dict[str, str]] = {
    "customer.name": "the customer's name",
    "customer.first_name": "her first name",
    "customer.last_name": "her last name",
    "customer.email": "her e-mail address",
    "customer.phone": "her telephone number",
    "customer.user_id": "her id in your system",
    "customer.traits": "whatever else is known of her, such as `customer.traits.city`",
    "customer.order_count": "how many orders she has placed",
    "customer.revenue": "what she has spent, in your currency",
    "customer.first_order_at": "when she ordered first",
    "customer.last_order_at": "when she ordered last",
    "brand.name": "the name messages come from",
    "brand.email": "the address messages come from",
    "brand.postal_address": "your postal address",
    "brand.currency": "your currency",
    "links.unsubscribe": "where she unsubscribes",
    "links.preferences": "where she says what she wants to get",
    "links.confirm": "where she confirms that she signed up; only in the message that asks her to",
    "links.request": "where she confirms a data request and takes the copy of her data; only in "
    "messages about one",
    "offers": "the offers decided for her: `headline`, `body`, `image_url`, `action_label`, "
    "`action_url` of each",
    "offer": "the first of them",
    "products": "the products decided for her: `name`, `category`, `price`, `currency`, "
    "`image_url` of each",
    "product": "the first of them",
    "event": "in a journey, the properties of the event that began it, such as `event.products`",
    "campaign.name": "the name of the campaign or journey",
    "now": "the moment of sending",
}
"""What templates can use, for the editor."""

ANY: Final = frozenset(
    ("customer.traits", "offers", "offer", "products", "product", "event", "now", "_pixel")
)
"""Of these any step may be taken."""


def load_customers(connection: Connection, profile_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return `customer` of each profile, by profile id; unknown ones are left out."""
    rows = connection.execute(_SQL["load_customers"], [list(profile_ids)]).fetchall()
    return {row[0]: _customer(row) for row in rows}


def _customer(row: tuple[Any, ...]) -> dict[str, Any]:
    _, user_id, name, email, phone, traits, count, revenue, first, last = row
    first_name, last_name = _names(name, traits)
    return {
        "user_id": user_id,
        "name": name,
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "phone": phone,
        "traits": traits,
        "order_count": count,
        "revenue": revenue / 10 ** exponent_of(settings().currency),
        "first_order_at": _moment(first),
        "last_order_at": _moment(last),
    }


def _names(name: str | None, traits: Mapping[str, Any]) -> tuple[str, str]:
    first, _, last = (name or "").strip().partition(" ")
    given = traits.get("first_name") or traits.get("firstName") or first
    family = traits.get("last_name") or traits.get("lastName") or last
    return str(given), str(family)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


SAMPLE: Final[dict[str, Any]] = {
    "customer": {
        "user_id": "1001",
        "name": "Maria Rossi",
        "first_name": "Maria",
        "last_name": "Rossi",
        "email": "maria@example.com",
        "phone": "",
        "traits": {"city": "Milano"},
        "order_count": 3,
        "revenue": 187.5,
        "first_order_at": "2026-01-05T10:00:00+00:00",
        "last_order_at": "2026-03-02T18:30:00+00:00",
    },
    "campaign": {"name": "Preview"},
    "event": {"products": [{"name": "Linen shirt", "price": 49.0, "quantity": 1}]},
}
"""Who a preview is for when nobody is named."""
