"""Snowplow's trackers: tracker protocol 2 by POST and the pixel by GET.

Names of fields are those of the Snowplow tracker protocol. `uid` is the customer, `duid` (or the
network user, or the device of a client session) the visitor. The write key is the `app_id`, or
`writeKey` in the address.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Final

import msgspec

from amity.store.contracts import Receipt
from amity.store.dialect import (
    DIALECTS,
    GIF,
    BadEvent,
    Call,
    Dialect,
    Reply,
    Snippet,
    Taken,
    at_millis,
    campaign_of,
    make_id,
    translate,
)
from amity.store.logic.intake.parsing import parse_object

_ECOMMERCE: Final = "com.snowplowanalytics.snowplow.ecommerce"
_SCREENS: Final = frozenset({"screen_view"})
# What an e-commerce action is called in the Segment specification.
_ACTIONS: Final = {
    "product_view": "Product Viewed",
    "list_view": "Product List Viewed",
    "list_click": "Product Clicked",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "checkout_step": "Checkout Step Viewed",
    "transaction": "Order Completed",
    "transaction_error": "Payment Failed",
    "refund": "Order Refunded",
    "promo_view": "Promotion Viewed",
    "promo_click": "Promotion Clicked",
}
_PRODUCT: Final = {"id": "product_id", "creative_id": "image_id"}
_ORDER: Final = {"transaction_id": "order_id", "revenue": "total", "discount_code": "coupon"}
_TRANSACTION: Final = {
    "tr_id": "order_id",
    "tr_tt": "total",
    "tr_af": "affiliation",
    "tr_tx": "tax",
    "tr_sh": "shipping",
    "tr_ci": "city",
    "tr_st": "state",
    "tr_co": "country",
    "tr_cu": "currency",
}
_ITEM: Final = {
    "ti_id": "order_id",
    "ti_sk": "product_id",
    "ti_nm": "name",
    "ti_ca": "category",
    "ti_pr": "price",
    "ti_qu": "quantity",
    "ti_cu": "currency",
}
_STRUCTURED: Final = {
    "se_ca": "category",
    "se_ac": "action",
    "se_la": "label",
    "se_pr": "property",
    "se_va": "value",
}
_PING: Final = {"pp_mix": "min_x", "pp_max": "max_x", "pp_miy": "min_y", "pp_may": "max_y"}
_NUMBERS: Final = frozenset(
    {"tr_tt", "tr_tx", "tr_sh", "ti_pr", "ti_qu", "se_va", "pp_mix", "pp_max", "pp_miy", "pp_may"}
)


class _Payload(msgspec.Struct):
    data: list[msgspec.Raw]


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


@DIALECTS.register("snowplow")
class SnowplowDialect(Dialect):
    """What the trackers of Snowplow send; a collector of theirs answers nothing but 200."""

    name: ClassVar[str] = "snowplow"
    title: ClassVar[str] = "Snowplow"
    description: ClassVar[str] = "Snowplow's trackers: this server is their collector."
    routes: ClassVar[tuple[str, ...]] = (
        "POST /com.snowplowanalytics.snowplow/tp2",
        "POST /com.snowplowanalytics.snowplow/tp2/{write_key}",
        "GET /i",
    )
    has_hook: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("snowplow", "py-", "js-")
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="snowplow",
            title="Snowplow",
            install="pip install snowplow-tracker",
            code=(
                "from snowplow_tracker import Emitter, PageView, Subject, Tracker\n\n"
                'emitter = Emitter("{url}")\n'
                'subject = Subject().set_user_id("u-1042")\n'
                'tracker = Tracker("shop", emitter, subject, app_id="{key}")\n'
                'tracker.track(PageView("https://shop.example/", page_title="Home"))\n'
                "tracker.flush()\n"
            ),
            note="The write key is the app id, this address the collector.",
        ),
    )

    def read(self, call: Call) -> Taken:
        """Return the events of a POST, or the one that a GET carries in its query."""
        if call.method != "POST":
            if "e" not in call.query:
                raise BadEvent("no_event", "the query carries no event")
            items = [msgspec.json.encode(dict(call.query))]
        else:
            items = _items_of(call.body)
        # Where the app id is the key, it is no part of what is kept.
        is_key = not (call.parts.get("write_key") or call.query.get("writeKey"))
        make = partial(_make_events, is_key=is_key)
        return Taken(events=translate(items, make), write_key=_app_of(items))

    def find_key(self, call: Call) -> str:
        """Return the app id of a pixel; the body of a POST without events has none."""
        return call.query.get("aid", "")

    def reply(self, call: Call, receipt: Receipt) -> Reply:
        """Answer a pixel with a picture, a POST with nothing."""
        return Reply(body=b"ok", headers=_TEXT) if call.method == "POST" else GIF


_TEXT: Final = (("content-type", "text/plain"),)


def _items_of(body: bytes) -> list[bytes]:
    try:
        return list(map(bytes, _PAYLOAD.decode(body).data))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("not_json", "expected payload_data with a list named `data`") from error


def _app_of(items: list[bytes]) -> str:
    """Return the app id of the first event."""
    for item in items[:1]:
        try:
            app = msgspec.json.decode(item)["aid"]
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError):
            return ""
        return app if isinstance(app, str) else ""
    return ""


def _make_events(item: dict[str, Any], *, is_key: bool) -> Iterator[dict[str, Any]]:
    entities = _entities(item)
    what = _KINDS.get(str(item.get("e")))
    if what is None:
        raise BadEvent("unknown_type", f"no Snowplow event is called {item.get('e')!r}")
    at = at_millis(item.get("ttm")) or at_millis(item.get("dtm"))
    # The true time is not the time of the device, so its clock has nothing to correct.
    sent_at = None if "ttm" in item else at_millis(item.get("stm"))
    session = _entity(entities, "client_session")
    yield {
        "messageId": _message_id(item, at),
        "timestamp": at,
        "sentAt": sent_at,
        "userId": item.get("uid"),
        "anonymousId": item.get("duid")
        or item.get("tnuid")
        or item.get("nuid")
        or session.get("userId"),
        "context": _context(item, entities, session) | ({} if is_key else _app(item)),
        **what(item, entities),
    }


def _message_id(item: dict[str, Any], at: str | None) -> str | None:
    if item.get("eid"):
        return str(item["eid"])
    if at is None:
        return None
    said = {name: value for name, value in item.items() if name != "stm"}
    return make_id("snowplow", json.dumps(said, sort_keys=True))


def _inside(item: dict[str, Any], coded: str, plain: str) -> Any:
    """Return the JSON inside a field, which may be base64; None when there is none."""
    text = item.get(plain)
    if item.get(coded):
        packed = str(item[coded])
        try:
            text = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        except (binascii.Error, ValueError) as error:
            raise BadEvent("bad_base64", f"{coded} is no base64") from error
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadEvent("wrong_type", f"{plain} is JSON in a text")
    found = parse_object(text.encode(errors="surrogatepass"))[0].get("data")
    if found is None:
        raise BadEvent("not_self_describing", f"{plain} has no data")
    return found


def _entities(item: dict[str, Any]) -> list[dict[str, Any]]:
    found = _inside(item, "cx", "co")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadEvent("wrong_type", "contexts are a list of objects")
    return found


def _schema(entity: dict[str, Any]) -> tuple[str, str]:
    """Return the vendor and the name of what describes itself (`iglu:vendor/name/format/1-0-0`)."""
    pieces = str(entity.get("schema", "")).removeprefix("iglu:").split("/")
    return (pieces[0], pieces[1]) if len(pieces) == 4 else ("", "")


def _entity(entities: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(iter(_all(entities, name)), {})


def _all(entities: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = [each.get("data") for each in entities if _schema(each)[1] == name]
    return [data for data in found if isinstance(data, dict)]


def _context(
    item: dict[str, Any], entities: list[dict[str, Any]], session: dict[str, Any]
) -> dict[str, Any]:
    page = {"url": item.get("url"), "title": item.get("page"), "referrer": item.get("refr")}
    context = {
        "library": {"name": item.get("tna") or "snowplow", "version": item.get("tv")},
        "page": {name: value for name, value in page.items() if value is not None} or None,
        "campaign": campaign_of(item.get("url")),
        "userAgent": item.get("ua"),
        "ip": item.get("ip"),
        "locale": item.get("lang"),
        "timezone": item.get("tz"),
        "platform": item.get("p"),
        "sessionId": item.get("sid") or session.get("sessionId"),
        "entities": entities or None,
    }
    return {name: value for name, value in context.items() if value is not None}


def _app(item: dict[str, Any]) -> dict[str, Any]:
    return {"app": {"name": item["aid"]}} if item.get("aid") else {}


def _pick(item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return fields under our names; what the protocol says is a number becomes one."""
    found = {}
    for theirs, ours in names.items():
        value = item.get(theirs)
        if theirs in _NUMBERS and isinstance(value, str):
            value = _number(value, theirs)
        if value is not None:
            found[ours] = value
    return found


