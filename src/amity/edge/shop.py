"""The demo storefront: a small page that uses the public API as any shop would.

It needs a browser source, whose write key is public by nature. No inline script or style, nothing
from elsewhere: what it may do is said in its Content-Security-Policy.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final
from uuid import uuid4

import msgspec

from amity.edge import http
from amity.edge.http import Exchange, Refusal, Scope
from amity.infra.config import settings
from amity.kernel.money import exponent_of
from amity.personalization.contracts import Product
from amity.personalization.hot import Decider
from amity.store.hot import Collector, Incoming, Request

_SOURCE: Final = "Journey Market web shop"
_CONFIG: Final = "/shop.json"
_CATEGORIES: Final = 4
_A_CATEGORY: Final = 4
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FILES: Final = {
    "/shop": ("shop.html", "text/html; charset=utf-8"),
    "/shop.css": ("shop.css", "text/css; charset=utf-8"),
    "/shop.js": ("shop.js", "text/javascript; charset=utf-8"),
}
PATHS: Final = frozenset({*_FILES, _CONFIG})
SIGN_IN: Final = "/shop/sign-in"
_VISITOR: Final = re.compile(r"(?:^|; )amity_id=([\w-]{1,64})")
_ADVICE: Final = (
    "There is no shop here yet. Make a source of kind “browser” in Amity, under Sources, or with "
    '`amity source create "My shop" --kind browser`; then load this page again.'
)


async def answer(exchange: Exchange, path: str, *, collector: Collector, decider: Decider) -> None:
    """Answer a request to one of `PATHS`."""
    if path == _CONFIG:
        content = await _config(collector, decider)
        http.reply_json(exchange, content, extra=(("cache-control", "no-store"),))
        return
    name, kind = _FILES[path]
    headers = [
        ("content-type", kind),
        ("content-security-policy", _POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ]
    exchange.response_bytes(200, headers, _file(name))


class _SignIn(msgspec.Struct):
    """What the storefront's form says."""

    email: str


async def sign_in(scope: Scope, exchange: Exchange, body: bytes, collector: Collector) -> None:
    """Say as the shop's server that a visitor is who she signed in as.

    A browser's own word would join nobody; a shop believes a password. The demo asks for none, so
    this is served where the setting `demo_shop` is on and nowhere else.
    """
    source = collector.find_server_source()
    if not settings().demo_shop or source is None:
        raise Refusal(404, "not_found", "there is nothing at this address")
    visitor = _VISITOR.search(scope.headers.get("cookie") or "")
    try:
        email = msgspec.json.decode(body, type=_SignIn).email
    except msgspec.DecodeError as error:
        raise Refusal(400, "not_json", "send an object with `email`") from error
    event: dict[str, Any] = {"type": "identify", "messageId": str(uuid4())}
    event["traits"] = {"email": email}
    # Without a cookie of hers there is nobody here whom this could be about.
    if visitor is not None:
        event["anonymousId"] = visitor[1]
        request = Request([msgspec.json.encode(event)], source.write_key, None)
        await collector.append(source, request, Incoming("identify"))
    http.reply_json(exchange, {"success": True})


@cache
def _file(name: str) -> bytes:
    return files("amity.edge").joinpath("shop_files", name).read_bytes()


async def _config(collector: Collector, decider: Decider) -> dict[str, Any]:
    source = collector.find_public_source(_SOURCE)
    if source is None:
        return {"writeKey": "", "advice": _ADVICE}
    return {
        "name": source.name.removesuffix(" web shop"),
        "writeKey": source.write_key,
        "currency": settings().currency,
        "products": [_show(each) for each in _choose(await decider.list_popular())],
    }


def _choose(popular: list[Product]) -> list[Product]:
    """Return the most liked products of the categories that have enough of them."""
    by_category: dict[str, list[Product]] = {}
    for product in popular:
        if product.name and product.category and product.price_minor:
            by_category.setdefault(product.category, []).append(product)
    full = [some[:_A_CATEGORY] for some in by_category.values() if len(some) >= _A_CATEGORY]
    return [product for some in full[:_CATEGORIES] for product in some]


def _show(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.product_id,
        "name": product.name,
        "category": product.category,
        "price": (product.price_minor or 0) / 10 ** exponent_of(product.currency),
        "currency": product.currency,
    }
