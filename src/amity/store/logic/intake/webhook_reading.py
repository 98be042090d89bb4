"""What the dialects of signed webhooks share (pure): signatures, who is meant, amounts, ids.

A shop's own id of a customer is nobody else's id of her, so it becomes an anonymous id in the
name of the dialect; her e-mail address or phone number joins it with what else is known of her.
The message id of an event is made of all it says. What it is made of is signed, so a request that
comes again adds nothing, whatever its headers say.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from amity.kernel.clock import format_instant
from amity.store.dialect import BadEvent, dump, make_id
from amity.store.logic.intake.parsing import parse_object, read_instant

Event = dict[str, Any]
_LONGEST_ID: Final = 200


def is_hmac_base64(body: bytes, secret: bytes, signature: str) -> bool:
    """Say whether a signature is the HMAC-SHA256 of a body, written in base64."""
    made = base64.b64encode(hmac.digest(secret, body, hashlib.sha256))
    return bool(secret) and hmac.compare_digest(made, signature.strip().encode(errors="replace"))


def is_hmac_hex(signed: bytes, secret: bytes, signature: str) -> bool:
    """Say whether a signature is the HMAC-SHA256 of some bytes, in hexadecimal digits."""
    made = hmac.digest(secret, signed, hashlib.sha256).hex().encode()
    return bool(secret) and hmac.compare_digest(made, signature.strip().encode(errors="replace"))


def is_recent(stamp: str, now: datetime, *, seconds: int) -> bool:
    """Say whether a moment in seconds since 1970 is at most so far from now, before or after."""
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return False
    return abs(now.timestamp() - int(stamp)) <= seconds


def read_object(body: bytes) -> Event:
    """Return a body as the object it is; raise BadEvent."""
    return parse_object(body)[0]


def find_dict(holder: Any, *path: str) -> Event:
    """Return the object at the end of a path, {} when there is none."""
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder if isinstance(holder, dict) else {}


def find_text(holder: Mapping[str, Any], *names: str) -> str:
    """Return the first of some fields that says something, as text; "" when none does."""
    for name in names:
        value = holder.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def list_dicts(holder: Mapping[str, Any], name: str) -> list[Event]:
    """Return the objects of a list, what else is in it left out."""
    found = holder.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def who(dialect: str, customer_id: str, *, email: str = "", phone: str = "") -> Event:
    """Return whom an event is about; raise BadEvent when nobody is named."""
    if customer_id:
        anonymous = f"{dialect}-customer-{customer_id}"[:_LONGEST_ID]
    elif email or phone:
        anonymous = make_id(dialect, (email or phone).lower())
    else:
        raise BadEvent("missing_identity", "it names no customer")
    traits = {"email": email or None, "phone": phone or None}
    found: Event = {"anonymousId": anonymous}
    if said := _filled(traits):
        found["context"] = {"traits": said}
    return found


def identify(whose: Event, traits: Mapping[str, Any], at: str | None) -> Event:
    """Return an identify; traits that are empty are left out."""
    given = whose.get("context", {}).get("traits", {})
    return whose | {"type": "identify", "traits": given | _filled(traits), "timestamp": at}


def track(whose: Event, name: str, properties: Mapping[str, Any], at: str | None) -> Event:
    """Return a track; properties that are None or empty are left out."""
    said = _filled(properties)
    return whose | {"type": "track", "event": name, "properties": said, "timestamp": at}


def consent(whose: Event, choices: Mapping[str, bool], at: str | None) -> Event:
    """Return what somebody said to purposes."""
    said = {"categoryPreferences": dict(choices)}
    return track(whose, "Segment Consent Preference Updated", said, at)


def _filled(values: Mapping[str, Any]) -> Event:
    return {name: value for name, value in values.items() if value not in (None, "", {}, [])}


def at_text(value: Any) -> str | None:
    """Return a moment as ISO 8601 in UTC; a text without an offset is UTC. None for no moment."""
    if not isinstance(value, str) or not value.strip():
        return None
    moment = read_instant(value.strip()) or read_instant(value.strip() + "Z")
    return format_instant(moment) if moment else None


def amount(value: Any) -> float | int | None:
    """Return an amount in major units as a number, None when it is none.

    Its shortest text is what was sent, so that minor units made of it are exact.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        exact = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not exact.is_finite() or abs(exact) >= 10**13:
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def from_minor(value: Any, places: int) -> float | int | None:
    """Return minor units as an amount in major units, None when it is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 10**15:
        return None
    return amount(str(Decimal(value).scaleb(-places)))


def finish(dialect: str, events: Iterable[Event]) -> list[bytes]:
    """Return events as JSON, each with an id made of what it says, none twice."""
    made: dict[str, bytes] = {}
    for event in events:
        text = msgspec.json.encode(event, order="sorted").decode()
        message_id = event.get("messageId") or make_id(dialect, text)
        made.setdefault(message_id, dump(event | {"messageId": message_id}))
    return list(made.values())
