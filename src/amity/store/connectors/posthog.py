"""PostHog's clients: their events and persons, and their questions for feature flags.

A `distinct_id` is a customer's own id, unless the client says that nobody is signed in. What
`$set` carries becomes traits, by an identify of its own beside the event that brought it. What
`$set_once` carries is kept in that event's context and changes no trait: which value came first
is not known while it is read.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

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
    campaign_of,
    make_id,
    translate,
)
from amity.store.logic.intake.parsing import read_instant

_EVENTS: Final = ("/batch", "/capture", "/e", "/i/v0/e", "/track", "/engage")
_FLAGS: Final = ("/flags", "/decide")
_PAGE: Final = {
    "$current_url": "url",
    "$pathname": "path",
    "$referrer": "referrer",
    "title": "title",
}
_PERSON: Final = frozenset({"$set", "$set_once", "$unset", "token", "distinct_id"})


class _Envelope(msgspec.Struct):
    """What one request carries: a list of events, or one that is the body itself."""

    batch: list[msgspec.Raw] | None = None
    api_key: str = ""
    token: str = ""
    sent_at: str = ""
    event: Any = None


@DIALECTS.register("posthog")
class PostHogDialect(Dialect):
    """What the SDKs of PostHog send and ask; the write key is their project key."""

    name: ClassVar[str] = "posthog"
    title: ClassVar[str] = "PostHog"
    description: ClassVar[str] = "PostHog's clients: events, persons, groups and aliases."
    routes: ClassVar[tuple[str, ...]] = tuple(f"POST {path}" for path in (*_EVENTS, *_FLAGS))
    has_hook: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("posthog",)
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="posthog",
            title="PostHog",
            install="pip install posthog",
            code=(
                "from posthog import Posthog\n\n"
                'client = Posthog("{key}", host="{url}")\n'
                'client.set(distinct_id="u-1042", properties={"email": "ada@example.com"})\n'
                'client.capture("Product Viewed", distinct_id="u-1042", '
                'properties={"product_id": "sourdough-800"})\n'
                "client.shutdown()\n"
            ),
            note="The write key is the project key, this address the host. "
            "There are no flags here.",
        ),
    )

    def read(self, call: Call) -> Taken:
        """Return the events of a request, or take it for a question for flags."""
        body = _json_of(call)
        envelope, items = _split(body)
        key = envelope.api_key or envelope.token or _key_inside(items)
        if call.path.replace("/", "") in {"flags", "decide"}:
            return Taken(events=[], write_key=key, is_question=True)
        sent_at = read_instant(envelope.sent_at) if envelope.sent_at else None
        return Taken(events=translate(items, _make_events), write_key=key, sent_at=sent_at)

    def find_key(self, call: Call) -> str:
        """Return the key of a body that is JSON but says nothing else."""
        try:
            found = _KEYS.decode(_json_of(call))
        except (BadEvent, msgspec.MsgspecError, ValueError, RecursionError):
            return ""
        return found.api_key or found.token

    def reply(self, call: Call, receipt: Receipt) -> Reply:
        """Say that it was taken."""
        return Reply(body=b'{"status":1}')

    def answer(self, call: Call, source: Source) -> Reply:
        """Return that there are no flags, in the shape the version asks for."""
        version = call.query.get("v", "1")
        shape: dict[str, Any] = {"errorsWhileComputingFlags": False, "requestId": ""}
        if "flags" in call.path or version == "4":
            shape["flags"] = {}
        else:
            shape |= {"featureFlags": {}, "featureFlagPayloads": {}}
        shape |= {
            "sessionRecording": False,
            "supportedCompression": ["gzip", "gzip-js"],
            "isAuthenticated": False,
        }
        return Reply(body=msgspec.json.encode(shape))

    def refuse(self, status: int, code: str, message: str) -> bytes:
        """Return an error as PostHog's clients read it."""
        error = {"type": "validation_error", "code": code, "detail": message, "attr": None}
        return msgspec.json.encode(error)


class _Keys(msgspec.Struct):
    api_key: str = ""
    token: str = ""


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_KEYS: Final = msgspec.json.Decoder(_Keys)
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _json_of(call: Call) -> bytes:
    """Return the JSON of a body; older browsers send it as base64 in a form."""
    if not call.body.startswith(b"data="):
        return call.body
    try:
        form = dict(parse_qsl(call.body.decode("ascii"), max_num_fields=20))
        return base64.b64decode(form["data"], validate=True)
    except (KeyError, ValueError, binascii.Error) as error:
        raise BadEvent("not_json", "the form holds no data") from error


def _split(body: bytes) -> tuple[_Envelope, list[bytes]]:
    try:
        if body.lstrip()[:1] == b"[":
            return _Envelope(), list(map(bytes, _ITEMS.decode(body)))
        envelope = _ENVELOPE.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("not_json", "expected an event, or a list named `batch`") from error
    if envelope.batch is not None:
        return envelope, list(map(bytes, envelope.batch))
    return envelope, [body] if envelope.event is not None else []


def _key_inside(items: list[bytes]) -> str:
    """Return the key of the first event: PostHog's browser client writes it into properties."""
    for item in items[:1]:
        try:
            event = msgspec.json.decode(item)
            key = event.get("api_key") or event.get("token") or event["properties"]["token"]
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError):
            return ""
        return key if isinstance(key, str) else ""
    return ""


