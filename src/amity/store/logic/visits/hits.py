"""Reading an event as part of a visit (pure): what page, from where, by what device, about what."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_visits import VisitKind
from amity.store.logic.folding.orders import read_order
from amity.store.logic.visits.cutting import Hit
from amity.store.logic.visits.devices import find_device
from amity.store.logic.visits.interests import WEIGHTS, Vector, list_lines, read_topics, sum_of
from amity.store.logic.visits.machines import read_signs
from amity.store.logic.visits.pages import clean_url, find_campaign, read_campaign

TYPES: Final = ("page", "screen", "track")
ORDER: Final = "Order Completed"
_BROWSING: Final = frozenset(WEIGHTS) - {ORDER} | {
    "Products Searched",
    "Product Clicked",
    "Product Removed",
    "Cart Viewed",
    "Checkout Started",
    "Checkout Step Viewed",
}
"""Nobody does this without being there, even where a server tells it."""
_HEADLINE: Final = 300


class PageTopics(msgspec.Struct, frozen=True):
    """What the pages of the own site are about, as far as it is known."""

    by_url: Mapping[str, Vector] = {}
    by_product: Mapping[str, Vector] = {}


def is_hit(each: Activity) -> bool:
    """Say whether an activity is part of a visit, or may be."""
    if each.type not in TYPES or each.source_id == SYSTEM_SOURCE_ID:
        return False
    return each.type != "track" or each.name == ORDER or _is_there(each)


def _is_there(each: Activity) -> bool:
    context = each.context
    return (
        each.type != "track"
        or each.name in _BROWSING
        or bool(context.get("userAgent") or context.get("page") or context.get("app"))
    )


def read_hit(each: Activity, pages: PageTopics, home_currency: str) -> Hit:
    """Return an activity for which `is_hit` as part of a visit."""
    context = each.context
    kind: VisitKind = "app" if each.type == "screen" or context.get("app") else "site"
    raw_url, referrer, title = _place(each)
    url = clean_url(raw_url)
    device = context.get("device")
    agent = context.get("userAgent")
    order_id, revenue = _order(each, home_currency)
    return Hit(
        at=each.occurred_at,
        event_id=each.event_id,
        is_active=_is_there(each),
        is_view=each.type != "track",
        kind=kind,
        url=url,
        title=title,
        referrer=referrer,
        campaign=find_campaign(raw_url) or read_campaign(context.get("campaign")),
        device=find_device(
            agent if isinstance(agent, str) else "",
            device.get("type") if isinstance(device, dict) else None,
        ),
        signs=read_signs(context, is_app=kind == "app"),
        order_id=order_id,
        revenue_minor=revenue,
        topics=_topics(each, url, pages),
    )


def _place(each: Activity) -> tuple[str, str, str]:
    """Return the address, referrer and title of the page an event happened on."""
    page = each.context.get("page")
    page = page if isinstance(page, dict) else {}
    own = each.properties if each.type != "track" else {}
    found = [_text(own.get(key)) or _text(page.get(key)) for key in ("url", "referrer", "title")]
    url, referrer, title = found
    url = url or _text(own.get("path")) or _text(page.get("path"))
    if not title and each.type != "track":
        title = _text(each.properties.get("name"))
    return url, referrer, title[:_HEADLINE]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _order(each: Activity, home_currency: str) -> tuple[str, int]:
    if each.type != "track" or each.name != ORDER:
        return "", 0
    order = read_order(
        each.name,
        each.properties,
        event_id=each.event_id,
        at=each.occurred_at,
        home_currency=home_currency,
    )
    return order.order_id, order.total_minor if order.currency == home_currency else 0


def _topics(each: Activity, url: str, pages: PageTopics) -> Vector:
    weight = WEIGHTS.get(each.name, 0.0)
    if not weight:
        return {}
    lines = list_lines(each.properties)
    parts = [_line_topics(line, pages) for line in lines]
    if not any(parts) and each.name != ORDER and url:
        parts = [pages.by_url.get(url, {})]
    return {topic: share * weight for topic, share in sum_of(parts).items()}


def _line_topics(line: Mapping[str, Any], pages: PageTopics) -> Vector:
    return read_topics(line) or pages.by_product.get(product_of(line), {})


def product_of(line: Mapping[str, Any]) -> str:
    """Return the id of the product in a line, as text; "" when it names none."""
    value = line.get("product_id") or line.get("sku")
    return str(value)[:200] if isinstance(value, str | int) and value is not True else ""


def places_of(activities: Sequence[Activity]) -> tuple[set[str], set[str]]:
    """Return the pages and the products activities speak of, to be looked up."""
    urls: set[str] = set()
    products: set[str] = set()
    for each in activities:
        if WEIGHTS.get(each.name):
            urls.add(clean_url(_place(each)[0]))
            products |= {product_of(line) for line in list_lines(each.properties)}
    return urls - {""}, products - {""}
