"""Customer.io's Track API, versions 1 and 2.

Its clients rarely give an event an id. What brings neither an id nor a time is taken each time
it comes, as Customer.io does: the same words twice may be two events, and an attribute that goes
back to what it was is no repetition.

What it says about reaching somebody is only believed when it says no: an unsubscribed, suppressed
or deleted customer withdraws her consent to e-mail; the opposite gives none.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final

import msgspec

from amity.store.contracts import Receipt, Source
from amity.store.dialect import (
    DIALECTS,
    BadEvent,
    Call,
    Dialect,
    Reply,
    Snippet,
    Taken,
    at_seconds,
    dump,
    make_id,
    translate,
)
from amity.store.logic.intake.parsing import parse_object

_CUSTOMER: Final = "/api/v1/customers/{id}"
_UNSUBSCRIBED: Final = "Unsubscribed"
# Of an attribute: about the request, not about the customer.
_ABOUT: Final = frozenset({"_timestamp", "_update", "anonymous_id", "id", "cio_relationships"})
_VIEWS: Final = {"page": "page", "screen": "screen", "pageview": "page"}
Event = dict[str, Any]


@DIALECTS.register("customerio")
class CustomerIoDialect(Dialect):
    """What the clients of Customer.io's Track API send; the write key is their site id."""

    name: ClassVar[str] = "customerio"
    title: ClassVar[str] = "Customer.io"
    description: ClassVar[str] = "Customer.io's Track API: people, events, devices and batches."
    routes: ClassVar[tuple[str, ...]] = (
        f"PUT {_CUSTOMER}",
        f"DELETE {_CUSTOMER}",
        f"POST {_CUSTOMER}/events",
        f"PUT {_CUSTOMER}/devices",
        f"DELETE {_CUSTOMER}/devices/{{device}}",
        f"POST {_CUSTOMER}/suppress",
        f"POST {_CUSTOMER}/unsuppress",
        "POST /api/v1/events",
        "POST /api/v1/merge_customers",
        "POST /api/v2/entity",
        "POST /api/v2/batch",
        "GET /api/v1/accounts/region",
    )
    has_hook: ClassVar[bool] = False
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="customerio",
            title="Customer.io",
            code=(
                "curl -X PUT {url}/api/v1/customers/u-1042 \\\n  -u '{key}:any' \\\n"
                "  -H 'Content-Type: application/json' \\\n"
                """  -d '{"email": "ada@example.com", "plan": "gold"}'\n"""
            ),
            note="Clients of the Track API: the write key is the site id. They call by https only.",
        ),
    )

    def read(self, call: Call) -> Taken:
        """Return what a request says of a customer."""
        if call.path.endswith("/region"):
            return Taken(events=[], is_question=True)
        if "/api/v2/" in call.path:
            return Taken(events=translate(_entries(call), _make_entry))
        said = parse_object(call.body)[0] if call.body.strip() else {}
        made = _make(call, said)
        return Taken(events=[dump(event) for event in made])

    def answer(self, call: Call, source: Source) -> Reply:
        """Say where this is: the clients ask which of two regions to call."""
        return Reply(body=b'{"data_center":"eu","environment_id":1,"url":""}')

    def reply(self, call: Call, receipt: Receipt) -> Reply:
        """Answer version 1 with an empty object; version 2 with 207 when a part was put aside."""
        if "/api/v2/" not in call.path or not receipt.quarantined:
            return Reply()
        errors = [
            {"batch_index": each.index, "reason": each.code, "message": each.message}
            for each in receipt.errors
        ]
        return Reply(status=207, body=msgspec.json.encode({"errors": errors}))

    def refuse(self, status: int, code: str, message: str) -> bytes:
        """Return an error as Customer.io writes it."""
        return msgspec.json.encode({"meta": {"error": message, "code": code}})


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]


_BATCH: Final = msgspec.json.Decoder(_Batch)