def _number(text: str, name: str) -> int | float:
    try:
        value = float(text)
        return int(value) if value == int(value) else value
    except (ValueError, OverflowError) as error:
        raise BadEvent("wrong_type", f"{name} is a number") from error


def _page(item: dict[str, Any], _entities: list[dict[str, Any]]) -> dict[str, Any]:
    page = {"url": "url", "page": "title", "refr": "referrer"}
    return {"type": "page", "name": item.get("page"), "properties": _pick(item, page)}


def _ping(item: dict[str, Any], _entities: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"url": "url", "page": "title", **_PING}
    return {"type": "track", "event": "Page Pinged", "properties": _pick(item, names)}


def _structured(item: dict[str, Any], _entities: list[dict[str, Any]]) -> dict[str, Any]:
    said = _pick(item, _STRUCTURED)
    return {"type": "track", "event": said.get("action"), "properties": said}


def _order(item: dict[str, Any], _entities: list[dict[str, Any]]) -> dict[str, Any]:
    said = _pick(item, _TRANSACTION)
    return {"type": "track", "event": "Order Completed", "properties": said}


def _line(item: dict[str, Any], _entities: list[dict[str, Any]]) -> dict[str, Any]:
    """Its order may have come in another request, so it stands for itself."""
    return {"type": "track", "event": "Transaction Item", "properties": _pick(item, _ITEM)}


