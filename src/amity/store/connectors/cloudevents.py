"""CloudEvents 1.0 over HTTP: structured, binary and in batches.

Who an event is about is said by the extensions `userid` and `anonymousid`, else by the fields
`userId` and `anonymousId` of its data, else by its subject. Its type is the event's name; a type
that ends in `identify`, `page`, `screen`, `group` or `alias` says that it is such a one.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from amity.store.dialect import (
    DIALECTS,
    BadEvent,
    Call,
    Dialect,
    Reply,
    Snippet,
    Taken,
    dump,
    make_id,
    read_list,
    translate,
)
from amity.store.logic.intake.parsing import parse_object

_REQUIRED: Final = ("specversion", "id", "source", "type")
_CORE: Final = frozenset({*_REQUIRED, "time", "data", "data_base64", "userid", "anonymousid"})
_KINDS: Final = frozenset({"identify", "page", "screen", "group", "alias"})
_FIELDS: Final[tuple[str, ...]] = ("userId", "anonymousId", "groupId", "previousId", "name")


@DIALECTS.register("cloudevents")
class CloudEventsDialect(Dialect):
    """What any sender of CloudEvents sends; the write key is a Bearer token, or in the address."""

    name: ClassVar[str] = "cloudevents"
    title: ClassVar[str] = "CloudEvents"
    description: ClassVar[str] = "CloudEvents 1.0 over HTTP: structured, binary and in batches."
    routes: ClassVar[tuple[str, ...]] = ("POST /cloudevents", "POST /cloudevents/{write_key}")
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="cloudevents",
            title="CloudEvents",
            code=(
                "curl {url}/cloudevents \\\n  -H 'Authorization: Bearer {key}' \\\n"
                "  -H 'Content-Type: application/cloudevents+json' \\\n"
                """  -d '{"specversion": "1.0", "type": "Product Viewed", "source": "/shop", """
                """"id": "1", "userid": "u-1042", "data": {"product_id": "sourdough-800", """
                """"name": "Sourdough 800 g", "price": 3.2}}'\n"""
            ),
        ),
    )

    def read(self, call: Call) -> Taken:
        """Return the events of a request in any of the three modes."""
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/cloudevents-batch+json":
            return Taken(events=translate(read_list(call.body), _make_events))
        if kind.startswith("application/cloudevents"):
            if kind not in {"application/cloudevents+json", "application/cloudevents"}:
                raise BadEvent("bad_format", "CloudEvents are taken as JSON")
            return Taken(events=translate([call.body], _make_events))
        if "ce-specversion" not in call.headers:
            raise BadEvent("no_event", "neither a CloudEvents content type nor ce- headers")
        return Taken(events=[dump(event) for event in _make_events(_from_headers(call, kind))])

    def greet(self, call: Call) -> Reply | None:
        """Answer the handshake of the CloudEvents webhook specification (section 4)."""
        origin = call.headers.get("webhook-request-origin")
        if not origin or not origin.isprintable():
            return None
        headers = (("webhook-allowed-origin", origin), ("webhook-allowed-rate", "*"))
        return Reply(headers=(*headers, ("allow", "POST, OPTIONS")), body=b"")


def _from_headers(call: Call, kind: str) -> dict[str, Any]:
    """Return a binary event as if it were structured."""
    event: dict[str, Any] = {
        name[3:]: unquote(value) for name, value in call.headers.items() if name.startswith("ce-")
    }
    if not call.body:
        return event
    if kind in {"", "application/json"} or kind.endswith("+json"):
        event["data"] = parse_object(b'{"data":' + call.body + b"}")[0]["data"]
    else:
        try:
            event["data"] = call.body.decode()
        except UnicodeDecodeError:
            event["data_base64"] = base64.b64encode(call.body).decode()
    return event


def _make_events(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    missing = [name for name in _REQUIRED if not isinstance(event.get(name), str)]
    if missing:
        raise BadEvent("missing_attribute", f"a CloudEvent needs {', '.join(missing)}")
    data = _data_of(event)
    kind = event["type"].rpartition(".")[2].lower()
    fields = {name: data[name] for name in _FIELDS if name in data}
    who = {
        "userId": event.get("userid") or fields.get("userId"),
        "anonymousId": event.get("anonymousid") or fields.get("anonymousId"),
    }
    if not any(who.values()):
        who["userId"] = event.get("subject")
    made = {
        "messageId": make_id("cloudevents", event["source"], event["id"]),
        "timestamp": event.get("time"),
        "context": _context(event),
        **who,
    }
    if kind in _KINDS:
        own: dict[str, Any] = {**fields, **who, "type": kind}
        yield made | own | _content(kind, data)
    else:
        yield made | {"type": "track", "event": event["type"], "properties": data}


def _data_of(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    if data is None and isinstance(event.get("data_base64"), str):
        try:
            content = base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadEvent("bad_base64", "data_base64 is no base64") from error
        try:
            return parse_object(content)[0]
        except BadEvent:
            return {"data_base64": event["data_base64"]}
    if data is None:
        return {}
    return data if isinstance(data, dict) else {"data": data}


def _content(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what the event says: under `traits` or `properties`, or all of its data."""
    place = "traits" if kind in {"identify", "group"} else "properties"
    inside = data.get(place)
    return {
        place: inside
        if isinstance(inside, dict)
        else {name: value for name, value in data.items() if name not in _FIELDS}
    }


def _context(event: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in event.items() if name in _REQUIRED or name not in _CORE}
    return {"cloudevent": own}