def _entries(call: Call) -> list[bytes]:
    if call.path.rstrip("/").endswith("/entity"):
        return [call.body]
    try:
        return list(map(bytes, _BATCH.decode(call.body).batch))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("not_json", "expected a list named `batch`") from error


def _make(call: Call, said: Event) -> Iterable[Event]:
    """Return the events of a request of version 1, told by its address."""
    what = call.path.rstrip("/").rpartition("/")[2]
    if what == "merge_customers":
        return [_merge(said)]
    who = _who(call.parts["id"], said) if "id" in call.parts else _anonymous(said)
    if "device" in call.parts:
        return [_device_removed(who, call.parts["device"])]
    if what in {"events", "devices", "suppress", "unsuppress"}:
        return _BY_ADDRESS[what](who, said)
    return _gone(who, "Customer Deleted") if call.method == "DELETE" else _identify(who, said)


def _who(identifier: str, said: Event) -> Event:
    """Return who is meant: an identifier with an at sign is an e-mail address, not an id."""
    anonymous = said.get("anonymous_id")
    if "@" not in identifier:
        return {"userId": identifier, "anonymousId": anonymous}
    return {
        "anonymousId": anonymous or make_id("customerio", identifier.strip().lower()),
        "context": {"traits": {"email": identifier}},
    }


def _anonymous(said: Event) -> Event:
    """Return who an event without a customer is from; the recipient of an invitation is one."""
    if said.get("anonymous_id"):
        return {"anonymousId": said["anonymous_id"]}
    data = said.get("data")
    recipient = data.get("recipient") or data.get("email") if isinstance(data, dict) else None
    return _who(recipient, said) if isinstance(recipient, str) and "@" in recipient else {}


def _track(name: Any, properties: Any = None) -> Event:
    return {"type": "track", "event": name, "properties": properties}


def _identify(who: Event, said: Event) -> Iterator[Event]:
    traits = {name: value for name, value in said.items() if name not in _ABOUT}
    traits = who.get("context", {}).get("traits", {}) | traits
    when = _when(said.get("_timestamp"), ("identify", who, traits))
    yield who | {"type": "identify", "traits": traits} | when
    if said.get("unsubscribed") in (True, "true", 1):
        yield who | _track(_UNSUBSCRIBED) | _when(said.get("_timestamp"), ("unsubscribe", who))


def _gone(who: Event, name: str) -> list[Event]:
    return [who | _track(name), who | _track(_UNSUBSCRIBED)]


def _when(timestamp: Any, content: Any) -> Event:
    """Return the time an event is said to have, and the id that follows from it."""
    if timestamp is None:
        return {}
    at = at_seconds(timestamp)
    if at is None:
        raise BadEvent("bad_timestamp", "a timestamp is in seconds since 1970")
    text = msgspec.json.encode(content, order="sorted").decode()
    return {"timestamp": at, "messageId": make_id("customerio", at, text)}


def _event(who: Event, said: Event) -> Event:
    name, data = said.get("name"), said.get("data") or {}
    kind = _VIEWS.get(str(said.get("type")))
    if kind is None:
        made = _track(name, data)
    else:
        made = {"type": kind, "name": name, "properties": data}
        if kind == "page" and isinstance(name, str) and "://" in name and isinstance(data, dict):
            made["properties"] = {"url": name, **data}
    made |= _when(said.get("timestamp"), (who, name, data))
    if said.get("id") is not None:
        made["messageId"] = str(said["id"])
    return who | made


def _device_added(who: Event, device: Any) -> Event:
    if not isinstance(device, dict) or not device.get("id"):
        raise BadEvent("wrong_type", "a device has an id")
    device_context = {"token": device["id"], "type": device.get("platform")}
    context = who.get("context", {}) | {"device": device_context}
    return who | _track("Device Added", device) | {"context": context}


def _device_removed(who: Event, device_id: Any) -> Event:
    return who | _track("Device Removed", {"id": device_id})