def _make_events(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name, properties = item.get("event"), item.get("properties") or {}
    if not isinstance(name, str) or not isinstance(properties, dict):
        raise BadEvent("wrong_type", "an event has a name and properties")
    distinct = item.get("distinct_id") or properties.get("distinct_id")
    base = {
        "messageId": _message_id(item),
        "timestamp": item.get("timestamp") or properties.get("timestamp"),
        "context": _context(properties),
        **_who(distinct, properties),
    }
    special = _SPECIAL.get(name)
    if special is not None:
        yield base | special(item, properties, base)
        return
    rest = {key: value for key, value in properties.items() if key not in _PERSON}
    yield base | _plain(name, rest)
    traits, once = _traits(item, properties)
    if traits or once:
        yield base | {"messageId": _beside(base["messageId"])} | _identify(traits, once, base)


def _message_id(item: dict[str, Any]) -> str | None:
    given = item.get("uuid") or item.get("$insert_id")
    if given is not None:
        return str(given)
    if item.get("timestamp") is None:
        return None
    named = {key: value for key, value in item.items() if key != "api_key"}
    return make_id("posthog", msgspec.json.encode(named, order="sorted").decode())


def _beside(message_id: str | None) -> str | None:
    return None if message_id is None else f"{message_id}-set"


def _who(distinct: Any, properties: dict[str, Any]) -> dict[str, Any]:
    device = properties.get("$device_id")
    is_nobody = (
        properties.get("$is_identified") is False
        or properties.get("$process_person_profile") is False
        or (device is not None and device == distinct)
    )
    if is_nobody:
        return {"anonymousId": distinct}
    return {"userId": distinct, "anonymousId": device}


def _context(properties: dict[str, Any]) -> dict[str, Any]:
    page = {ours: properties[name] for name, ours in _PAGE.items() if properties.get(name)}
    library = {"name": properties.get("$lib"), "version": properties.get("$lib_version")}
    context = {
        "library": library if library["name"] else None,
        "page": page or None,
        "campaign": campaign_of(page.get("url")),
        "ip": properties.get("$ip"),
        "userAgent": properties.get("$raw_user_agent"),
        "sessionId": properties.get("$session_id"),
        "groups": properties.get("$groups"),
    }
    return {key: value for key, value in context.items() if value is not None}


def _plain(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    if name == "$pageview":
        page = {ours: properties[key] for key, ours in _PAGE.items() if properties.get(key)}
        title = properties.get("title")
        return {"type": "page", "name": title, "properties": properties | page}
    if name == "$screen":
        return {"type": "screen", "name": properties.get("$screen_name"), "properties": properties}
    return {"type": "track", "event": name, "properties": properties}


def _traits(
    item: dict[str, Any], properties: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the traits that hold from now on, and those that only fill what is empty."""
    found = [item.get(key) or properties.get(key) or {} for key in ("$set", "$set_once")]
    unset = item.get("$unset") or properties.get("$unset") or []
    if not all(isinstance(each, dict) for each in found) or not isinstance(unset, list):
        raise BadEvent("wrong_type", "$set and $set_once are objects, $unset is a list")
    gone = {name: None for name in unset if isinstance(name, str)}
    return {**found[0], **gone}, {k: v for k, v in found[1].items() if k not in found[0]}


def _identify(traits: dict[str, Any], once: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    context = base["context"] | ({"traitsOnce": once} if once else {})
    return {"type": "identify", "traits": traits, "context": context}


def _on_identify(
    item: dict[str, Any], properties: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    distinct = item.get("distinct_id") or properties.get("distinct_id")
    anonymous = properties.get("$anon_distinct_id") or base.get("anonymousId")
    who = {"userId": distinct, "anonymousId": None if anonymous == distinct else anonymous}
    return who | _identify(*_traits(item, properties), base)


def _on_set(
    item: dict[str, Any], properties: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    return _identify(*_traits(item, properties), base)


def _on_alias(
    item: dict[str, Any], properties: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    """The id used so far is the distinct id, the new one the alias (posthog-python, `alias`)."""
    previous = properties.get("distinct_id") or item.get("distinct_id")
    return {
        "type": "alias",
        "userId": properties.get("alias"),
        "previousId": previous,
        "anonymousId": None,
    }


def _on_merge(
    item: dict[str, Any], properties: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    distinct = item.get("distinct_id") or properties.get("distinct_id")
    return {"type": "alias", "userId": distinct, "previousId": properties.get("alias")}


def _on_group(
    item: dict[str, Any], properties: dict[str, Any], base: dict[str, Any]
) -> dict[str, Any]:
    """It says something of a group and nothing of who says it: the group stands for itself."""
    kind, key = properties.get("$group_type"), properties.get("$group_key")
    traits = properties.get("$group_set") or {}
    return {
        "type": "group",
        "groupId": key,
        "userId": None,
        "anonymousId": f"${kind}_{key}",
        "traits": {**traits, "group_type": kind} if isinstance(traits, dict) else traits,
    }


_SPECIAL: Final = {
    "$identify": _on_identify,
    "$set": _on_set,
    "$create_alias": _on_alias,
    "$merge_dangerously": _on_merge,
    "$groupidentify": _on_group,
}