def _described(item: dict[str, Any], entities: list[dict[str, Any]]) -> dict[str, Any]:
    inner = _inside(item, "ue_px", "ue_pr")
    if not isinstance(inner, dict) or not isinstance(inner.get("data"), dict):
        raise BadEvent("not_self_describing", "the event has no data")
    data: dict[str, Any] = inner["data"]
    vendor, name = _schema(inner)
    if vendor == _ECOMMERCE and data.get("type") in _ACTIONS:
        return _action(data, entities)
    if name in _SCREENS:
        return {"type": "screen", "name": data.get("name"), "properties": data}
    return {"type": "track", "event": name or None, "properties": data}


def _action(data: dict[str, Any], entities: list[dict[str, Any]]) -> dict[str, Any]:
    """Turn an e-commerce action and its entities into an event of the Segment specification."""
    products = [_renamed(each, _PRODUCT) for each in _all(entities, "product")]
    order = _renamed(_entity(entities, "transaction") or _entity(entities, "refund"), _ORDER)
    said = {name: value for name, value in data.items() if name != "type"} | order
    if data["type"] in {"transaction", "refund", "list_view", "checkout_step"}:
        said["products"] = products
    elif products:
        said |= products[0]
    return {"type": "track", "event": _ACTIONS[data["type"]], "properties": said}


def _renamed(entity: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in entity.items()}


_KINDS: Final = {
    "pv": _page,
    "pp": _ping,
    "se": _structured,
    "ue": _described,
    "tr": _order,
    "ti": _line,
}