def _merge(said: Event) -> Event:
    """Say that two are one: what they have in common joins them, two ids of customers never."""
    people = []
    for place in ("primary", "secondary"):
        named = said.get(place)
        named = named if isinstance(named, dict) else {}
        found = named.get("id") or named.get("email") or named.get("cio_id")
        if not isinstance(found, str):
            raise BadEvent("missing_identity", f"{place} names nobody")
        people.append(found)
    primary, secondary = people
    context = {"traits": {"email": secondary}} if "@" in secondary else None
    previous = make_id("customerio", secondary.strip().lower()) if context else secondary
    user = make_id("customerio", primary.strip().lower()) if "@" in primary else primary
    return {"type": "alias", "userId": user, "previousId": previous, "context": context}


def _make_entry(entry: Event) -> Iterable[Event]:
    """Return the events of one entry of version 2, told by its type and action."""
    action = entry.get("action")
    if entry.get("type") == "object":
        return [_object(entry)]
    if action == "merge":
        return [_merge(entry)]
    make = _ACTIONS.get(str(action))
    if make is None or entry.get("type", "person") != "person":
        raise BadEvent("unknown_type", f"there is no action {action!r} of {entry.get('type')!r}")
    return make(_person(entry), entry)


def _person(entry: Event) -> Event:
    named = entry.get("identifiers")
    named = named if isinstance(named, dict) else {}
    found = named.get("id") or named.get("email") or named.get("cio_id")
    anonymous = {"anonymous_id": named.get("anonymous_id") or entry.get("anonymous_id")}
    return _who(str(found), anonymous) if found else _anonymous(entry | anonymous)


def _attributes(entry: Event) -> Event:
    found = entry.get("attributes") or {}
    if not isinstance(found, dict):
        raise BadEvent("wrong_type", "attributes are an object")
    return found


def _object(entry: Event) -> Event:
    """An object, such as a company, says nothing of a person: it stands for itself."""
    named = entry.get("identifiers")
    if entry.get("action") != "identify" or not isinstance(named, dict):
        raise BadEvent("unknown_type", "of an object only `identify` is understood")
    kind, key = named.get("object_type_id"), named.get("object_id")
    traits = _attributes(entry) | {"object_type_id": kind}
    return {
        "type": "group",
        "groupId": key,
        "anonymousId": f"$object_{kind}_{key}",
        "traits": traits,
    }


_Making = Callable[[Event, Event], Iterable[Event]]
_BY_ADDRESS: Final[dict[str, _Making]] = {
    "events": lambda who, said: [_event(who, said)],
    "devices": lambda who, said: [_device_added(who, said.get("device"))],
    "suppress": lambda who, _said: _gone(who, "Customer Suppressed"),
    "unsuppress": lambda who, _said: [who | _track("Customer Unsuppressed")],
}
_ACTIONS: Final[dict[str, _Making]] = {
    "identify": lambda who, entry: _identify(
        who, _attributes(entry) | {"_timestamp": entry.get("timestamp")}
    ),
    "event": lambda who, entry: [_event(who, _named(entry))],
    "page": lambda who, entry: [_event(who, _named(entry) | {"type": "page"})],
    "screen": lambda who, entry: [_event(who, _named(entry) | {"type": "screen"})],
    "add_device": lambda who, entry: [_device_added(who, _device(entry))],
    "delete_device": lambda who, entry: [_device_removed(who, _device(entry).get("id"))],
    "delete": lambda who, _entry: _gone(who, "Customer Deleted"),
    "suppress": lambda who, _entry: _gone(who, "Customer Suppressed"),
    "unsuppress": lambda who, _entry: [who | _track("Customer Unsuppressed")],
}


def _named(entry: Event) -> Event:
    return {
        "name": entry.get("name"),
        "data": _attributes(entry),
        "timestamp": entry.get("timestamp"),
        "id": entry.get("id"),
    }


def _device(entry: Event) -> Event:
    found = entry.get("device")
    if not isinstance(found, dict):
        return {}
    return {"id": found.get("token") or found.get("id"), **found}
